// From the journal to the broker's file: every byte once, in order, redacted, whatever gets lost or dies on
// the way; and nothing that is not right is let in.

import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { QUICK_MS, windowOf } from '../../agent/logs/pull.ts';
import { packBody } from '../../protocol/body.ts';
import {
  decodeLogChunk,
  encodeLogChunk,
  epochOfRequest,
  type NewLogChunk,
} from '../../protocol/logs.ts';
import { encodeBatch } from '../../protocol/wire.ts';
import { LOGS_KEPT } from './http-rig.ts';
import {
  CARD,
  centre,
  commandFor,
  journalOf,
  NOON,
  newPull,
  planFor,
  pullAll,
} from './logs-rig.ts';
import { seeded } from './redact-corpus.ts';

type View = Record<string, unknown> & { id: string; state: string; bytes: number; error: string };
type Centre = Awaited<ReturnType<typeof centre>>;

const LINES = 8_000;

async function asked(broker: Centre, change: object = {}): Promise<string> {
  const response = await broker.ask(change);
  expect(response.statusCode, response.body).toBe(202);
  return response.json<View>().id;
}
const viewOf = async (broker: Centre, id: string): Promise<View> =>
  (await broker.get(`/api/v1/logs/${id}`)).json<View>();
const planOf = (request: string, logDir: string, change: object = {}, offsetMs = 0) =>
  planFor(logDir, commandFor({ request, ...change }), offsetMs);

