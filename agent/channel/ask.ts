// Questions to witnesses that wait for their answer: one at a time for each component, and each ends, by the answer,
// by the witness going away or by the time that evidence may take. Apart from the socket, so that what happens to a
// late or a missing answer can be read in one place.

import type { Cancel, Timers } from '../ports.ts';

/** Longer than the witness itself waits (WITNESS_MS_MAX), well within what evidence may take. */
export const WITNESS_WAIT_MS_MAX = 800;

export type StackAnswer = {
  /** Innermost frame first, as `function (file:line)`. */
  readonly stack: readonly string[];
  /** Why it is empty. */
  readonly reason: string | undefined;
};

/**
 * The innermost frame of the component's own code. Node's are left out: a loop that turns stands in
 * `processTimers` whenever it is asked, and that must not pass for being stuck at one place.
 */
export const topFrameOf = (stack: readonly string[]): string | undefined =>
  stack.find((frame) => !frame.includes('(node:'));

type Ask = {
  /** The connection that was asked: nobody else may answer. */
  readonly witness: object;
  readonly answer: Promise<StackAnswer | undefined>;
  readonly settle: (answer: StackAnswer | undefined) => void;
};

export class StackAsks {
  readonly #timers: Timers;
  readonly #open = new Map<string, Ask>();

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  ask(component: string, witness: object, send: () => void): Promise<StackAnswer | undefined> {
    const before = this.#open.get(component);
    if (before !== undefined) return before.answer;
    let settle: Ask['settle'] = () => undefined;
    let cancel: Cancel = () => undefined;
    const answer = new Promise<StackAnswer | undefined>((done) => {
      settle = (told) => {
        cancel();
        this.#open.delete(component);
        done(told);
      };
    });
    this.#open.set(component, { witness, answer, settle });
    cancel = this.#timers.after(WITNESS_WAIT_MS_MAX, () => settle(undefined));
    send();
    return answer;
  }

  /** An answer that nobody waits for any more is dropped. */
  answer(component: string, witness: object, told: StackAnswer): void {
    const ask = this.#open.get(component);
    if (ask?.witness === witness) ask.settle(told);
  }

  drop(component: string, witness: object): void {
    const ask = this.#open.get(component);
    if (ask?.witness === witness) ask.settle(undefined);
  }

  end(): void {
    for (const ask of [...this.#open.values()]) ask.settle(undefined);
  }
}
