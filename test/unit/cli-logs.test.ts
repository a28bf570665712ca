// `tillwatch logs` and `tillwatch requests`: what is asked, what is shown while it comes in, and how it ends.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Client, LogRequestView } from '../../cli/client.ts';
import type { Context } from '../../cli/context.ts';
import { plainLine, shownLines } from '../../cli/log-lines.ts';
import { plainStyle } from '../../cli/screen.ts';
import { type LogsOptions, runLogs } from '../../cli/verbs/logs.ts';
import { type RequestsAsk, runRequests } from '../../cli/verbs/requests.ts';
import { localStamp, parseSize, parseWhen } from '../../cli/when.ts';
import { formatRecord, type LogRecord } from '../../protocol/log-lines.ts';

const NOW = new Date(2026, 10, 23, 12, 0, 0).getTime();
const ID = '0b3f6f0e-5a8a-4f3c-9a51-0a4a9a3a7f10';
const OTHER = '1c3f6f0e-5a8a-4f3c-9a51-0a4a9a3a7f10';
const RECORD: LogRecord = {
  ...{ timeMs: NOW, guessed: false, level: 'warn', component: 'sale' },
  text: '{"level":"warn","message":"slow","ms":7}',
};
const LINE = formatRecord(RECORD);
const BYTES = LINE.length;

describe('a time', () => {
  it('is how long ago, a time of day or a date, in the local zone', () => {
    const read = (text: string) => parseWhen('--since', text, NOW);
    expect(read('10m')).toEqual({ ok: true, value: NOW - 600_000 });
    expect(read('2d')).toEqual({ ok: true, value: NOW - 172_800_000 });
    expect(read('11:30')).toEqual({ ok: true, value: NOW - 1_800_000 });
    expect(read('12:30:10')).toEqual({ ok: true, value: NOW - 84_590_000 });
    expect(read('2026-11-23 11:59')).toEqual({ ok: true, value: NOW - 60_000 });
    expect(read('2026-11-23')).toEqual({ ok: true, value: NOW - 43_200_000 });
    expect(read('2026-11-23T12:00:00Z')).toEqual({ ok: true, value: Date.UTC(2026, 10, 23, 12) });
    for (const text of ['', 'soon', '10', '25:00', '2026-13-01', '-5m']) {
      expect(read(text).ok, text).toBe(false);
    }
  });
  it('is told with its zone', () => {
    expect(Date.parse(localStamp(NOW + 123))).toBe(NOW + 123);
  });
  it('and sizes are bounded', () => {
    expect(parseSize('--max-bytes', '500k', 1e9)).toEqual({ ok: true, value: 512_000 });
    for (const text of ['0', '', 'x', '5G', '1000M']) {
      expect(parseSize('--max-bytes', text, 64 * 1024 * 1024).ok, text).toBe(false);
    }
  });
});

describe('a record', () => {
  const shown = { style: plainStyle };
  it('is shown with level and text first, and cannot drive the terminal', () => {
    expect(shownLines(RECORD, shown)).toEqual(['12:00:00.000  sale      warn  slow {"ms":7}']);
    const hostile = { ...RECORD, text: 'a\u001b[31mb\u0007\tc', guessed: true, level: undefined };
    expect(shownLines(hostile, shown)).toEqual(['12:00:00.000~ sale            a [31mb \tc']);
  });
  it('goes on below itself for a person, and stays on one line for a program', () => {
    const stack = { ...RECORD, text: 'Error: timeout\n    at ask (printer.js:4)' };
    expect(shownLines(stack, shown)).toEqual([
      '12:00:00.000  sale      warn  Error: timeout',
      '          at ask (printer.js:4)',
    ]);
    expect(plainLine(stack, shown)).toBe(
      `${localStamp(NOW)} sale warn Error: timeout\\n    at ask (printer.js:4)`,
    );
  });
  it('stands in the time of the store, behind its terminal where there are several', () => {
    const there = { style: plainStyle, zone: 'Asia/Tokyo', terminal: 'lane-1' };
    const noon = { ...RECORD, timeMs: Date.UTC(2026, 10, 23, 12), text: 'x' };
    expect(plainLine(noon, there)).toBe('2026-11-23T21:00:00.000+09:00 lane-1 sale warn x');
    expect(shownLines(noon, there)).toEqual(['21:00:00.000  lane-1 sale      warn  x']);
  });
});

const view = (change: Partial<LogRequestView> = {}): LogRequestView => ({
  ...{ id: ID, terminal: 'lane-1', state: 'running', connected: true, bytes: 0, lines: 0 },
  ...{ error: '', bytesMax: 5e6, expiresMs: NOW, redactions: 0, truncated: false, fromMs: NOW },
  ...change,
});

type World = { out: string[]; notes: string[]; asked: string[]; shown: string[] };

