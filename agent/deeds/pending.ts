// Deeds whose end is a state of components: looked at with every sweep until it is so, cannot be any more, or takes too
// long. Asked of the components as they are, because what happens to them in between (a crash, another order) is
// told by nobody to whoever waits.

import type { Component } from '../component.ts';
import type { Clock } from '../ports.ts';

/** Each command has one at most, and few commands come; more are a fault of our own. */
export const PENDING_MAX = 64;

/** Undefined: not yet. */
export type Look = (components: readonly Component[]) => Ending | undefined;
export type Ending = { readonly ok: boolean; readonly reason: string };

type Waiting = { readonly look: Look; readonly untilMs: number; readonly end: (e: Ending) => void };

export class Pending {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #components: () => readonly Component[];
  #waiting: Waiting[] = [];

  constructor(clock: Pick<Clock, 'monotonicMs'>, components: () => readonly Component[]) {
    this.#clock = clock;
    this.#components = components;
  }

  until(look: Look, msMax: number, end: (ending: Ending) => void): void {
    const untilMs = this.#clock.monotonicMs() + msMax;
    if (this.#waiting.length >= PENDING_MAX) end({ ok: false, reason: 'too many deeds wait' });
    else this.#waiting.push({ look, untilMs, end });
  }

  /** With every sweep. */
  look(): void {
    if (this.#waiting.length === 0) return;
    const now = this.#clock.monotonicMs();
    for (const waiting of this.#waiting) {
      const found = waiting.look(this.#components());
      const late = { ok: false, reason: 'it was not so in time' };
      const ending = found ?? (now >= waiting.untilMs ? late : undefined);
      if (ending === undefined) continue;
      this.#waiting = this.#waiting.filter((one) => one !== waiting);
      waiting.end(ending);
    }
  }
}
