// Samples are stamped in the order in which they were taken, also while the estimate of the broker's time is
// made better: a counter whose newer value stands before an older one has gone back. A correction of more
// than some seconds is no refinement but a clock that was wrong, and is followed at once.

/** Of an estimate: half a round trip on a bad line. */
const REFINED_MS_MAX = 10_000;

export class Stamps {
  #lastMs = Number.NEGATIVE_INFINITY;
  #lastMono: number | undefined;

  /** @returns the time for a snapshot, after the last one's unless that is far ahead. */
  next(timeMs: number, monoMs: number, isKnown: boolean): number {
    if (!isKnown) {
      this.#lastMono = monoMs;
      return timeMs;
    }
    const aheadMs = this.#lastMs - timeMs;
    const stamp = aheadMs >= 0 && aheadMs < REFINED_MS_MAX ? this.#lastMs + 1 : timeMs;
    this.#lastMs = stamp;
    return stamp;
  }

  /** The time became known: what was taken before is stamped by it. */
  known(nowMs: number, monoMs: number): void {
    if (this.#lastMono !== undefined) this.#lastMs = nowMs - (monoMs - this.#lastMono);
    this.#lastMono = undefined;
  }
}
