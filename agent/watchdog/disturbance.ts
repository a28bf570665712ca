// What the agent itself does to a main thread must not be read as life of it. A witness that asks a blocked thread for
// its stack wakes it: two to four voluntary switches and some milliseconds of running, after which a deadlock would
// look as if it had just come round. So while it is asked, samples say what was so before, and afterwards the few
// switches are taken off. At most DISCOUNT_MAX at a time: more is the thread's own, and then it is alive.

import type { Cancel, Timers } from '../ports.ts';
import type { ThreadSample } from './model.ts';

export const DISCOUNT_MAX = 8;
/** After the answer, until the thread is back where it was. */
export const SETTLE_MS = 50;
/** On a busy machine it may still run then, and the switch back to sleep is to come. */
const SETTLES_MAX = 5;
/** An answer that never comes must not hold the samples for ever. */
const HELD_MS_MAX = 1_500;
const LIVES_MAX = 64;

type Entry = { discount: number; before: ThreadSample | undefined; open: number };

export class Disturbances {
  readonly #timers: Timers;
  readonly #lives = new Map<string, Entry>();

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  #entry(instance: string): Entry {
    const entry = this.#lives.get(instance) ?? { discount: 0, before: undefined, open: 0 };
    this.#lives.set(instance, entry);
    const [oldest] = this.#lives.keys();
    if (this.#lives.size > LIVES_MAX && oldest !== undefined) this.#lives.delete(oldest);
    return entry;
  }

  /**
   * @param look at the thread as it is.
   * @returns to be called when the thread was let go; it settles by itself.
   */
  begin(instance: string, look: () => ThreadSample | undefined): () => void {
    const entry = this.#entry(instance);
    entry.open += 1;
    if (entry.open === 1) entry.before = look();
    let isOver = false;
    const finish = (): void => {
      if (isOver) return;
      isOver = true;
      cancel();
      entry.open -= 1;
      if (entry.open > 0) return;
      const after = look();
      const { before } = entry;
      entry.before = undefined;
      if (before === undefined || after === undefined) return;
      const made = after.voluntarySwitches - before.voluntarySwitches;
      if (made > 0 && made <= DISCOUNT_MAX) entry.discount += made;
    };
    const cancel: Cancel = this.#timers.after(HELD_MS_MAX, finish);
    const settle = (left: number): void => {
      const isBusy = left > 1 && entry.before?.state !== 'R' && look()?.state === 'R';
      if (isOver || !isBusy) finish();
      else this.#timers.after(SETTLE_MS, () => settle(left - 1));
    };
    return () => void this.#timers.after(SETTLE_MS, () => settle(SETTLES_MAX));
  }

  /** A sample as it would be if nobody had asked. */
  undone(instance: string, sample: ThreadSample | undefined): ThreadSample | undefined {
    const entry = this.#lives.get(instance);
    if (entry === undefined || sample === undefined) return sample;
    const { before, discount } = entry;
    if (before === undefined) {
      return { ...sample, voluntarySwitches: sample.voluntarySwitches - discount };
    }
    const made = sample.voluntarySwitches - before.voluntarySwitches;
    // Beyond what asking can do, it woke by itself; that is told at once.
    if (made > DISCOUNT_MAX)
      return { ...sample, voluntarySwitches: sample.voluntarySwitches - discount };
    const state = sample.state === 'R' ? before.state : sample.state;
    return { ...sample, state, voluntarySwitches: before.voluntarySwitches - discount };
  }
}
