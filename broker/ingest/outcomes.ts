// What one commit means for each terminal and epoch: the numbers that it may forget and those that it is
// refused. A lane's ranges are told whole while they are few, so that an acknowledgement that was lost on
// the way is made good by the next one.

import { REASON_CHARS_MAX } from '../../protocol/limits.ts';
import { addRange, addSeq, type Ranges } from '../../protocol/ranges.ts';
import type { Batch, Refusal, Stream, StreamAck } from '../../protocol/wire.ts';
import type { Ledger } from '../ledger.ts';
import type { Outcome } from './acknowledge.ts';

/** A lane's ranges are acknowledged whole up to this many, so that a lost answer heals by itself. */
const LANE_RANGES_SENT_MAX = 16;

export type Outcomes = ReturnType<typeof createOutcomes>;

type Open = {
  readonly terminal: string;
  readonly epochHex: string;
  /** Numbers of log chunks are told as ranges: bytes of a file that are held. */
  readonly seqs: Map<Stream, number[]>;
  held: Ranges;
  readonly refused: Refusal[];
};

export type Named = {
  readonly terminal: string;
  readonly epochHex: string;
  readonly batch: Pick<Batch, 'stream' | 'seq'>;
};

/** Outcomes of one commit, one per terminal and epoch. */
export function createOutcomes(ledger: Pick<Ledger, 'ranges'>) {
  const outcomes = new Map<string, Open>();
  const of = ({ terminal, epochHex }: Named): Open => {
    const key = terminal + epochHex;
    const known = outcomes.get(key);
    if (known !== undefined) return known;
    const open = { terminal, epochHex, seqs: new Map(), held: [], refused: [] };
    outcomes.set(key, open);
    return open;
  };
  function acknowledged({ terminal, epochHex, seqs, held }: Open): StreamAck[] {
    const streams: StreamAck[] = held.length === 0 ? [] : [{ stream: 'logs', ranges: held }];
    for (const [stream, some] of seqs) {
      const lane = ledger.ranges(terminal, epochHex, stream);
      const isShort = lane.length <= LANE_RANGES_SENT_MAX;
      streams.push({ stream, ranges: isShort ? lane : some.reduce(addSeq, [] as Ranges) });
    }
    return streams;
  }
  return {
    committed: (named: Named): void => {
      const { seqs } = of(named);
      const { stream, seq } = named.batch;
      const known = seqs.get(stream);
      if (known === undefined) seqs.set(stream, [seq]);
      else known.push(seq);
    },
    refused: (named: Named, reason: string): void => {
      const { stream, seq } = named.batch;
      of(named).refused.push({ stream, seq, reason: reason.slice(0, REASON_CHARS_MAX) });
    },
    /** Log chunks are acknowledged by the bytes that are held (protocol/logs.ts). */
    held: (named: Named, upTo: number): void => {
      const open = of(named);
      if (upTo > 0) open.held = addRange(open.held, { first: 1, last: upTo });
    },
    list: (): Outcome[] =>
      [...outcomes.values()].map((open) => ({
        terminal: open.terminal,
        epochHex: open.epochHex,
        refused: open.refused,
        streams: acknowledged(open),
      })),
  };
}
