// What is to be acknowledged to one terminal, collected until it can be sent: acknowledgements of many
// commits melt into one per epoch while the terminal is slow or has not subscribed yet, so that what
// waits for a terminal is bounded however much it sends. Losing one is harmless: the terminal sends
// the batch again and gets the same answer.

import { addRange, type Ranges } from '../../protocol/ranges.ts';
import type { Ack, Refusal, Stream, StreamAck } from '../../protocol/wire.ts';

/** Epochs with something to acknowledge; a terminal has one, and a second after a damaged outbox. */
export const EPOCHS_WAITING_MAX = 8;
/** Newest ranges of one stream in one acknowledgement; five streams must fit ACK_BYTES_MAX. */
export const RANGES_SENT_MAX = 200;
/** Refusals in one acknowledgement; the terminal asks again about the others by resending. */
export const REFUSALS_SENT_MAX = 64;

/** The outcome of one commit for one terminal and epoch. */
export type Outcome = {
  readonly terminal: string;
  readonly epochHex: string;
  readonly streams: readonly StreamAck[];
  readonly refused: readonly Refusal[];
};

type Waiting = { readonly streams: Map<Stream, Ranges>; refused: readonly Refusal[] };

export type AckBox = {
  readonly add: (outcome: Outcome) => void;
  readonly isEmpty: () => boolean;
  /** Empties the box into acknowledgements, one per epoch; `notice` travels with the first. */
  readonly take: (now: Omit<Ack, 'epoch' | 'streams' | 'refused'>) => Ack[];
};

function merge(waiting: Waiting, { streams, refused }: Outcome): void {
  for (const { stream, ranges } of streams) {
    const merged = ranges.reduce(addRange, waiting.streams.get(stream) ?? []);
    waiting.streams.set(stream, merged.slice(-RANGES_SENT_MAX));
  }
  waiting.refused = [...waiting.refused, ...refused].slice(-REFUSALS_SENT_MAX);
}

export function createAckBox(): AckBox {
  const epochs = new Map<string, Waiting>();
  return {
    add: (outcome) => {
      const waiting = epochs.get(outcome.epochHex) ?? { streams: new Map(), refused: [] };
      epochs.set(outcome.epochHex, waiting);
      merge(waiting, outcome);
      const oldest = epochs.size > EPOCHS_WAITING_MAX ? epochs.keys().next() : undefined;
      if (oldest?.done === false) epochs.delete(oldest.value);
    },
    isEmpty: () => epochs.size === 0,
    take: ({ notice, ...now }) => {
      const acks = [...epochs].map(([epochHex, { streams, refused }], index) => ({
        ...now,
        epoch: Buffer.from(epochHex, 'hex'),
        streams: [...streams].map(([stream, ranges]) => ({ stream, ranges })),
        refused,
        notice: index === 0 ? notice : '',
      }));
      epochs.clear();
      return acks;
    },
  };
}
