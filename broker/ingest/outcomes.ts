// What one commit means for each terminal and epoch: the numbers that it may forget and those that it is
// refused. A lane's ranges are told whole while they are few, so that an acknowledgement that was lost on
// the way is made good by the next one.

import { REASON_CHARS_MAX } from '../../protocol/limits.ts';
import { addRange, addSeq, type Ranges } from '../../protocol/ranges.ts';
import type { Batch, Refusal, Stream } from '../../protocol/wire.ts';
import type { Ledger } from '../ledger.ts';
import type { Outcome } from './acknowledge.ts';

/** A lane's ranges are acknowledged whole up to this many, so that a lost answer heals by itself. */
const LANE_RANGES_SENT_MAX = 16;

export type Outcomes = ReturnType<typeof createOutcomes>;

/** Outcomes of one commit, one per terminal and epoch. */
export function createOutcomes(ledger: Pick<Ledger, 'ranges'>) {
  type Open = Outcome & { readonly byStream: Map<Stream, Ranges>; readonly refused: Refusal[] };
  const outcomes = new Map<string, Open>();
  const of = (terminal: string, batch: Batch): Open => {
    const epochHex = Buffer.from(batch.epoch).toString('hex');
    const key = `${terminal}/${epochHex}`;
    const known = outcomes.get(key);
    if (known !== undefined) return known;
    const open = { terminal, epochHex, streams: [], refused: [], byStream: new Map() };
    outcomes.set(key, open);
    return open;
  };
  return {
    committed: (terminal: string, batch: Batch): void => {
      const { byStream } = of(terminal, batch);
      byStream.set(batch.stream, addSeq(byStream.get(batch.stream) ?? [], batch.seq));
    },
    refused: (terminal: string, { stream, seq, ...batch }: Batch, reason: string): void => {
      const sentence = reason.slice(0, REASON_CHARS_MAX);
      of(terminal, { stream, seq, ...batch }).refused.push({ stream, seq, reason: sentence });
    },
    /** Log chunks are acknowledged by the bytes that are held (protocol/logs.ts). */
    held: (terminal: string, batch: Batch, upTo: number): void => {
      const { byStream } = of(terminal, batch);
      const ranges = byStream.get('logs') ?? [];
      if (upTo > 0) byStream.set('logs', addRange(ranges, { first: 1, last: upTo }));
    },
    list: (): Outcome[] =>
      [...outcomes.values()].map(({ terminal, epochHex, refused, byStream }) => ({
        terminal,
        epochHex,
        refused,
        streams: [...byStream].map(([stream, ranges]) => {
          const lane = stream === 'logs' ? ranges : ledger.ranges(terminal, epochHex, stream);
          return { stream, ranges: lane.length <= LANE_RANGES_SENT_MAX ? lane : ranges };
        }),
      })),
  };
}
