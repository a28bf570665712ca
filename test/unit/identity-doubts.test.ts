// A till whose clock is a year behind cannot see that its certificate has ended, and a broker that lets nobody in with
// such a one just closes: without a doubt it would be locked out until somebody sets its clock.

import { expect, it } from 'vitest';
import { Doubts, EARLY_MAX } from '../../agent/identity/doubts.ts';
import { CLOSED_EARLY, REFUSED_BY_BROKER } from '../../agent/link/reasons.ts';

const downs = (doubts: Doubts, reason: string, times: number): readonly boolean[] =>
  Array.from({ length: times }, () => doubts.down(reason));

it('a broker that closes each time before it answers makes a terminal ask for a new certificate', () => {
  for (const reason of [CLOSED_EARLY, 'read ECONNRESET']) {
    const said = downs(new Doubts(), reason, EARLY_MAX + 1);
    expect(said).toEqual([...Array(EARLY_MAX - 1).fill(false), true, true]);
  }
});

it('not where it was up in between, or nobody answered at all', () => {
  const doubts = new Doubts();
  for (let turn = 0; turn < 20; turn += 1) {
    expect(downs(doubts, CLOSED_EARLY, EARLY_MAX - 1)).not.toContain(true);
    doubts.up();
  }
  expect(downs(doubts, 'connect ECONNREFUSED 10.0.0.1:8883', 50)).not.toContain(true);
});

it('at once where the broker says that it refuses it', () => {
  expect(new Doubts().down(`${REFUSED_BY_BROKER}: certificate expired`)).toBe(true);
});
