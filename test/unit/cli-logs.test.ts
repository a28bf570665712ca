// `tillwatch logs`: what is asked, what is shown while it comes in, and how it ends.

import { describe, expect, it } from 'vitest';
import type { Client, LogRequestView } from '../../cli/client.ts';
import type { Context } from '../../cli/context.ts';
import { createLines, parseLine, plainLine, shownLine } from '../../cli/log-lines.ts';
import { plainStyle } from '../../cli/screen.ts';
import { type LogsOptions, runLogs } from '../../cli/verbs/logs.ts';
import { localStamp, parseSize, parseWhen } from '../../cli/when.ts';

const NOW = new Date(2026, 10, 23, 12, 0, 0).getTime();
const ID = '0b3f6f0e-5a8a-4f3c-9a51-0a4a9a3a7f10';
const LINE = `${new Date(NOW).toISOString()} [sale] {"level":"warn","message":"slow","ms":7}`;

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

describe('a line', () => {
  it('is shown with level and text first, and cannot drive the terminal', () => {
    const line = parseLine(LINE);
    if (line === undefined) throw new Error('unreadable');
    expect(shownLine(line, plainStyle)).toBe('12:00:00.000  sale      warn  slow {"ms":7}');
    expect(plainLine(line)).toBe(
      `${localStamp(NOW)} sale {"level":"warn","message":"slow","ms":7}`,
    );
    const hostile = { ...line, text: 'a\u001b[31mb\u0007\tc', guessed: true };
    expect(shownLine(hostile, plainStyle)).toBe('12:00:00.000~ sale            a [31mb \tc');
    expect(parseLine('nonsense')).toBeUndefined();
  });
  it('comes whole out of pieces cut anywhere, also within a letter', () => {
    const bytes = Buffer.from('größer\nzweite\nrest');
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const lines = createLines();
      const whole = [...lines.push(bytes.subarray(0, cut)), ...lines.push(bytes.subarray(cut))];
      expect([...whole, lines.rest()]).toEqual(['größer', 'zweite', 'rest']);
    }
  });
});

const view = (change: Partial<LogRequestView> = {}): LogRequestView => ({
  ...{ id: ID, terminal: 'lane-1', state: 'running', connected: true, bytes: 0, lines: 0 },
  ...{ error: '', bytesMax: 5e6, expiresMs: NOW, redactions: 0, truncated: false, fromMs: NOW },
  ...change,
});

/** Runs the verb against answers in order; the last is repeated. */
async function run(
  views: readonly LogRequestView[],
  text = '',
  change: Partial<LogsOptions> = {},
  json = false,
) {
  const out: string[] = [];
  const notes: string[] = [];
  const asked: string[] = [];
  let now = NOW;
  let turn = 0;
  const next = (value: unknown) => Promise.resolve({ ok: true as const, value: value as never });
  const client: Client = {
    url: 'http://broker',
    get: () => {
      turn += 1;
      return next(views[Math.min(turn, views.length) - 1]);
    },
    post: (path, body) => {
      asked.push(`${path} ${JSON.stringify(body)}`);
      return next({ id: ID });
    },
    remove: () => next({}),
    bytes: (path) =>
      next(Buffer.from(text).subarray(Number(path.split('offset=')[1]), views[turn - 1]?.bytes)),
  };
  const context: Context = {
    ...{ client, json, style: plainStyle, nowMs: () => now, print: (line) => out.push(line) },
    sleep: (ms) => {
      now += ms;
      return Promise.resolve();
    },
  };
  const outcome = await runLogs(context, 'lane-1', {
    ...{
      components: ['sale'],
      since: '10m',
      until: undefined,
      maxBytes: undefined,
      output: undefined,
    },
    ...{ reason: 'receipts', request: undefined, wait: true, isShown: false },
    ...{ note: (line) => notes.push(line), progress: () => {}, ...change },
  });
  return { outcome, out, notes, asked };
}

describe('the verb', () => {
  it('asks for the window, prints lines as they arrive and ends well', async () => {
    const text = `${LINE}\n${LINE}\n`;
    const half = view({ bytes: LINE.length + 1 });
    const all = view({ bytes: text.length, state: 'complete', lines: 2 });
    const { outcome, out, asked } = await run([view(), half, half, all], text);
    expect(outcome).toEqual({ exit: 0 });
    expect(out).toHaveLength(2);
    expect(asked).toEqual([
      `/api/v1/terminals/lane-1/logs {"components":["sale"],"sinceMs":${NOW - 600_000},` +
        `"untilMs":${NOW},"bytesMax":5242880,"reason":"receipts"}`,
    ]);
  });

  it('shows the day once and a summary to a person', async () => {
    const text = `${LINE}\n${LINE}\n`;
    const all = view({ bytes: text.length, state: 'complete', lines: 2, redactions: 1 });
    const { out, notes } = await run([all], text, { isShown: true });
    expect(out).toEqual([
      '2026-11-23',
      expect.stringContaining('slow'),
      expect.stringContaining('slow'),
    ]);
    expect(notes).toEqual([expect.stringMatching(/^2 lines, 0\.1 kB, 1 value masked$/)]);
  });

  it('prints one object with --json', async () => {
    const all = view({ bytes: LINE.length + 1, state: 'complete', lines: 1 });
    const { out } = await run([all], `${LINE}\n`, {}, true);
    expect(JSON.parse(out.join('\n'))).toMatchObject({
      id: ID,
      lines: [{ component: 'sale', timeMs: NOW }],
    });
  });

  it('says that a terminal is not there, once, and what to do', async () => {
    const waiting = view({ state: 'waiting', connected: false });
    const many = Array.from({ length: 40 }, () => waiting);
    const { notes } = await run([...many, view({ state: 'complete' })]);
    expect(notes).toEqual([expect.stringContaining(`--request ${ID}`)]);
  });

  it('says when the oldest lines are missing', async () => {
    const { notes } = await run([view({ state: 'complete', truncated: true })]);
    expect(notes[0]).toContain(`lines before ${localStamp(NOW)}`);
  });

  it('fails with the reason', async () => {
    const failed = view({ state: 'failed', error: 'the output of sale was cut' });
    expect((await run([failed])).outcome).toEqual({
      exit: 1,
      sentence: 'the request for logs failed: the output of sale was cut',
    });
  });

  it('refuses what makes no sense before it asks', async () => {
    for (const change of [
      { since: 'soon' },
      { since: '1m', until: '5m' },
      { components: ['No Such'] },
      { maxBytes: '9G' },
      { reason: '' },
      { request: 'x' },
      { output: '/nowhere/at/all' },
    ]) {
      const { outcome, asked } = await run([view({ state: 'complete' })], '', change);
      expect(outcome.exit, JSON.stringify(change)).toBe(64);
      if (!('output' in change)) expect(asked).toEqual([]);
    }
  });

  it('leaves at once with --no-wait, and shows an earlier request with --request', async () => {
    expect((await run([], '', { wait: false })).out).toEqual([ID]);
    const all = view({ bytes: LINE.length + 1, state: 'complete', lines: 1 });
    const again = await run([all], `${LINE}\n`, { request: ID });
    expect(again.asked).toEqual([]);
    expect(again.out).toHaveLength(1);
  });
});
