// What answers a request: the right records, the newest of them, in order and each once, and the same bytes whatever
// process makes them.

import { describe, expect, it } from 'vitest';
import { openReader } from '../../agent/logs/journal/reader.ts';
import type { BlockRef, JournalReader, JournalRecord } from '../../agent/logs/journal/types.ts';
import { lineBytesOf, linesWith } from '../../agent/logs/pull/lines.ts';
import type { Wish } from '../../agent/logs/pull/plan.ts';
import { createSplitter, formatRecord, isAtLeast } from '../../protocol/log-lines.ts';
import { blocksOf, jobOf, journalOf, NOON, recordOf, wishOf, work } from './pull-rig.ts';
import { seeded } from './redact-corpus.ts';

const CARD = '4111111111111111';
const linesOf = (text: string): string[] => text.split('\n').slice(0, -1);
const ask = (path: string, change: Partial<Wish> = {}, more: object = {}) =>
  work(jobOf(path, { wish: wishOf(change), ...more }));

describe('a record as a line', () => {
  it('is what the protocol says, byte for byte', () => {
    const lines = linesWith(5_000);
    const odd: Partial<JournalRecord>[] = [
      {},
      { timeMs: NOON + 7 },
      { timeMs: NOON + 999.6, guessed: true },
      { timeMs: NOON - 1, level: 'warn', text: 'ä\n  at x\n\n' },
      { timeMs: 0, level: 'debug', text: '' },
    ];
    for (const change of odd) {
      const record = recordOf('text', change);
      const { timeMs, guessed, level, text } = record;
      const said = { timeMs: timeMs + 5_000, guessed, level, component: 'sale', text };
      expect(lines('sale', record)).toBe(formatRecord(said));
      expect(lineBytesOf('sale', record)).toBe(Buffer.byteLength(formatRecord(said)));
    }
  });
});

