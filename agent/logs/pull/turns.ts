// All answers that are on their way share one line: a chunk of each in turn, so that a small answer is not stuck behind
// a large one. On a line on which a chunk takes long only one is on its way, so that nothing live ever waits
// behind more than one; on a quick one as many as the broker gives credits for, four at most, and on a very quick one
// that is all ours twelve, so that the broker has some to take while others are on their way. What the line's share
// leaves to others is in share.ts.

import { LOG_WINDOW_CHUNKS, LOG_WINDOW_QUICK_CHUNKS } from '../../../protocol/limits.ts';
import type { Ack } from '../../../protocol/wire.ts';
import type { Cancel, Clock, Timers } from '../../ports.ts';
import { Delivery, type Supply } from './delivery.ts';
import { answered, FREE, type Line, mayGo, went } from './share.ts';

/** A chunk that is acknowledged within this leaves room for more behind it. */
export const QUICK_MS = 250;
/** Within this for a dozen: all of them together hold a live batch up for less than one does at 1 Mbit/s. */
export const VERY_QUICK_MS = 125;

/** What the link needs of whoever has log chunks to send. */
export type Chunks = {
  /** The next chunk, if one may go now; counts as sent. */
  readonly take: () => Uint8Array | undefined;
  /** @returns whether the acknowledgement is about chunks. */
  readonly acknowledge: (ack: Ack) => boolean;
  readonly resendAll: () => void;
  readonly inFlight: () => number;
  /** Called when there may be something to take. */
  readonly onWork: (call: () => void) => void;
};

/**
 * How many chunks may be on their way.
 * @param tripMs of the last one; undefined before the first.
 * @param credits of the broker; 0: it says nothing, and can take four.
 * @param share of the line; bursts that are followed by rests need not be long.
 */
export function windowOf(tripMs: number | undefined, credits = 0, share = 1): number {
  if (tripMs === undefined || tripMs > QUICK_MS) return 1;
  const isWide = tripMs <= VERY_QUICK_MS && share >= 1;
  const own = isWide ? LOG_WINDOW_QUICK_CHUNKS : LOG_WINDOW_CHUNKS;
  return Math.min(own, credits > 0 ? credits : LOG_WINDOW_CHUNKS);
}

export type TurnsOptions = {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly timers: Pick<Timers, 'after'>;
  readonly random: () => number;
  /** Of the line, above 0 and at most 1. */
  readonly share: number;
};

export class Turns implements Chunks {
  readonly #o: TurnsOptions;
  #deliveries: readonly Delivery[] = [];
  #line: Line = FREE;
  #tripMs: number | undefined;
  #credits = 0;
  #work = (): void => undefined;
  #cancelRest: Cancel = () => undefined;

  constructor(options: TurnsOptions) {
    this.#o = options;
  }

  readonly add = (supply: Supply): void => {
    this.#deliveries = [...this.#deliveries, new Delivery(supply)];
    this.#work();
  };

  readonly remove = (request: string): void => {
    this.#deliveries = this.#deliveries.filter(({ supply }) => supply.request !== request);
    this.#settle();
  };

  /** A supply has something new. */
  readonly wake = (): void => this.#work();

  readonly take = (): Uint8Array | undefined => {
    const { clock, share, random } = this.#o;
    const now = clock.monotonicMs();
    const window = windowOf(this.#tripMs, this.#credits, share);
    // What was lost on its way keeps nobody from sending.
    this.#line = answered(this.#line, now, this.#onLine(now), share);
    if (this.#onLine(now) < window && mayGo(this.#line, now, share)) {
      for (const delivery of this.#deliveries) {
        const bytes = delivery.take(now, random());
        if (bytes === undefined) continue;
        this.#line = went(this.#line, now, window);
        // To the end of the row.
        this.#deliveries = [...this.#deliveries.filter((one) => one !== delivery), delivery];
        return bytes;
      }
    }
    for (const delivery of this.#deliveries) {
      const word = delivery.word();
      if (word !== undefined) return word;
    }
    return undefined;
  };

  readonly acknowledge = (ack: Ack): boolean => {
    const now = this.#o.clock.monotonicMs();
    for (const delivery of this.#deliveries) {
      const heard = delivery.acknowledge(ack, now);
      if (heard === undefined) continue;
      this.#tripMs = heard.tripMs ?? this.#tripMs;
      this.#credits = ack.logCredits ?? 0;
      this.#settle();
      return true;
    }
    return false;
  };

  readonly resendAll = (): void => {
    for (const delivery of this.#deliveries) delivery.land();
    this.#tripMs = undefined;
    this.#line = FREE;
  };

  readonly inFlight = (): number =>
    this.#deliveries.reduce((sum, delivery) => sum + delivery.inFlight(), 0);

  readonly onWork = (call: () => void): void => {
    this.#work = call;
  };

  stop(): void {
    this.#cancelRest();
    this.#work = () => undefined;
  }

  #onLine(now: number): number {
    return this.#deliveries.reduce((sum, delivery) => sum + delivery.onLine(now), 0);
  }

  #settle(): void {
    const { clock, share, timers } = this.#o;
    const now = clock.monotonicMs();
    this.#line = answered(this.#line, now, this.#onLine(now), share);
    const restMs = this.#line.restUntilMs - now;
    this.#cancelRest();
    if (restMs > 0 && share < 1) this.#cancelRest = timers.after(restMs, () => this.#work());
    else this.#work();
  }
}
