// Absences, clocks and the newer events, in words.

import { describe, expect, it } from 'vitest';
import { awayWords, clockWords, span } from '../../cli/away-words.ts';
import { eventWords } from '../../cli/event-lines.ts';
import { plainStyle } from '../../cli/screen.ts';
import { terminalDetailLines } from '../../cli/verbs/terminal.ts';

const NOON = new Date(2026, 10, 23, 12, 0, 0).getTime();
const HOUR = 3_600_000;
const away = {
  ...{ fromMs: NOON - 3.2 * HOUR, untilMs: NOON, why: 'name_resolution' as const },
  parts: { broker_unreachable: 1.2 * HOUR, name_resolution: 2 * HOUR },
};

describe('a length of time', () => {
  it.each([
    [400, 'less than 1 s'],
    [45_400, '45 s'],
    [60_000, '1 min'],
    [59_999, '1 min'],
    [3.2 * HOUR, '3 h 12 min'],
    [HOUR - 1, '1 h'],
    [26 * HOUR + 10_000, '1 d 2 h'],
    [24 * HOUR, '1 d'],
  ] as const)('%d ms is "%s"', (ms, words) => expect(span(ms)).toBe(words));
});

describe('an absence', () => {
  it('says how long, until when and why, the longest reason first', () => {
    expect(awayWords(away, NOON + 300_000)).toBe(
      '3 h 12 min until 12:00: name resolution failed (2 h), broker unreachable (1 h 12 min)',
    );
    const { parts: _, ...one } = away;
    expect(awayWords(one, NOON + 48 * HOUR)).toBe(
      '3 h 12 min until 2026-11-23 12:00: name resolution failed',
    );
    expect(awayWords({ ...away, parts: { solar_storm: 2 * HOUR, power: HOUR } }, NOON)).toContain(
      'solar storm (2 h), terminal off (1 h)',
    );
  });

  it("stands on the terminal's page, with its clock", () => {
    const terminal = {
      ...{ id: 't', store: 's', presence: 'online' as const, connected: true, lastSeenMs: NOON },
      ...{ agent: { version: '0.4.0' }, components: [], openIncidents: [], clockOffsetMs: -8.64e7 },
      ...{ away, clockSkewMs: 24 * HOUR, clockLeftMs: 0 },
    };
    const text = terminalDetailLines(terminal, NOON, { ...plainStyle, columns: 200 }).join('\n');
    expect(text).toContain('was away 3 h 12 min until 12:00: name resolution failed (2 h)');
    expect(text).toContain('clock is 1 d ahead (corrected)');
    expect(text).not.toContain('-86400000');
  });
});

describe('a clock', () => {
  it('is told when it is wrong by more than two seconds, and whether that is corrected', () => {
    expect([clockWords(), clockWords(2_000), clockWords(-1_500)]).toEqual([
      ...[undefined, undefined, undefined],
    ]);
    expect(clockWords(-5_000, 0)).toBe('clock is 5 s behind (corrected)');
    expect(clockWords(HOUR, HOUR)).toBe('clock is 1 h ahead (not corrected)');
  });
});

describe('events in words', () => {
  const times = { fromMs: NOON, untilMs: NOON + HOUR };
  it.each([
    [
      'away',
      { ...times, why: 'link_down', reason: 'no network interface has a carrier' },
      'no broker for 1 h from 12:00:00 to 13:00:00: network link down: ' +
        'no network interface has a carrier',
    ],
    [
      'thinned',
      { ...times, everyMs: 60_000, samples: 1200, reason: 'thirty days offline' },
      'one sample in 1 min is left from 12:00:00 to 13:00:00, 1200 given up: thirty days offline',
    ],
    [
      'version_changed',
      { what: 'firmware', name: 'printer', from: '1.0', to: '1.1' },
      'firmware printer: 1.0 to 1.1',
    ],
    ['version_changed', { what: 'os', name: 'os', from: '', to: '6.1' }, 'os: unknown to 6.1'],
    [
      'series_left_out',
      { names: ['a', 'b'], count: 7, seriesMax: 150, reason: 'over the budget' },
      '7 series left out (a, b and 5 more): over the budget',
    ],
    [
      'gap',
      { ...times, stream: 'metrics', samples: 900, reason: 'quota' },
      'data lost (metrics, 900 samples) from 12:00:00 to 13:00:00: quota',
    ],
    ['gap', { reason: 'the disk was full' }, 'data lost: the disk was full'],
  ])('%s', (kind, fields, words) => expect(eventWords({ kind, fields })).toBe(words));
});