describe('an answer', () => {
  it('holds the records of a window, of several components merged by time', async () => {
    const sync = recordOf('between', { timeMs: NOON + 1_500, level: 'warn' });
    const path = await journalOf([...blocksOf('sale', 200, (n) => `line ${n}`), ['sync', [sync]]]);
    const { text, end } = await ask(path, {
      components: ['sale', 'sync'],
      sinceMs: NOON + 1_000,
      untilMs: NOON + 3_000,
    });
    expect(linesOf(text)).toEqual([
      '2026-11-23T12:00:01.000Z I [sale] line 1',
      '2026-11-23T12:00:01.500Z W [sync] between',
      '2026-11-23T12:00:02.000Z I [sale] line 2',
      '2026-11-23T12:00:03.000Z I [sale] line 3',
    ]);
    expect(end?.totals).toMatchObject({ records: 4, truncated: false, cutBy: '' });
  });

  it.each([
    ['a level and worse', { level: 'error' }, [0, 10, 20]],
    ['a text, whatever its case', { text: 'NUMBER 7.' }, [7]],
    ['a pattern', { pattern: 'number 1[0-2]\\.$' }, [10, 11, 12]],
    [
      'records around, each once',
      { pattern: 'number (4|6)\\.', context: 2 },
      [2, 3, 4, 5, 6, 7, 8],
    ],
    ['the last few', { last: 2 }, [23, 24]],
    ['the last few that fit', { level: 'error', last: 2 }, [10, 20]],
    ['the last few with those around', { level: 'error', last: 1, context: 1 }, [19, 20, 21]],
  ] as const)('of %s', async (_name, change, expected) => {
    const path = await journalOf(blocksOf('sale', 25, (n) => `number ${n}.`, 7));
    const { text } = await ask(path, change as Partial<Wish>);
    expect(linesOf(text).map((line) => Number(/number (\d+)/.exec(line)?.[1]))).toEqual(expected);
  });

  it('of the last few reads no more than it needs', async () => {
    const path = await journalOf(blocksOf('sale', 1_000, (n) => `needle ${n}`, 20));
    const { plan, end } = await ask(path, { text: 'needle', last: 5 });
    expect(end?.totals).toMatchObject({ records: 5, truncated: true, cutBy: 'lines' });
    expect(plan?.searchedBytes).toBeLessThan((plan?.searchBytes ?? 0) / 10);
  });

  it('of the last few looks on while another component may have newer ones', async () => {
    const at = (second: number) => recordOf(`s${second}`, { timeMs: NOON + second * 1_000 });
    const seconds = (from: number, to: number) =>
      Array.from({ length: to - from + 1 }, (_, n) => at(from + n));
    const path = await journalOf([
      ['sync', seconds(100, 109)],
      // The newest of all, and with it some that are old.
      ['sale', [...seconds(0, 8), at(110)]],
    ]);
    const { text } = await ask(path, { components: ['sale', 'sync'], last: 4 });
    expect(linesOf(text).map((line) => line.split(' ').at(-1))).toEqual([
      's107',
      's108',
      's109',
      's110',
    ]);
  });

  it('keeps the newest when it would be larger than asked for, and says from when on', async () => {
    const path = await journalOf(blocksOf('sale', 1_000));
    const { text, end, chunks } = await ask(path, { bytesMax: 10_000 });
    expect(text.length).toBeLessThanOrEqual(10_000);
    expect(text.length).toBeGreaterThan(9_000);
    const lines = linesOf(text);
    expect(lines.at(-1)).toContain('line 999 ');
    const fromMs = Date.parse(lines[0]?.slice(0, 24) ?? '');
    expect(end?.totals).toMatchObject({ truncated: true, cutBy: 'bytes', fromMs });
    expect(chunks.at(-1)).toMatchObject({ last: true, truncated: true, cutBy: 'bytes', fromMs });
  });

  it('is the same from any byte on, and with its plan by any process', async () => {
    const path = await journalOf([...blocksOf('sale', 6_000), ...blocksOf('sync', 300)]);
    const wish = wishOf({ components: ['sale', 'sync'], bytesMax: 300_000 });
    const whole = await work(jobOf(path, { wish }));
    expect(whole.chunks.length).toBeGreaterThan(1);
    const random = seeded(3);
    for (let turn = 0; turn < 6; turn += 1) {
      const fromByte = Math.floor(random() * (whole.text.length + 2));
      const again = await work(jobOf(path, { wish, plan: whole.plan, fromByte }));
      expect(again.text, `from ${fromByte}`).toBe(whole.text.slice(fromByte));
      expect(again.end?.sha256).toBe(whole.end?.sha256);
      expect(again.chunks[0]?.offset).toBe(Math.min(fromByte, whole.text.length));
    }
  });

  it('keeps a record of several lines together', async () => {
    const path = await journalOf([
      ['sale', [recordOf('it broke\n  at a\n  at b'), recordOf('on')]],
    ]);
    const { text } = await ask(path);
    const splitter = createSplitter();
    const records = [...splitter.push(Buffer.from(text)), ...splitter.end()];
    expect(records.map(({ lines }) => lines.split('\n').length)).toEqual([3, 1]);
  });

  it('of nothing is complete and empty', async () => {
    const { text, chunks, end } = await ask(await journalOf([]));
    expect(text).toBe('');
    expect(chunks).toMatchObject([{ last: true, lines: 0, truncated: false }]);
    expect(end?.totals.bytes).toBe(0);
  });

  it('finds what an independent look finds, whatever clocks did', async () => {
    const random = seeded(11);
    for (let turn = 0; turn < 25; turn += 1) {
      const levels = ['error', 'warn', 'info', undefined] as const;
      const records = Array.from({ length: 120 }, (_, n) => {
        const jump = random() < 0.05 ? -random() * 500_000 : 0;
        return recordOf(`n${n} ${Math.floor(random() * 10)}`, {
          timeMs: Math.round(NOON + n * 1_000 + jump),
          level: levels[Math.floor(random() * 4)],
        });
      });
      const blocks = Array.from({ length: 12 }, (_, at) => {
        return ['sale', records.slice(at * 10, at * 10 + 10)] as const;
      });
      const path = await journalOf(blocks);
      const [digit, last] = [String(turn % 10), 1 + Math.floor(random() * 40)];
      const { text } = await ask(path, { text: ` ${digit}`, level: 'warn', sinceMs: 0 });
      const fits = records.filter(
        (one) => one.text.endsWith(digit) && isAtLeast(one.level, 'warn'),
      );
      expect(linesOf(text).map((line) => line.split(' ')[3])).toEqual(
        fits.map((one) => one.text.split(' ')[0]),
      );
      const some = await ask(path, { sinceMs: 0, last });
      expect(linesOf(some.text)).toHaveLength(last);
    }
  });
});

