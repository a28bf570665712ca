// The journal finds a window of time in files of any shape and hands its lines out in order.

import {
  appendFileSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  componentSource,
  findSegments,
  openMerge,
  rotatedSource,
  type Segment,
} from '../../agent/logs/journal.ts';
import { LINE_BYTES_MAX, safeCut } from '../../agent/logs/lines.ts';
import { timeOfLine } from '../../agent/logs/times.ts';
import { trimFile } from '../../agent/system/journal-files.ts';

const NOON = Date.UTC(2026, 10, 23, 12);
const MINUTE = 60_000;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tw-journal-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(component: string, name: string, lines: readonly string[], end = '\n'): string {
  const path = join(folder, component, `${name}.log`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, lines.join('\n') + end);
  return path;
}
const at = (ms: number, text: string): string =>
  JSON.stringify({ level: 'info', message: text, timestamp: new Date(ms).toISOString() });

function read(segments: readonly Segment[]): { component: string; timeMs: number; text: string }[] {
  const merge = openMerge(segments);
  if (!merge.ok) throw new Error(merge.reason);
  const lines = [];
  for (let line = merge.value.next(); line !== undefined; line = merge.value.next())
    lines.push(line);
  merge.value.close();
  return lines;
}
const textsOf = (component: string, sinceMs: number, untilMs: number): string[] =>
  read(findSegments([componentSource(folder, component)], { sinceMs, untilMs })).map(
    ({ text }) => text,
  );

describe('the time of a line', () => {
  it.each([
    ['winston', '{"level":"info","message":"x","timestamp":"2026-11-23T12:00:00.000Z"}'],
    ['pino', `{"level":30,"time":${NOON},"msg":"x"}`],
    ['seconds', `{"ts":${NOON / 1000},"msg":"x"}`],
    ['nanoseconds', `{"ts":"${NOON}000000","msg":"x"}`],
    [
      'broken JSON',
      '{"message":"\\"timestamp\\":\\"1999\\"","timestamp":"2026-11-23T12:00:00.000Z"',
    ],
    ['an offset', '2026-11-23T13:00:00.000+0100 INFO x'],
    ['brackets', '[2026-11-23T12:00:00Z] x'],
    ['microseconds', '2026-11-23 12:00:00.000123Z x'],
    ['logfmt', 'level=info ts=2026-11-23T12:00:00Z msg=x'],
  ])('is read from %s', (_name, line) => {
    expect(timeOfLine(line)).toBe(NOON);
  });
  it('without a zone is the terminal’s own', () => {
    expect(timeOfLine('2026-11-23 12:00:00,250 INFO x')).toBe(
      new Date(2026, 10, 23, 12, 0, 0, 250).getTime(),
    );
  });
  it('is not made up', () => {
    for (const line of [
      '    at pay (/opt/pay.js:1:2)',
      '',
      '{"time":12}',
      '{"a":1',
      '9999-99-99T99:99:99Z',
      'null',
    ]) {
      expect(timeOfLine(line), line).toBeUndefined();
    }
  });
});

describe('a window', () => {
  it('holds the lines from its first to its last moment, of all lives, in order', () => {
    write('sale', 'b', [at(NOON + 1, 'b1'), at(NOON + 3, 'b3'), at(NOON + 9, 'b9')]);
    write('sale', 'a', [at(NOON, 'a0'), at(NOON + 2, 'a2'), at(NOON + 3, 'a3')]);
    const texts = textsOf('sale', NOON + 1, NOON + 3).map((text) => JSON.parse(text).message);
    expect(texts).toEqual(['b1', 'a2', 'a3', 'b3']);
  });

  it('keeps lines without a time with the one before, also at its edges', () => {
    write('sale', 'a', ['banner', at(NOON, 'boom'), '  at x', at(NOON + 5, 'later'), '  at y']);
    expect(textsOf('sale', NOON, NOON + 4)).toEqual(['banner', at(NOON, 'boom'), '  at x']);
    expect(textsOf('sale', NOON + 1, NOON + 9)).toEqual([at(NOON + 5, 'later'), '  at y']);
  });

  it('is found in a large file to the line, wherever it is', () => {
    const lines = Array.from({ length: 40_000 }, (_, n) =>
      at(NOON + n * 10, `line ${n} ${'x'.repeat(n % 90)}`),
    );
    write('sale', 'a', lines);
    for (const [from, to] of [
      [0, 3],
      [1, 1],
      [777, 999],
      [20_000, 20_001],
      [39_990, 39_999],
    ] as const) {
      expect(textsOf('sale', NOON + from * 10, NOON + to * 10)).toEqual(lines.slice(from, to + 1));
    }
    expect(textsOf('sale', NOON - MINUTE, NOON - 1)).toEqual([]);
    expect(textsOf('sale', NOON + 400_001, NOON + 500_000)).toEqual([]);
  });

  it('of a file without any time is guessed from the file’s own, and says so', () => {
    const path = write(
      'plain',
      'a',
      Array.from({ length: 1_000 }, (_, n) => `line ${n}`),
    );
    const end = new Date(Date.now() + 1_000_000);
    utimesSync(path, end, end);
    const window = { sinceMs: end.getTime() - 100_000, untilMs: end.getTime() };
    const found = read(findSegments([componentSource(folder, 'plain')], window));
    expect(found.at(-1)).toMatchObject({ text: 'line 999', guessed: true });
    expect(found.length).toBeGreaterThan(50);
    expect(found.length).toBeLessThan(200);
  });

  it('of a component that never ran is empty', () => {
    expect(textsOf('nobody', 0, NOON * 2)).toEqual([]);
  });
});

