// A sealed batch in the memory of a simulated terminal: how it is named, when it goes, and whether an
// acknowledgement means it.

import { type Ack, DRAIN_ORDER, type Stream } from '../../protocol/wire.ts';

export type Sealed = {
  readonly stream: Stream;
  readonly seq: number;
  readonly live: boolean;
  /** Samples, events or results inside. */
  readonly items: number;
  readonly bytes: Uint8Array;
};

export const keyOf = ({ stream, seq }: Pick<Sealed, 'stream' | 'seq'>): string =>
  `${stream}/${seq}`;

/** Live metrics before traces, backlog after them (design.md, Delivery). */
export const rankOf = ({ stream, live }: Sealed): number =>
  DRAIN_ORDER.indexOf(stream) + (stream === 'metrics' && !live ? 1.5 : 0);

export const isNamed = (ack: Ack, { stream, seq }: Sealed): boolean =>
  ack.streams.some(
    (entry) => entry.stream === stream && entry.ranges.some((r) => r.first <= seq && seq <= r.last),
  );
