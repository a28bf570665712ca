// What was taken out is counted by place and kind; what the way in had missed is told, but not once a line.

import { describe, expect, it } from 'vitest';
import { createRedactions, type Missed } from '../../agent/logs/redactions.ts';
import { NO_COUNTS } from '../../redact/index.ts';

const MINUTE_MS = 60_000;

function open() {
  let now = 5;
  const told: Missed[] = [];
  const redactions = createRedactions({ monotonicMs: () => now });
  return {
    redactions,
    told,
    listen: () => redactions.listen((missed) => told.push(missed)),
    pass: (ms: number) => {
      now += ms;
    },
  };
}

const pans = (pan: number) => ({ ...NO_COUNTS, pan });

describe('what was taken out', () => {
  it('is listed by place and kind, and only what ever happened', () => {
    const { redactions } = open();
    expect(redactions.list(NO_COUNTS)).toEqual([]);
    redactions.add('journal', { ...NO_COUNTS, pan: 2, email: 1 });
    redactions.add('journal', pans(1));
    redactions.add('own_log', NO_COUNTS);
    redactions.missed('export', 'r1', { ...NO_COUNTS, track: 1 });
    expect(redactions.list({ ...NO_COUNTS, track: 4 })).toEqual([
      { where: 'journal', kind: 'pan', count: 3 },
      { where: 'journal', kind: 'email', count: 1 },
      { where: 'export', kind: 'track', count: 5 },
    ]);
    expect(redactions.missedCounts()).toEqual([['track', 1]]);
  });
});

describe('what the way in had missed', () => {
  it('is told at once, then at most once a minute, with all that came in between', () => {
    const { redactions, told, listen, pass } = open();
    listen();
    redactions.missed('export', 'r1', pans(1));
    expect(told).toMatchObject([{ where: 'export', request: 'r1', kinds: { pan: 1 } }]);
    redactions.missed('export', 'r2', pans(2));
    pass(MINUTE_MS - 1);
    redactions.missed('tail', 'r3', { ...pans(1), code: 4 });
    expect(told).toHaveLength(1);
    pass(1);
    redactions.look();
    redactions.look();
    expect(told.slice(1)).toMatchObject([
      { where: 'tail', request: 'r3', kinds: { pan: 3, code: 4 } },
    ]);
    pass(MINUTE_MS);
    redactions.look();
    expect(told).toHaveLength(2);
    expect(redactions.missedCounts()).toEqual([
      ['pan', 4],
      ['code', 4],
    ]);
  });

  it('waits for somebody who reports it', () => {
    const { redactions, told, listen } = open();
    redactions.missed('tail', 'r1', pans(1));
    listen();
    expect(told).toHaveLength(1);
  });

  it('that is nothing is not told', () => {
    const { redactions, told, listen } = open();
    listen();
    redactions.missed('export', 'r1', { ...NO_COUNTS });
    expect(told).toEqual([]);
    expect(redactions.list()).toEqual([]);
  });
});
