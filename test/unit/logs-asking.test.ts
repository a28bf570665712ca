// What an operator may ask of a terminal's logs, and how a request ends that nobody wants any more.

import { describe, expect, it } from 'vitest';
import { LOG_TERMINALS_MAX } from '../../protocol/limits.ts';
import { chunkOf, endOf, LINES, lineOf, wire } from './logs-wire.ts';

const LOGS = '/api/v1/terminals/lane-1/logs';
const TAIL = '/api/v1/terminals/lane-1/tail';
const FILTERS = { level: 'warn', last: 10, context: 2, searchMs: 5_000 };

type Rig = Awaited<ReturnType<typeof wire>>;
const detailOf = (answer: Awaited<ReturnType<Rig['post']>>) =>
  `${answer.statusCode} ${answer.json<{ detail: string }>().detail}`;

describe('a request', () => {
  it('says which records, to the terminal, in its view and in the audit log', async () => {
    const { ask, view, commands, audited } = await wire();
    const wish = { ...FILTERS, pattern: 'paid|void' };
    const shown = await view(await ask(wish));
    expect(shown).toMatchObject({
      ...{ what: 'lines', state: 'waiting', store: 'berlin', searchedBytes: 0, dropped: 0 },
      ...{ cutBy: '', missed: 0, waitingUntilMs: shown['expiresMs'], ...wish },
    });
    expect(commands.get(shown.command)?.arguments).toMatchObject({ request: shown.id, ...wish });
    const { detail } = audited('command.logs.create') ?? {};
    expect(detail).toMatchObject({ arguments: { request: shown.id, ...wish } });
  });

  it('with a wrong regular expression is refused at once, with its place', async () => {
    const { post, commands } = await wire();
    for (const [pattern, sentence] of [
      ['paid (by', '422 pattern: missing closing ) at character 1: paid (by'],
      ['a(?=b)', '422 pattern: invalid or unsupported Perl syntax at character 2: (?='],
      ['x**', '422 pattern: invalid nested repetition operator at character 2: **'],
    ]) {
      expect(detailOf(await post(LOGS, { ...LINES, pattern }))).toBe(sentence);
    }
    expect(commands.countOpen()).toBe(0);
  });

  it.each([
    [{ text: 'a', pattern: 'b' }, /either a text or a regular expression/],
    [{ sinceMs: 3 }, /window ends before it begins/],
    [{ components: ['printer'] }, /lane-1 has no component printer/],
    [{ last: 0 }, /body.last: must be >= 1/],
    [{ context: 101 }, /body.context: must be <= 100/],
    [{ level: 'fatal' }, /body.level: use one of error, warn, info, debug/],
    [{ pattern: 'a'.repeat(1_001) }, /body.pattern: must NOT have more than 1000/],
    [{ reason: 'x' }, /a reason of 3 to 500/],
  ])('that makes no sense is refused in plain words: %j', async (change, sentence) => {
    const { post } = await wire();
    const answer = await post(LOGS, { ...LINES, ...change });
    expect(detailOf(answer)).toMatch(sentence);
    expect(answer.statusCode).toBe(422);
  });

  it('is found by terminal, state, kind and group', async () => {
    const { ask, cancel, post, get } = await wire();
    const first = await ask();
    const tail = (await post(TAIL, { reason: 'a look' })).json<{ id: string }>().id;
    await cancel(first);
    const found = async (filter: string) => {
      const { requests } = (await get(`/api/v1/logs?${filter}`)).json<{
        requests: { id: string }[];
      }>();
      return requests.map(({ id }) => id);
    };
    expect(await found('terminal=lane-1')).toEqual([tail, first]);
    expect(await found('terminal=lane-2')).toEqual([]);
    expect(await found('state=cancelled')).toEqual([first]);
    expect(await found('what=tail')).toEqual([tail]);
    expect(await found('group=none')).toEqual([]);
    expect(await found('limit=1')).toEqual([tail]);
  });
});

