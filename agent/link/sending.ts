// What goes out next, and how fast: everything that is live, backlog at the pace that the broker asks for, and log chunks
// when nothing else waits. It keeps no queue; whatever is not sent stays where it is.

import { WINDOW_BATCHES } from '../../protocol/limits.ts';
import type { Clock } from '../ports.ts';
import type { Outgoing } from '../telemetry/types.ts';
import { type Bucket, fullBucket, refill, spend } from './pace.ts';
import type { LinkOptions } from './types.ts';

type Sources = Pick<LinkOptions, 'outbox'> & {
  readonly chunks: LinkOptions['chunks'];
  readonly clock: Clock;
  readonly isUp: () => boolean;
};
type Send = (batch: Pick<Outgoing, 'stream' | 'bytes'>) => void;

export class Sending {
  readonly #o: Sources;
  readonly #send: Send;
  #bucket: Bucket;

  constructor(sources: Sources, send: Send) {
    this.#o = sources;
    this.#send = send;
    this.#bucket = fullBucket(sources.clock.monotonicMs());
  }

  /** Only backlog is paced: what happens now is what somebody waits for, and there is little of it. */
  batches(paceBytesPerSecond: number): void {
    const { outbox, clock, isUp } = this.#o;
    const isPaced = paceBytesPerSecond > 0;
    for (const batch of outbox.takeBatches(WINDOW_BATCHES, isPaced ? 0 : undefined)) {
      this.#send(batch);
    }
    if (!isPaced) return;
    this.#bucket = refill(this.#bucket, paceBytesPerSecond, clock.monotonicMs());
    while (isUp() && this.#bucket.tokens > 0) {
      const [batch] = outbox.takeBatches(1, 1);
      if (batch === undefined) return;
      if (batch.backlog) this.#bucket = spend(this.#bucket, batch.bytes.length);
      this.#send(batch);
    }
  }

  /**
   * One at a time, and none while the socket still holds what was written before: a live batch that comes
   * now waits behind this one chunk at most. @returns whether there may be more.
   */
  chunk(waitingBytes: number): boolean {
    const { chunks } = this.#o;
    if (chunks === undefined || waitingBytes > 0) return false;
    const bytes = chunks.take();
    if (bytes === undefined) return false;
    this.#send({ stream: 'logs', bytes });
    return true;
  }
}
