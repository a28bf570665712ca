import { once } from 'node:events';
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemTimers, type Timers } from '../../broker/clock.ts';
import type { Fleet } from '../../broker/fleet/fleet.ts';
import { HEARTBEAT_TICKS, LIVE_CLIENTS_MAX, SLOW_TICKS, TICK_MS } from '../../broker/http/live.ts';
import { type Http, startHttp } from '../../broker/http/server.ts';
import type { NewEvent } from '../../protocol/events.ts';
import { happened, must, quiet, rig, START_MS } from '../unit/fleet-rig.ts';
import { nobodyAsksForLogs, nobodySignsIn, unused } from '../unit/operators-none.ts';

const TOKEN = 'a-token-that-nobody-guesses-0123456789';
const authorization = `Bearer ${TOKEN}`;

/** A registry that is filled by hand behind a server on a real port; its ticks pass by hand, too. */
async function start(watched: (fleet: Fleet) => Partial<Fleet> = () => ({}), bytes = 10) {
  const back = rig({ terminals: ['lane-1', 'lane-2'].map((id) => ({ id, store: `s-${id}` })) });
  const { fleet, metrics, terminals } = back;
  let tick = () => {};
  const timers: Timers = {
    after: systemTimers.after,
    every: (ms, run) => {
      if (ms === TICK_MS) tick = run;
      return () => {};
    },
  };
  const http: Http = must(
    await startHttp({
      ...{ host: '127.0.0.1', port: 0, token: TOKEN, timers, metrics, log: quiet, nowMs: Date.now },
      ...{ ...nobodySignsIn, fleet: { ...fleet, ...watched(fleet) } },
      audit: { page: unused, head: unused, exportLines: unused, write: unused, refuse: () => {} },
      commands: { create: unused, get: unused, list: unused, cancel: unused },
      logs: nobodyAsksForLogs,
    }),
  );
  onTestFinished(http.stop);
  let made = 0;
  // As many as a batch holds.
  const perBatch = Math.min(200, Math.floor(180_000 / bytes));
  const happen = (count: number, terminal = 'lane-1'): void => {
    const events = Array.from({ length: count }, () => {
      made += 1;
      const fields = { reason: 'x'.repeat(bytes), left: [], agent: '', os: '', hostname: '' };
      const kind = made % 3 === 0 ? 'agent_stopping' : 'inventory';
      const event = { kind, component: '', fields: { ...fields, components: [] } };
      return happened(START_MS + made, event as NewEvent);
    });
    for (; events.length > 0; ) terminals.events(terminal, ...events.splice(0, perBatch));
    fleet.drain();
  };
  const get = async (path: string) => {
    const url = `http://127.0.0.1:${http.port}/api/v1${path}`;
    return await fetch(url, { headers: { authorization } });
  };
  const ids = async (query = ''): Promise<number[]> => {
    const all = (await (await get(`/events?limit=1000${query}`)).json()) as {
      events: { id: number }[];
    };
    return all.events.map(({ id }) => id);
  };
  const ticks = (count: number): void => {
    for (let i = 0; i < count; i += 1) tick();
  };
  return { ...back, http, happen, ids, ticks };
}

type Told = { readonly id: number; readonly event: string; readonly data: unknown };
type Watcher = {
  readonly told: Told[];
  /** The end of what came. */
  readonly text: () => string;
  /** What an EventSource would send as Last-Event-ID. */
  readonly lastId: () => string;
  readonly answer: IncomingMessage;
  readonly request: ClientRequest;
};

/** Reads a stream as HTML 9.2.6 says: fields line by line, an empty line ends an event. */
async function watch(port: number, query = '', lastEventId?: string): Promise<Watcher> {
  const request = httpRequest({
    ...{ host: '127.0.0.1', port, path: `/api/v1/events/live${query}`, agent: false },
    headers: { authorization, ...(lastEventId && { 'last-event-id': lastEventId }) },
  });
  request.on('error', () => {});
  request.end();
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  answer.on('error', () => {});
  onTestFinished(() => void request.destroy());
  const told: Told[] = [];
  let text = '';
  let rest = '';
  let lastId = '';
  answer.setEncoding('utf8').on('data', (chunk: string) => {
    text = `${text}${chunk}`.slice(-2_000);
    const blocks = `${rest}${chunk}`.split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
      lastId = field('id') ?? lastId;
      const data = field('data');
      const event = field('event') ?? 'message';
      if (data !== undefined) told.push({ id: Number(lastId), event, data: JSON.parse(data) });
    }
  });
  return { told, text: () => text, lastId: () => lastId, answer, request };
}

