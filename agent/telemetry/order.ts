// In which order sealed batches go out (design.md, Delivery): commands' results, events, live metrics, traces,
// what another ledger had and this one may not have, backlog. Pure.

import { type Ack, DRAIN_ORDER } from '../../protocol/wire.ts';
import type { SealedRow } from './batches.ts';

type Kind = Pick<SealedRow, 'stream' | 'live' | 'again'>;

/** What was not sent when it was new; it goes at the pace that the broker asks for. */
export const isBacklog = ({ stream, live, again }: Kind): boolean =>
  again === true || (stream === 'metrics' && !live);

const AGAIN_RANK = DRAIN_ORDER.indexOf('traces') + 0.25;
const BACKLOG_RANK = DRAIN_ORDER.indexOf('traces') + 0.5;

export function rankOf(row: Kind): number {
  if (row.again === true) return AGAIN_RANK;
  return isBacklog(row) ? BACKLOG_RANK : DRAIN_ORDER.indexOf(row.stream);
}

type Numbered = Kind & Pick<SealedRow, 'seq'>;

/** The first of what is due, in drain order; so many of them backlog at most. */
export function choose<T extends Numbered>(due: readonly T[], limit: number, backlogMax: number) {
  let backlog = 0;
  return [...due]
    .sort((a, b) => rankOf(a) - rankOf(b) || a.seq - b.seq)
    .filter((row) => {
      if (isBacklog(row)) backlog += 1;
      return !isBacklog(row) || backlog <= backlogMax;
    })
    .slice(0, limit);
}

export const isNamed = (ack: Ack, { stream, seq }: Pick<SealedRow, 'stream' | 'seq'>): boolean =>
  ack.streams.some(
    (entry) =>
      entry.stream === stream &&
      entry.ranges.some(({ first, last }) => first <= seq && seq <= last),
  );
