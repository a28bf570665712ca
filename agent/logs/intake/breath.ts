// A taker works in the agent's loop, which also judges hangs: after some milliseconds it lets everybody else have theirs.

import type { Clock, Timers } from '../../ports.ts';

/** At a stretch. */
const STRETCH_MS = 4;

export class Breath {
  readonly #clock: Clock;
  readonly #timers: Timers;
  #sinceMs = 0;

  constructor({ clock, timers }: { readonly clock: Clock; readonly timers: Timers }) {
    this.#clock = clock;
    this.#timers = timers;
  }

  begin(): void {
    this.#sinceMs = this.#clock.monotonicMs();
  }

  async take(): Promise<void> {
    if (this.#clock.monotonicMs() - this.#sinceMs < STRETCH_MS) return;
    await new Promise<void>((done) => {
      this.#timers.after(1, done);
    });
    this.begin();
  }
}
