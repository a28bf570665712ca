// The kinds of errors that a terminal tells: when each is told, what a flood costs, and what a restart remembers.

import { describe, expect, it } from 'vitest';
import type { RecordListener } from '../../agent/logs/intake/types.ts';
import { type ErrorKinds, openErrorKinds } from '../../agent/logs/kinds/kinds.ts';
import {
  AGAIN_MS,
  EVENTS_PER_MINUTE_MAX,
  FORGOTTEN_MS,
  GATHER_MS,
  type Heard,
  Kinds,
  MASKS_PER_SECOND,
  wordsOf,
} from '../../agent/logs/kinds/model.ts';
import type { NewEvent } from '../../protocol/events.ts';
import { SAMPLE_CHARS_MAX, SIGNATURES_MAX } from '../../protocol/limits.ts';
import { ok } from '../../protocol/result.ts';
import { fakeTime, quiet, START_MS } from './fleet-rig.ts';

const error = (text: string, more: Partial<Heard> = {}): Heard => ({
  ...{ component: 'sale', level: 'error', version: '2.4.1', text, timeMs: START_MS, ...more },
});
/** Letters only: digits would be masked. */
const word = (i: number): string =>
  [...String(i)].map((digit) => String.fromCharCode(97 + Number(digit))).join('');
const fresh = () => new Kinds([], 0, () => 0);

describe('a kind of error', () => {
  it('is told once for a burst, a few seconds after its first record', () => {
    const kinds = fresh();
    for (let i = 0; i < 7; i += 1) kinds.hear(error(`receipt ${i} not printed`), i * 100);
    expect(kinds.due(GATHER_MS - 1)).toEqual([]);
    const told = kinds.due(GATHER_MS);
    expect(told).toMatchObject([
      { component: 'sale', fields: { count: 7, total: 7, isNew: true, version: '2.4.1' } },
    ]);
    expect(told[0]?.fields).toMatchObject({
      pattern: 'receipt * not printed',
      sample: 'receipt 0 not printed',
    });
    expect(kinds.due(GATHER_MS * 2)).toEqual([]);
  });

  it('is told again when it has grown tenfold, and not before', () => {
    const kinds = fresh();
    kinds.hear(error('no paper'), 0);
    kinds.due(GATHER_MS);
    for (let i = 0; i < 8; i += 1) kinds.hear(error('no paper'), 10_000);
    expect(kinds.due(20_000)).toEqual([]);
    kinds.hear(error('no paper'), 20_000);
    expect(kinds.due(20_000)).toMatchObject([{ fields: { count: 9, total: 10, isNew: false } }]);
  });

  it('is told once an hour while it goes on, so that nothing stays untold for longer', () => {
    const kinds = fresh();
    kinds.hear(error('no paper'), 0);
    kinds.due(GATHER_MS);
    kinds.hear(error('no paper'), 60_000);
    expect(kinds.due(GATHER_MS + AGAIN_MS - 1)).toEqual([]);
    expect(kinds.due(GATHER_MS + AGAIN_MS)).toMatchObject([{ fields: { count: 1, total: 2 } }]);
    expect(kinds.due(3 * AGAIN_MS)).toEqual([]);
  });

  it('is told soon of another version, and is not new there', () => {
    const kinds = fresh();
    kinds.hear(error('no paper'), 0);
    kinds.due(GATHER_MS);
    kinds.hear(error('no paper', { version: '2.5.0' }), 10_000);
    const [told] = kinds.due(10_000 + GATHER_MS);
    expect(told?.fields).toMatchObject({ version: '2.5.0', count: 1, isNew: false });
  });

  it('brings a sample that is cut, whole characters only', () => {
    const kinds = fresh();
    kinds.hear(error(`${'x'.repeat(SAMPLE_CHARS_MAX - 1)}😀`), 0);
    const [told] = kinds.due(GATHER_MS);
    expect(told?.fields.sample).toHaveLength(SAMPLE_CHARS_MAX);
    expect(told?.fields.sample.isWellFormed()).toBe(true);
  });
});

it.each([
  ['2026-11-23T10:00:00Z ERROR receipt 5 not printed', 'receipt 5 not printed'],
  ['{"level":50,"time":1795393248017,"msg":"receipt 5 not printed"}', 'receipt 5 not printed'],
  ['{"level":"error","message":"receipt 5\\n    at x (y.js:1)"}', 'receipt 5\n    at x (y.js:1)'],
  ['2026-11-23 10:00:00 ERROR gone\n    at x (y.js:1)', 'gone\n    at x (y.js:1)'],
  ['receipt 5 not printed', 'receipt 5 not printed'],
])('a kind of %j is what it says, without time and level', (text, words) => {
  expect(wordsOf(text)).toBe(words);
});