/** Answers with views in order; the last is repeated. */
function worldOf(views: readonly LogRequestView[], text: string, created: unknown, json: boolean) {
  const world: World = { out: [], notes: [], asked: [], shown: [] };
  let now = NOW;
  let turn = 0;
  const next = (value: unknown) => Promise.resolve({ ok: true as const, value: value as never });
  const client: Client = {
    url: 'http://broker',
    get: (path) => {
      if (path.startsWith('/api/v1/terminals?')) return next({ terminals: [] });
      if (path.startsWith('/api/v1/terminals/')) return next({ timeZone: 'UTC' });
      if (path.startsWith('/api/v1/logs?')) return next({ requests: views });
      turn += 1;
      return next(views[Math.min(turn, views.length) - 1]);
    },
    post: (path, body) => {
      world.asked.push(`${path} ${JSON.stringify(body)}`);
      return next(created);
    },
    remove: () => next({}),
    bytes: (path) =>
      next(Buffer.from(text).subarray(Number(path.split('offset=')[1]), views[turn - 1]?.bytes)),
  };
  const context: Context = {
    ...{ client, json, style: plainStyle, nowMs: () => now, print: (line) => world.out.push(line) },
    sleep: (ms) => {
      now += ms;
      return Promise.resolve();
    },
  };
  return { world, context };
}

async function run(
  views: readonly LogRequestView[],
  text = '',
  change: Partial<LogsOptions> & { terminals?: readonly string[] } = {},
  json = false,
  created: unknown = { id: ID },
) {
  const { world, context } = worldOf(views, text, created, json);
  const { terminals = ['lane-1'], ...options } = change;
  const outcome = await runLogs(context, terminals, {
    ...{ components: ['sale'], since: '10m', reason: 'receipts', wait: true, isShown: false },
    ...{ note: (line) => world.notes.push(line), progress: (line) => world.shown.push(line) },
    ...options,
  });
  return { outcome, ...world };
}
const whole = (change: Partial<LogRequestView> = {}) =>
  view({ bytes: BYTES, state: 'complete', lines: 1, ...change });