describe('a live tail', () => {
  it('appends what comes, is readable meanwhile, and ends with its lease', async () => {
    const { post, view, heard, get, commands, audited } = await wire();
    const wish = { components: ['sale'], level: 'warn', raise: 'debug', forMs: 60_000 };
    const asked = (await post(TAIL, { ...wish, reason: 'a look' })).json<{ id: string }>();
    const { id } = asked;
    const shown = await view(id);
    expect(shown).toMatchObject({ what: 'tail', ...wish });
    expect(commands.get(shown.command)).toMatchObject({ kind: 'tail', arguments: wish });
    const [one, two] = [lineOf('one'), lineOf('two', 1)];
    heard(chunkOf(id, 0, one));
    expect((await get(`/api/v1/logs/${id}/content`)).body).toBe(one);
    heard(chunkOf(id, one.length, two, { dropped: 12 }));
    const rest = await get(`/api/v1/logs/${id}/content?offset=${one.length}`);
    expect(rest.body).toBe(two);
    heard(endOf(id, one + two, { dropped: 12 }));
    expect(await view(id)).toMatchObject({ state: 'complete', dropped: 12, lines: 2 });
    expect(audited('tail.receive')).toMatchObject({ outcome: 'complete', reason: 'a look' });
  });
});

describe('an answer', () => {
  it('is counted in records, whatever lines they have and wherever its chunks are cut', async () => {
    const { ask, view, heard } = await wire();
    const text = [lineOf('a\n\tat Sale\n\tat Till'), lineOf('b\tc', 1), lineOf('d\n\t', 2)].join(
      '',
    );
    for (const piece of [text.length, 7, 1]) {
      const id = await ask();
      for (let at = 0; at < text.length; at += piece) {
        heard(chunkOf(id, at, text.slice(at, at + piece)));
      }
      heard(endOf(id, text));
      expect(await view(id)).toMatchObject({ state: 'complete', lines: 3 });
    }
  });
});

describe('cancelling', () => {
  it('a request that no terminal has taken ends it at once, and it never runs', async () => {
    const { ask, cancel, view, commands, sent, connect, audited } = await wire();
    const id = await ask();
    const answer = await cancel(id);
    expect([answer.statusCode, answer.json()]).toEqual([202, { id, state: 'cancelled' }]);
    const shown = await view(id);
    expect(shown).toMatchObject({ state: 'cancelled', error: /cancelled by .*: seen enough/ });
    expect(commands.get(shown.command)?.state).toBe('cancelled');
    connect();
    commands.terminalReady('lane-1');
    expect(sent).toEqual([]);
    expect(audited('logs.cancel')).toMatchObject({ outcome: 'cancelled', reason: 'seen enough' });
    expect(audited('logs.receive')).toMatchObject({ outcome: 'cancelled' });
  });

  it('one that runs tells its terminal, which ends its answer in good order', async () => {
    const { ask, cancel, view, heard, say, connect, commands, stored } = await wire();
    connect();
    const id = await ask();
    await say(id, 'running');
    const text = lineOf('all is well');
    heard(chunkOf(id, 0, text));
    expect((await cancel(id)).json()).toMatchObject({ state: 'running' });
    expect(commands.list({ limit: 1 })).toMatchObject([
      { kind: 'cancel_logs', arguments: { request: id }, reason: 'seen enough' },
    ]);
    expect((await cancel(id)).statusCode).toBe(202);
    expect(commands.list({ limit: 9 }).filter(({ kind }) => kind === 'cancel_logs')).toHaveLength(
      1,
    );
    expect(heard(endOf(id, text, { cutBy: 'cancelled' }))).toBe(text.length + 1);
    expect(await view(id)).toMatchObject({ state: 'cancelled', cutBy: 'cancelled' });
    expect(stored(id)).toBe(text);
    expect((await cancel(id)).statusCode).toBe(409);
  });

  it('one whose terminal does not know how ends when it says so', async () => {
    const { ask, cancel, view, say, connect, commands, terminals, fleet, time } = await wire();
    connect();
    const id = await ask();
    await say(id, 'running');
    await cancel(id);
    const [told] = commands.list({ limit: 1 });
    const result = {
      state: 'rejected',
      reason: 'unknown kind',
      timeMs: time.clock.wallMs(),
    } as const;
    terminals.results('lane-1', { commandId: told?.id ?? '', ...result, detail: {} });
    fleet.drain();
    expect(await view(id)).toMatchObject({ state: 'cancelled' });
  });

  it('one whose terminal is away ends it, and a late answer is refused without harm', async () => {
    const { ask, cancel, view, heard, say, stored } = await wire();
    const id = await ask();
    await say(id, 'running');
    const text = lineOf('all is well');
    heard(chunkOf(id, 0, text));
    expect((await cancel(id)).json()).toMatchObject({ state: 'cancelled' });
    expect(heard(chunkOf(id, text.length, 'late\n'))).toMatch(/^cancelled by/);
    expect(heard(endOf(id, text))).toMatch(/^cancelled by/);
    expect([await view(id), stored(id)]).toMatchObject([{ state: 'cancelled' }, text]);
  });

  it('needs a reason, a request that is there and one that has not ended', async () => {
    const { ask, post, heard } = await wire();
    const id = await ask();
    const at = `/api/v1/logs/${id}/cancel`;
    expect(detailOf(await post(at, {}))).toMatch(/^422 a reason of 3/);
    expect(detailOf(await post('/api/v1/logs/none/cancel', { reason: 'abc' }))).toMatch(/^404/);
    heard(endOf(id, ''));
    expect(detailOf(await post(at, { reason: 'abc' }))).toBe('409 it has ended: complete');
  });
});