describe('what is not there', () => {
  it('because it was rotated away is said, with the moment from which on it is complete', async () => {
    const path = await journalOf(blocksOf('sale', 100));
    const real = openReader(path);
    const rotated: JournalReader = {
      ...real,
      blocks: function* (component, window): Iterable<BlockRef> {
        for (const block of real.blocks(component, window)) {
          if (block.firstMs > NOON) yield { ...block, segment: 3 };
        }
      },
      read: (block) => real.read({ ...block, segment: 1 }),
      components: () => ['sale'],
      missed: () => ({ gone: 0, damaged: 0 }),
      close: () => real.close(),
    };
    const { end, text } = await work(jobOf(path, { wish: wishOf() }), rotated);
    expect(linesOf(text)).toHaveLength(50);
    expect(end?.totals).toMatchObject({ truncated: true, fromMs: NOON + 50_000 });
    const before = jobOf(path, { wish: wishOf({ untilMs: NOON + 10_000 }) });
    const none = await work(before, rotated);
    expect(none.end?.totals).toMatchObject({ bytes: 0, truncated: true, fromMs: NOON + 50_000 });
  });

  it('because the time was over is said, and the newest were looked at first', async () => {
    const path = await journalOf(blocksOf('sale', 500, (n) => `needle ${n}`));
    let now = 0;
    const slow = () => (now += 100);
    const wish = wishOf({ text: 'needle', searchMs: 1_000 });
    const { end, text } = await work(jobOf(path, { wish }), undefined, slow);
    expect(end?.totals).toMatchObject({ truncated: true, cutBy: 'time' });
    expect(linesOf(text).at(-1)).toContain('needle 499');
    expect(linesOf(text).length).toBeLessThan(500);
    expect(end?.totals.fromMs).toBeGreaterThan(NOON);
  });

  it('because it went meanwhile ends the answer with a sentence', async () => {
    const path = await journalOf(blocksOf('sale', 200));
    const { plan } = await ask(path);
    const other = await journalOf(blocksOf('sale', 100));
    const { reason } = await ask(other, {}, { plan });
    expect(reason).toContain('ask again');
  });

  it('because no pattern can be made of it is said', async () => {
    const { reason } = await ask(await journalOf([]), { pattern: '(a' });
    expect(reason).toMatch(/^this is no pattern: .*\(a/);
  });
});

describe('the way out', () => {
  it('takes out what the way in had missed, and tells how much', async () => {
    const path = await journalOf([['sale', [recordOf(`paid by ${CARD}`)]]]);
    const { text, end, chunks } = await ask(path);
    expect(text).toContain('[PAN visa ....1111]');
    expect(end).toMatchObject({ totals: { redactions: 1, missed: 1 }, missed: { pan: 1 } });
    expect(chunks.at(-1)).toMatchObject({ missed: 1, redactions: 1 });
  });

  it('does not call missed what an earlier redactor did not know', async () => {
    const path = await journalOf([['sale', [recordOf(`paid by ${CARD}`)]]], 'tillwatch-redact/1');
    const { text, end } = await ask(path);
    expect(text).not.toContain(CARD);
    expect(end).toMatchObject({ totals: { redactions: 1, missed: 0 }, missed: { pan: 0 } });
  });
});