describe('the verb', () => {
  it('asks for the window, prints records as they arrive and ends well', async () => {
    const half = view({ bytes: BYTES });
    const all = whole({ bytes: 2 * BYTES, lines: 2 });
    const { outcome, out, asked } = await run([view(), half, half, all], LINE + LINE);
    expect(outcome).toEqual({ exit: 0 });
    expect(out).toHaveLength(2);
    expect(asked).toEqual([
      `/api/v1/terminals/lane-1/logs {"components":["sale"],"bytesMax":5242880,` +
        `"reason":"receipts","sinceMs":${NOW - 600_000},"untilMs":${NOW}}`,
    ]);
  });

  it('says what is looked for, and --last means the newest of all', async () => {
    const ask = { since: undefined, last: '20', level: 'warn', pattern: 'a+', context: '2' };
    const { asked } = await run([whole()], LINE, { ...ask, searchFor: '5m' });
    expect(JSON.parse(asked[0]?.replace(/^\S+ /, '') ?? '')).toMatchObject({
      ...{ sinceMs: 0, last: 20, level: 'warn', pattern: 'a+', context: 2, searchMs: 300_000 },
    });
  });

  it('shows the day and its zone once and a summary to a person', async () => {
    const all = whole({ bytes: 2 * BYTES, lines: 2, redactions: 1 });
    const { out, notes } = await run([all], LINE + LINE, { isShown: true });
    expect(out).toEqual([
      expect.stringMatching(/^2026-11-2\d UTC \(UTC\+00:00\)$/),
      expect.stringContaining('slow'),
      expect.stringContaining('slow'),
    ]);
    expect(notes).toEqual([expect.stringMatching(/^2 records, 0\.1 kB, 1 value masked$/)]);
  });

  it('prints one object with --json', async () => {
    const { out } = await run([whole()], LINE, {}, true);
    expect(JSON.parse(out.join('\n'))).toMatchObject({ id: ID, records: [RECORD] });
  });

  it('tells how far the search is, that a terminal is not there, and what to do', async () => {
    const searching = view({ searchedBytes: 1e6, searchBytes: 5e6 });
    expect((await run([searching, whole()], LINE)).shown).toContain(
      'lane-1: searching, 1.0 MB of 5.0 MB; 0 records, 0.0 kB',
    );
    const waiting = view({ state: 'waiting', connected: false });
    const many = Array.from({ length: 40 }, () => waiting);
    const { notes } = await run([...many, view({ state: 'complete' })]);
    expect(notes).toEqual([expect.stringContaining(`--request ${ID}`)]);
  });

  it('says what is missing, and why', async () => {
    const notesOf = async (change: Partial<LogRequestView>) =>
      (await run([view({ state: 'complete', ...change })])).notes.join();
    expect(await notesOf({ truncated: true, cutBy: 'bytes' })).toContain('--max-bytes');
    expect(await notesOf({ truncated: true, cutBy: 'time' })).toContain('--search-for');
    expect(await notesOf({ dropped: 3 })).toContain('3 records did not fit');
    expect(await notesOf({ missed: 1 })).toContain('tell your security');
  });

  it('fails with the reason', async () => {
    const failed = view({ state: 'failed', error: 'the output of sale was cut' });
    expect((await run([failed])).outcome).toEqual({
      exit: 1,
      sentence: 'the request for logs of lane-1 failed: the output of sale was cut',
    });
  });

  it('asks several terminals in one request and says which line is of which', async () => {
    const created = { requests: [ID, OTHER].map((id, at) => ({ id, terminal: `lane-${at}` })) };
    const some = { terminals: [], selector: { store: 'mitte' } };
    const all = whole();
    const { asked, out } = await run([all, all], LINE, some, false, created);
    expect(asked[0]).toContain('/api/v1/logs {"selector":{"store":"mitte"}');
    expect(out.map((line) => line.split(' ')[1])).toEqual(['lane-0', 'lane-1']);
    const folder = mkdtempSync(join(tmpdir(), 'tw-cli-logs-'));
    await run([all, all], LINE, { ...some, output: join(folder, 'x') }, false, created);
    expect(readFileSync(join(folder, 'x', 'lane-0.log'), 'utf8')).toBe(LINE);
    rmSync(folder, { recursive: true });
  });

  it('follows until whoever watches has seen enough, and ends the tail at the terminal', async () => {
    const enough = new AbortController();
    enough.abort();
    const follow = { since: undefined, follow: true, lasts: '5m', raise: 'debug' };
    const ended = view({ what: 'tail', state: 'cancelled', bytes: BYTES });
    const watched = await run([view(), ended], LINE, { ...follow, enough: enough.signal });
    expect(watched.outcome).toEqual({ exit: 0 });
    expect(watched.asked).toEqual([
      expect.stringMatching(/lane-1\/tail .*"forMs":300000,"raise":"debug"/),
      expect.stringContaining(`/api/v1/logs/${ID}/cancel {"reason":`),
    ]);
    expect(watched.out).toHaveLength(1);
  });

  it('refuses what makes no sense before it asks', async () => {
    for (const change of [
      ...[{ since: 'soon' }, { since: '1m', until: '5m' }, { components: ['No Such'] }],
      ...[{ maxBytes: '9G' }, { reason: '' }, { request: 'x' }, { output: '/nowhere/at/all' }],
      ...[{ level: 'loud' }, { last: '0' }, { last: 'x' }, { context: '-1' }, { grep: '' }],
      ...[{ grep: 'a', pattern: 'b' }, { searchFor: '9h' }, { terminals: [] }],
      ...[
        { follow: true, since: '5m' },
        { follow: true, since: undefined, lasts: '9d' },
      ],
      ...[{ selector: { store: 'x' } }, { terminals: ['a', 'b'], since: undefined, follow: true }],
    ]) {
      const { outcome, asked } = await run([view({ state: 'complete' })], '', change);
      expect(outcome.exit, JSON.stringify(change)).toBe(64);
      if (!('output' in change)) expect(asked).toEqual([]);
    }
  });

  it('leaves at once with --no-wait, and shows an earlier request with --request', async () => {
    expect((await run([], '', { wait: false })).out).toEqual([ID]);
    const again = await run([whole()], LINE, { request: ID });
    expect(again.asked).toEqual([]);
    expect(again.out).toHaveLength(1);
  });
});

describe('requests', () => {
  async function requests(views: readonly LogRequestView[], change: Partial<RequestsAsk> = {}) {
    const { world, context } = worldOf(views, '', {}, false);
    const ask = { limit: '20', cancel: false, reason: '', ...change };
    return { outcome: await runRequests(context, ask), ...world };
  }
  const waiting = view({ state: 'waiting', connected: false, operator: 'kim', createdMs: NOW });
  it('are listed with how far they are and until when a terminal is waited for', async () => {
    const { out } = await requests([waiting, whole({ createdMs: NOW - 60_000 })]);
    expect(out[1]).toContain('lane-1    logs  waiting   now       terminal is away; until 12:00');
    expect(out[2]).toContain('complete  60 s ago  1 record, 0.1 kB');
    expect((await requests([])).out).toEqual(['no such request']);
  });
  it('are found by the first characters of their id, and ended', async () => {
    const ended = await requests([waiting], { id: '0b3f', cancel: true, reason: 'found it' });
    expect(ended.asked).toEqual([`/api/v1/logs/${ID}/cancel {"reason":"found it"}`]);
    expect(ended.out[0]).toContain(ID);
    expect((await requests([waiting, waiting], { id: '0b3f' })).outcome.exit).toBe(1);
  });
  it('that make no sense are refused', async () => {
    for (const change of [
      ...[{ state: 'gone' }, { what: 'x' }, { limit: '0' }, { terminal: 'A B' }, { id: 'zz' }],
      { id: ID, cancel: true },
    ]) {
      expect((await requests([], change)).outcome.exit, JSON.stringify(change)).toBe(64);
    }
  });
});