/** The machine may have much else to do. */
const soon = <T>(look: () => T) => expect.poll(look, { timeout: 20_000 });
const idsOf = ({ told }: Watcher): number[] => told.map(({ id }) => id);
const metric = async ({ metrics }: Pick<ReturnType<typeof rig>, 'metrics'>, name: string) =>
  await metrics.registry.getSingleMetricAsString(`tillwatch_http_live_${name}`);

describe('the live stream', () => {
  it('tells what comes from now on, each event as GET /events has it', async () => {
    const { http, happen, fleet } = await start();
    happen(3);
    const watcher = await watch(http.port);
    expect(watcher.answer.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    await soon(watcher.lastId).toBe('3');
    happen(2);
    await soon(() => idsOf(watcher)).toEqual([4, 5]);
    expect(watcher.told.map(({ data }) => data)).toEqual(fleet.events({ afterId: 3, limit: 9 }));
    expect(watcher.answer.headers['connection']).toBe('close');
  });

  it.each([
    ['everything', '', ''],
    ['one terminal', '?terminal=lane-2', '&terminal=lane-2'],
    [
      'one store and kind',
      '?store=s-lane-1&kind=agent_stopping',
      '&store=s-lane-1&kind=agent_stopping',
    ],
  ])(
    'has no hole and no double for %s, however often its line is cut',
    async (_what, query, same) => {
      const { http, happen, ids } = await start();
      happen(40, 'lane-2');
      const after = `${query === '' ? '?' : `${query}&`}after=0`;
      const got: number[] = [];
      let lastId: string | undefined;
      // Each turn: watch, let things happen meanwhile, cut the line wherever it is just then.
      for (let turn = 0; turn < 12; turn += 1) {
        const watcher = await watch(http.port, after, lastId);
        for (const terminal of ['lane-1', 'lane-2']) {
          happen(turn * 2 + (turn === 5 ? 400 : 1), terminal);
          await new Promise((done) => setTimeout(done, turn % 4));
        }
        watcher.request.destroy();
        // Only whole events count, as for an EventSource.
        got.push(...idsOf(watcher));
        lastId = watcher.lastId() || lastId;
      }
      const wanted = (await ids(same)).concat(
        await ids(`${same}&after=${(await ids(same)).at(-1)}`),
      );
      const last = await watch(http.port, after, lastId);
      await expect
        .poll(() => [...got, ...idsOf(last)].length)
        .toBeGreaterThanOrEqual(wanted.length);
      expect([...got, ...idsOf(last)]).toEqual(wanted);
      expect(wanted.length).toBeGreaterThan(100);
    },
  );

  it('moves the place on where the filter lets nothing through', async () => {
    const { http, happen, ticks } = await start();
    const watcher = await watch(http.port, '?kind=gap');
    happen(30);
    ticks(HEARTBEAT_TICKS);
    await soon(watcher.text).toMatch(/: still here\nid: 30\n\n$/);
    expect(watcher.told).toEqual([]);
  });

  it('says so when rows that were asked for are gone', async () => {
    const { http, happen, fleet } = await start();
    happen(10);
    fleet.database.db.exec('DELETE FROM events WHERE id <= 6');
    const watcher = await watch(http.port, '?after=2');
    await soon(() => watcher.told.length).toBe(5);
    expect(watcher.told[0]).toMatchObject({ event: 'gap', data: { after: 2, oldest: 7 } });
    expect(idsOf(watcher).slice(1)).toEqual([7, 8, 9, 10]);
  });

  it.each([
    ['?after=11', undefined, 400, /^after: 11 is beyond the newest event, 10/],
    ['?after=x', undefined, 400, /after/],
    ['', 'x', 400, /^Last-Event-ID: this is not the number of a row/],
    ['?limit=1', undefined, 400, /limit/],
  ])('refuses %s with Last-Event-ID %s', async (query, lastId, status, sentence) => {
    const { http, happen } = await start();
    happen(10);
    const { answer, text } = await watch(http.port, query, lastId);
    expect(answer.statusCode).toBe(status);
    await soon(text).toContain('detail');
    expect((JSON.parse(text()) as { detail: string }).detail).toMatch(sentence);
  });

  it('is cut for a client whose registry cannot be read, and the broker goes on', async () => {
    let broken = false;
    const failing = (fleet: Fleet): Partial<Fleet> => ({
      eventPage: (query) => {
        if (!broken) return fleet.eventPage(query);
        throw Object.assign(new Error('disk I/O error'), { code: 'ERR_SQLITE_ERROR' });
      },
    });
    const all = await start(failing);
    all.happen(300);
    await watch(all.http.port);
    broken = true;
    const watcher = await watch(all.http.port, '?after=0');
    await new Promise((done) => watcher.answer.on('close', done));
    expect(await metric(all, 'dropped_total')).toContain('reason="failed"} 1');
    broken = false;
    all.happen(1);
    const again = await watch(all.http.port, '?after=0');
    await soon(() => again.told.length).toBe(301);
  });
});

describe('clients that are too slow or too many', () => {
  it('are disconnected and counted, and cost no memory meanwhile', async () => {
    let read = 0;
    const counting = (fleet: Fleet): Partial<Fleet> => ({
      eventPage: (query) => {
        const page = fleet.eventPage(query);
        read += page.events.length;
        return page;
      },
    });
    const all = await start(counting, 30_000);
    const socket = connect(all.http.port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => {});
    socket.write(
      `GET /api/v1/events/live?after=0 HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n\r\n`,
    );
    await once(socket, 'readable');
    // Nobody takes anything out of this socket from here on.
    const quick = await watch(all.http.port);
    for (let i = 0; i < 6; i += 1) all.happen(80);
    await soon(() => quick.told.length).toBe(480);
    const forBoth = read;
    expect(await metric(all, 'clients')).toMatch(/ 2$/m);
    all.ticks(SLOW_TICKS - 1);
    expect(await metric(all, 'dropped_total')).not.toContain('slow');
    all.happen(80);
    await soon(() => quick.told.length).toBe(560);
    // 16 MB are there for it; what the operating system held for it was all that was read for it.
    expect(read - forBoth).toBeLessThanOrEqual(160);
    all.ticks(1);
    await soon(async () => await metric(all, 'dropped_total')).toContain('reason="slow"} 1');
    expect(await metric(all, 'clients')).toMatch(/ 1$/m);
    all.happen(1);
    await soon(() => quick.told.length).toBe(561);
  });

  it('are 50 at most; the others are told to try again, and get in when one leaves', async () => {
    const all = await start();
    const watchers = await Promise.all(Array.from({ length: 60 }, () => watch(all.http.port)));
    const inside = watchers.filter(({ answer }) => answer.statusCode === 200);
    const outside = watchers.filter(({ answer }) => answer.statusCode === 503);
    expect([inside.length, outside.length]).toEqual([LIVE_CLIENTS_MAX, 10]);
    expect(outside[0]?.answer.headers).toMatchObject({
      'retry-after': '30',
      'content-type': 'application/problem+json; charset=utf-8',
    });
    expect(await metric(all, 'dropped_total')).toContain('reason="too_many"} 10');
    all.happen(300);
    for (const watcher of inside) await soon(() => watcher.told.length).toBe(300);
    inside[0]?.request.destroy();
    await soon(async () => await metric(all, 'clients')).toMatch(/ 49$/m);
    expect((await watch(all.http.port)).answer.statusCode).toBe(200);
  });
});

it('ends every stream in good order when the broker stops', async () => {
  const { http, happen } = await start();
  const watchers = await Promise.all(Array.from({ length: 5 }, () => watch(http.port)));
  happen(3);
  const ended = watchers.map(({ answer }) => once(answer, 'end'));
  await http.stop();
  await Promise.all(ended);
  for (const watcher of watchers) {
    expect(idsOf(watcher)).toEqual([1, 2, 3]);
    expect(watcher.answer.complete).toBe(true);
  }
});

it('answers HEAD with no stream', async () => {
  const all = await start();
  const url = `http://127.0.0.1:${all.http.port}/api/v1/events/live`;
  const answer = await fetch(url, { method: 'HEAD', headers: { authorization } });
  expect(answer.status).toBe(404);
  expect(await metric(all, 'clients')).toMatch(/ 0$/m);
});