describe('a request that expires', () => {
  it('shows until when it waits, never runs, and is written down as expired', async () => {
    const { ask, view, time, commands, sent, connect, audited } = await wire();
    const id = await ask({ expiresMs: 60_000 });
    time.pass(61_000);
    expect(await view(id)).toMatchObject({ state: 'expired', error: /was not there before/ });
    connect();
    commands.terminalReady('lane-1');
    expect(sent).toEqual([]);
    expect(audited('logs.receive')).toMatchObject({ outcome: 'expired', detail: { request: id } });
  });
});

describe('a request of several terminals', () => {
  it('is one for each, with the id of the group, and one entry for the whole', async () => {
    const { post, get, audit } = await wire();
    const selector = { store: 'berlin' };
    const wish = { ...LINES, ...FILTERS, selector };
    const key = { 'idempotency-key': 'press-1' };
    const answer = await post('/api/v1/logs', wish, key);
    const { group, requests } = answer.json<{ group: string; requests: { id: string }[] }>();
    expect([answer.statusCode, requests]).toMatchObject([
      202,
      [
        { terminal: 'lane-1', state: 'waiting', connected: false },
        { terminal: 'lane-2', state: 'waiting', connected: false },
      ],
    ]);
    const listed = (await get(`/api/v1/logs?group=${group}`)).json<{ requests: object[] }>();
    expect(listed.requests).toHaveLength(2);
    const actions = audit.list(20).map(({ action }) => action);
    expect(actions.filter((action) => action === 'logs.group.create')).toHaveLength(1);
    expect(actions.filter((action) => action === 'command.logs.create')).toHaveLength(2);
    expect((await post('/api/v1/logs', wish, key)).json()).toEqual(answer.json());
    expect((await get('/api/v1/logs')).json<{ requests: object[] }>().requests).toHaveLength(2);
  });

  it('refuses nobody, strangers and too many', async () => {
    const { post, fleet } = await wire();
    const ask = (selector: object) => post('/api/v1/logs', { ...LINES, selector });
    expect(detailOf(await ask({}))).toMatch(/^422 selector: say which terminals/);
    expect(detailOf(await ask({ terminals: ['lane-9'] }))).toMatch(/not in this fleet: lane-9/);
    expect(detailOf(await ask({ store: 'rome' }))).toMatch(/no terminal is left/);
    for (let n = 0; n < LOG_TERMINALS_MAX; n += 1) {
      fleet.planner.plan(`extra-${n}`, 'berlin');
    }
    expect(detailOf(await ask({ all: true }))).toMatch(
      /^422 selector: 52 terminals fit, and logs of at most 50 /,
    );
  });
});