describe('a terminal with too many kinds', () => {
  const fill = (kinds: Kinds): void => {
    for (let i = 0; i < SIGNATURES_MAX; i += 1) kinds.hear(error(`trouble ${word(i)}`), i * 1_000);
  };

  it('counts the rest under no signature, and tells that, too', () => {
    const kinds = fresh();
    fill(kinds);
    kinds.hear(error('one more'), 60_000);
    kinds.hear(error('and another'), 60_000);
    expect([kinds.size(), kinds.dropped()]).toEqual([SIGNATURES_MAX, 2]);
    const told = [60_000, 120_000, 180_000, 240_000].flatMap((ms) => kinds.due(ms + GATHER_MS));
    expect(told.find(({ fields }) => fields.signature === '')).toMatchObject({
      component: 'sale',
      fields: { count: 2, pattern: '', level: 'error' },
    });
  });

  it('forgets the one that was not seen for longest, after a day', () => {
    const kinds = fresh();
    fill(kinds);
    kinds.hear(error('one more'), FORGOTTEN_MS - 1);
    expect(kinds.dropped()).toBe(1);
    kinds.hear(error('one more'), FORGOTTEN_MS);
    expect([kinds.size(), kinds.dropped()]).toEqual([SIGNATURES_MAX, 1]);
    const patterns = kinds.state().map(({ pattern }) => pattern);
    expect(patterns).toContain('one more');
    expect(patterns).not.toContain(`trouble ${word(0)}`);
  });

  it('tells so many in a minute, new ones first, and the others in the next ones', () => {
    const kinds = fresh();
    fill(kinds);
    const counts = [1, 2, 3, 4].map((minute) => kinds.due(minute * 60_000).length);
    expect(counts).toEqual([EVENTS_PER_MINUTE_MAX, EVENTS_PER_MINUTE_MAX, 10, 0]);
  });
});

describe('a flood of errors', () => {
  it('takes apart only so many texts a second and counts every one', () => {
    const kinds = fresh();
    for (let i = 0; i < 10_000; i += 1) kinds.hear(error(`tender ${i} refused`), i / 10);
    const all = kinds.state();
    const known = all.find(({ signature }) => signature !== '')?.total ?? 0;
    expect(all.reduce((sum, { total }) => sum + total, 0)).toBe(10_000);
    expect(known).toBeLessThanOrEqual(MASKS_PER_SECOND * 2);
    expect(kinds.dropped()).toBe(10_000 - known);
  });

  it('of one and the same text is counted under its kind, whatever its speed', () => {
    const kinds = fresh();
    for (let i = 0; i < 10_000; i += 1) kinds.hear(error('no paper'), i / 100);
    expect(kinds.state()).toMatchObject([{ pattern: 'no paper', total: 10_000 }]);
    expect(kinds.dropped()).toBe(0);
  });
});

function till() {
  const time = fakeTime();
  const events: NewEvent[] = [];
  let file: string | undefined;
  let writes = 0;
  let listener: RecordListener = () => undefined;
  const open = (): ErrorKinds =>
    openErrorKinds({
      path: 'kinds.json',
      read: () => file,
      write: (_path, text) => {
        writes += 1;
        file = text;
        return Promise.resolve(ok(undefined));
      },
      intake: {
        listen: (added) => {
          listener = added;
          return () => {
            listener = () => undefined;
          };
        },
      },
      report: (event) => events.push(event),
      time: { nowMs: () => time.clock.wallMs() + 5_000, offsetMs: () => 5_000 },
      ...{ clock: time.clock, timers: time.timers, log: quiet },
    });
  const print = (text: string, level: 'error' | 'info' = 'error', timeMs = START_MS): void =>
    listener('sale', { timeMs, guessed: false, level, text, version: '1.0' });
  const spoil = (text: string) => {
    file = text;
  };
  return { ...time, events, open, print, spoil, writes: () => writes };
}

describe('the kinds of errors of an agent', () => {
  it('are told with corrected times, and never of the future', () => {
    const one = till();
    one.open();
    one.print('no paper');
    one.print('all is well', 'info');
    one.print('no paper', 'error', START_MS + 1e9);
    one.pass(GATHER_MS + 1_000);
    expect(one.events).toMatchObject([
      {
        kind: 'error_signature',
        component: 'sale',
        fields: { count: 2, firstMs: START_MS + 5_000 },
      },
    ]);
    expect(one.events[0]?.fields).toMatchObject({ lastMs: START_MS + 5_000 });
  });

  it('are not new again after a restart', async () => {
    const one = till();
    const first = one.open();
    one.print('no paper');
    one.pass(GATHER_MS + 1_000);
    await first.stop();
    one.open();
    one.print('no paper');
    one.pass(60_000);
    expect(one.events).toHaveLength(1);
    one.pass(AGAIN_MS);
    expect(one.events[1]).toMatchObject({ fields: { count: 1, total: 2, isNew: false } });
  });

  it('are written when something was told, and seldom for counts alone', async () => {
    const one = till();
    one.open();
    for (let second = 0; second < 300; second += 1) {
      one.print('no paper');
      one.pass(1_000);
      await new Promise((done) => setImmediate(done));
    }
    // New, then ten and a hundred.
    expect(one.writes()).toBe(3);
  });

  it.each(['{', '{"kinds":[{}]}', '[]'])('begin anew with a file that says %s', (text) => {
    const one = till();
    one.spoil(text);
    one.open();
    one.print('no paper');
    one.pass(GATHER_MS + 1_000);
    expect(one.events).toHaveLength(1);
  });
});