describe('a line', () => {
  it('that is too long is cut, says so, and never within digits', () => {
    write('sale', 'a', [
      `${'x'.repeat(LINE_BYTES_MAX - 8)}4111111111111111${'y'.repeat(100_000)}`,
      'next',
    ]);
    const texts = textsOf('sale', 0, NOON * 2);
    expect(texts).toHaveLength(2);
    expect(texts[0]).toMatch(/x \[100016 bytes cut\]$/);
    expect(texts[0]).not.toContain('4');
    expect(texts[1]).toBe('next');
    expect(safeCut(`${'x'.repeat(95)}4111 1111`, 100)).toBe(95);
  });

  it('that has no end yet does not show the first half of a number', () => {
    write('sale', 'a', [at(NOON, 'one'), 'paid by 4111 1111 11'], '');
    expect(textsOf('sale', NOON, NOON)).toEqual([at(NOON, 'one'), 'paid by [cut]']);
  });
});

describe('a plan', () => {
  it('reads the same after the file has grown and was renamed', () => {
    const path = write('agent', 'agent', [at(NOON, 'one'), at(NOON + 1, 'two')]);
    const window = { sinceMs: NOON, untilMs: NOON + MINUTE };
    const segments = findSegments([rotatedSource('agent', path)], window);
    appendFileSync(path, `${at(NOON + 2, 'three')}\n`);
    renameSync(path, path.replace('agent.log', 'agent1.log'));
    write('agent', 'agent', [at(NOON + 3, 'four')]);
    expect(read(segments).map(({ text }) => text)).toEqual([at(NOON, 'one'), at(NOON + 1, 'two')]);
    const now = findSegments([rotatedSource('agent', path)], window);
    expect(read(now)).toHaveLength(4);
  });

  it('whose file was cut or removed says so', () => {
    const path = write('sale', 'a', [at(NOON, 'one'), at(NOON + 1, 'two')]);
    const window = { sinceMs: NOON, untilMs: NOON + MINUTE };
    const segments = findSegments([componentSource(folder, 'sale')], window);
    truncateSync(path, 3);
    expect(openMerge(segments)).toMatchObject({
      ok: false,
      reason: expect.stringContaining('cut'),
    });
    rmSync(path);
    expect(openMerge(segments)).toMatchObject({
      ok: false,
      reason: expect.stringContaining('removed'),
    });
  });
});

describe('a file that is over its bound', () => {
  it('is emptied under its writer, and its newest whole lines are kept and read on', async () => {
    const lines = Array.from({ length: 1_000 }, (_, n) => at(NOON + n, `line ${n}`));
    const path = write('sale', 'a', lines);
    const writer = openSync(path, 'a');
    const kept = path.replace('a.log', 'a-1.log');
    const { size } = statSync(path);
    const cut = await trimFile(path, kept, 10_000);
    expect(cut).toEqual({ ok: true, value: size - statSync(kept).size });
    writeSync(writer, `${at(NOON + 1_000, 'line 1000')}\n`);
    closeSync(writer);
    const texts = textsOf('sale', NOON, NOON + MINUTE);
    expect(texts.slice(-2)).toEqual([at(NOON + 999, 'line 999'), at(NOON + 1_000, 'line 1000')]);
    expect(texts.length).toBeGreaterThan(100);
    expect(lines.slice(1_001 - texts.length)).toEqual(texts.slice(0, -1));
  });

  it('is emptied also when there is no room for what should be kept', async () => {
    const path = write('sale', 'a', ['one', 'two']);
    expect((await trimFile(path, '/nowhere/at/all', 100)).ok).toBe(true);
    expect(textsOf('sale', 0, NOON * 2)).toEqual([]);
    expect((await trimFile('/nowhere/at/all', path, 100)).ok).toBe(false);
  });
});