describe('an answer', () => {
  it('arrives line by line, with time and component in front, and without a card', async () => {
    const broker = await centre();
    const request = await asked(broker);
    const { end, chunks } = pullAll(newPull(planOf(request, journalOf(LINES), {}, 5_000)), broker);
    const stored = broker.stored(request);
    const view = await viewOf(broker, request);
    expect(view).toMatchObject({
      state: 'complete',
      complete: true,
      lines: LINES,
      redactions: LINES / 10,
    });
    expect(end).toMatchObject({
      ok: true,
      sha256: view['sha256'],
      totals: { bytes: stored.length },
    });
    expect(chunks).toBeGreaterThan(3);
    const lines = stored.toString().split('\n').slice(0, -1);
    expect(lines[0]).toMatch(
      /^2026-11-23T12:00:05.000Z \[sale\] \{.*paid by \[PAN visa \.{4}1111\] at 0/,
    );
    expect(lines).toHaveLength(LINES);
    expect(stored.includes(CARD)).toBe(false);
    const text = await broker.get(`/api/v1/logs/${request}/content`);
    expect(text.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(text.body).toBe(stored.toString());
    const rest = await broker.get(`/api/v1/logs/${request}/content?offset=${stored.length - 10}`);
    expect(rest.body).toBe(stored.subarray(-10).toString());
    expect((await broker.get(`/api/v1/logs/${request}/content?offset=${2 ** 40}`)).statusCode).toBe(
      416,
    );
    expect(broker.audit.list(10).find(({ action }) => action === 'logs.receive')).toMatchObject({
      ...{ operator: 'api-token', subject: 'lane-1', reason: 'why not', outcome: 'complete' },
      detail: { request, lines: LINES, bytes: stored.length, sha256: view['sha256'] },
    });
  });

  it('is the same when chunks and acknowledgements get lost', async () => {
    const broker = await centre();
    const logDir = journalOf(LINES);
    const [whole, holed] = [await asked(broker), await asked(broker)];
    pullAll(newPull(planOf(whole, logDir)), broker);
    const random = seeded(7);
    const { end } = pullAll(newPull(planOf(holed, logDir)), broker, {
      isLost: () => random() < 0.3,
    });
    expect(end.ok).toBe(true);
    expect(broker.stored(holed)).toEqual(broker.stored(whole));
  });

  it('is the same when the agent is killed after every other chunk', async () => {
    const broker = await centre();
    const logDir = journalOf(LINES);
    const [whole, broken] = [await asked(broker), await asked(broker)];
    const { chunks } = pullAll(newPull(planOf(whole, logDir)), broker);
    const plan = planOf(broken, logDir);
    let sent = 0;
    const killed = pullAll(newPull(plan), broker, {
      after: (pull) => {
        sent += 1;
        // The plan is all that is left of the old one.
        return sent % 3 === 2 && pull.ended() === undefined
          ? newPull(JSON.parse(JSON.stringify(plan)))
          : pull;
      },
    });
    expect(killed.end.ok).toBe(true);
    expect(broker.stored(broken)).toEqual(broker.stored(whole));
    expect(killed.chunks).toBeLessThan(chunks * 3);
  });

  it('goes on behind what the registry knows after the broker died with more in the file', async () => {
    const broker = await centre();
    const request = await asked(broker);
    const plan = planOf(request, journalOf(LINES));
    let given = 0;
    const { end } = pullAll(newPull(plan), broker, {
      after: (pull) => {
        given += 1;
        if (given === 2) {
          broker.logs.close();
          appendFileSync(
            join(broker.folder, `${request}.log`),
            Buffer.alloc(8_000_000, 'never acknowledged'),
          );
        }
        return pull;
      },
    });
    expect(end.ok).toBe(true);
    expect(broker.stored(request).includes('never acknowledged')).toBe(false);
    expect((await viewOf(broker, request)).state).toBe('complete');
  });

  it('of many short lines does not lose the newest to its own prefixes', async () => {
    const broker = await centre();
    const request = await asked(broker, { bytesMax: 50_000 });
    const logDir = journalOf(0);
    const lines = Array.from(
      { length: 9_999 },
      (_, n) => `${new Date(NOON + n).toISOString()} ${n}`,
    );
    writeFileSync(join(logDir, 'sale', 'b.log'), `${lines.join('\n')}\n`);
    pullAll(newPull(planOf(request, logDir, { bytesMax: 50_000 })), broker);
    expect(await viewOf(broker, request)).toMatchObject({ state: 'complete', truncated: true });
    expect(broker.stored(request).toString()).toMatch(/ 9998\n$/);
  });

  it('that would be larger than asked for keeps the newest lines and says from when on', async () => {
    const broker = await centre();
    const request = await asked(broker, { bytesMax: 200_000 });
    pullAll(newPull(planOf(request, journalOf(LINES), { bytesMax: 200_000 })), broker);
    const view = await viewOf(broker, request);
    const stored = broker.stored(request);
    expect(view).toMatchObject({ state: 'complete', truncated: true });
    expect(stored.length).toBeLessThanOrEqual(200_000);
    expect(stored.length).toBeGreaterThan(100_000);
    expect(stored.toString()).toContain(new Date(NOON + (LINES - 1) * 1_000).toISOString());
    const first = Date.parse(stored.toString().slice(0, 24));
    expect(first - Number(view['fromMs'])).toBeLessThanOrEqual(1_000);
  });

  it('of no lines is complete and empty', async () => {
    const broker = await centre();
    const request = await asked(broker);
    const nothing = { sinceMs: NOON - 9, untilMs: NOON - 1 };
    expect(pullAll(newPull(planOf(request, journalOf(10), nothing)), broker).end.ok).toBe(true);
    expect(await viewOf(broker, request)).toMatchObject({ state: 'complete', bytes: 0, lines: 0 });
    expect((await broker.get(`/api/v1/logs/${request}/content`)).body).toBe('');
  });
});

describe('a chunk', () => {
  const chunkOf = (request: string, change: Partial<NewLogChunk> = {}): NewLogChunk => ({
    ...{ request, component: 'sale', offset: 0, body: Buffer.from('a line\n'), last: false },
    ...{ sha256: new Uint8Array(0), redactor: 'tillwatch-redact/1', lines: 0, redactions: 0 },
    ...{ truncated: false, fromMs: 0, ...change },
  });
  const batchOf = (chunk: NewLogChunk, seq = chunk.offset + 1): Uint8Array =>
    encodeBatch({
      ...{ epoch: epochOfRequest(chunk.request), stream: 'logs', seq, createdMs: NOON },
      ...{ clockOffsetMs: 0, ...packBody(encodeLogChunk(chunk)) },
    });

  it.each([
    ['without the mark of a redactor', { redactor: '' }, 'redactor'],
    ['with a mark that nobody knows', { redactor: 'none/1' }, 'redactor'],
    ['larger than what was asked for', { body: Buffer.alloc(2_001, 10) }, '2000 bytes'],
    ['with a digest that is not right', { last: true, sha256: Buffer.alloc(32) }, 'digests'],
  ] as const)('%s ends the request, and nothing of it is kept', async (_name, change, word) => {
    const broker = await centre();
    const request = await asked(broker, { bytesMax: 2_000 });
    const [ack] = broker.give(batchOf(chunkOf(request, change)));
    expect(ack?.streams).toEqual([]);
    expect(ack?.refused[0]?.reason).toContain(word);
    const view = await viewOf(broker, request);
    expect(view).toMatchObject({ state: 'failed', error: expect.stringContaining(word) });
    expect(broker.audit.list(10)[0]).toMatchObject({ action: 'logs.receive', outcome: 'failed' });
    const [again] = broker.give(batchOf(chunkOf(request)));
    expect(again?.refused[0]?.reason).toContain(word);
  });

  it('of another terminal, or for a request that nobody made, is refused and changes nothing', async () => {
    const broker = await centre();
    const request = await asked(broker);
    const [foreign] = broker.give(batchOf(chunkOf(request)), 'lane-2');
    expect(foreign?.refused[0]?.reason).toContain('nobody asks this terminal');
    const unknown = commandFor().arguments.request;
    expect(broker.give(batchOf(chunkOf(unknown)))[0]?.refused).toHaveLength(1);
    expect(await viewOf(broker, request)).toMatchObject({ state: 'waiting', bytes: 0 });
  });

  it('behind a hole is not acknowledged; one that overlaps adds only what is new', async () => {
    const broker = await centre();
    const request = await asked(broker);
    expect(broker.give(batchOf(chunkOf(request, { offset: 7 })))).toEqual([]);
    broker.give(batchOf(chunkOf(request)));
    const [ack] = broker.give(batchOf(chunkOf(request, { body: Buffer.from('a line\nb line\n') })));
    expect(ack?.streams).toEqual([{ stream: 'logs', ranges: [{ first: 1, last: 14 }] }]);
    expect(broker.stored(request).toString()).toBe('a line\nb line\n');
  });

  it('numbered wrongly or not readable ends the request', async () => {
    const broker = await centre();
    const request = await asked(broker);
    expect(broker.give(batchOf(chunkOf(request), 9))[0]?.refused[0]?.reason).toContain('numbered');
    expect(decodeLogChunk(Buffer.from('nonsense')).ok).toBe(false);
  });
});

describe('the window', () => {
  it('is one chunk on a line that is slow or not known, and four on a quick one', () => {
    expect(windowOf(undefined)).toBe(1);
    expect(windowOf(QUICK_MS)).toBe(4);
    expect(windowOf(QUICK_MS + 1)).toBe(1);
  });
});

describe('a request', () => {
  it('is refused with a sentence when it makes no sense', async () => {
    const broker = await centre();
    for (const [change, status] of [
      [{ components: ['nobody'] }, 422],
      [{ sinceMs: 5, untilMs: 4 }, 422],
      [{ reason: '' }, 422],
      [{ bytesMax: 1e12 }, 422],
    ] as const) {
      expect((await broker.ask(change)).statusCode, JSON.stringify(change)).toBe(status);
    }
    const nobody = { sinceMs: 1, untilMs: 2, reason: 'why not' };
    expect((await broker.post('/api/v1/terminals/x/logs', nobody)).statusCode).toBe(404);
    expect((await broker.get('/api/v1/logs/x')).statusCode).toBe(404);
    const command = { kind: 'logs', arguments: {}, reason: 'why not' };
    const direct = await broker.post('/api/v1/terminals/lane-1/commands', command);
    expect(direct.json()).toMatchObject({ status: 422, detail: expect.stringContaining('/logs') });
  });

  it('becomes a signed command that waits a day for its terminal', async () => {
    const broker = await centre();
    const request = await asked(broker);
    const view = await viewOf(broker, request);
    expect(view).toMatchObject({ state: 'waiting', connected: false, operator: 'api-token' });
    const command = (await broker.get(`/api/v1/commands/${view['command']}`)).json<View>();
    expect(command).toMatchObject({ kind: 'logs', arguments: { request }, state: 'pending' });
    expect(Number(view['expiresMs']) - Number(view['createdMs'])).toBe(24 * 3_600_000);
    broker.time.pass(25 * 3_600_000);
    expect(await viewOf(broker, request)).toMatchObject({ state: 'expired' });
    expect((await broker.get('/api/v1/logs')).json()).toMatchObject({
      requests: [{ id: request }],
    });
  });

  it('is kept among the newest, and its file goes with it', async () => {
    const broker = await centre();
    const first = await asked(broker);
    pullAll(newPull(planOf(first, journalOf(10))), broker);
    expect(readFileSync(join(broker.folder, `${first}.log`)).length).toBeGreaterThan(100);
    for (let n = 0; n < LOGS_KEPT; n += 1) {
      const request = await asked(broker);
      pullAll(newPull(planOf(request, '/nowhere')), broker);
      broker.terminals.results('lane-1', done((await viewOf(broker, request))['command']));
      broker.fleet.drain();
    }
    expect((await broker.get(`/api/v1/logs/${first}`)).statusCode).toBe(404);
    expect(() => readFileSync(join(broker.folder, `${first}.log`))).toThrow('ENOENT');
  });
});

const done = (commandId: unknown) => ({
  ...{ commandId: String(commandId), state: 'succeeded' as const, reason: '', timeMs: NOON },
  detail: {},
});
