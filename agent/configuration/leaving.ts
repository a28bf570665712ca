// Stops what the other configuration has otherwise or not at all, before the agent begins anew under it: at idle, as
// everything planned, and all in one moment, so that no sale can begin in between. Who began one after he was
// asked for is waited for again. What does not end in time is left to the next agent, which ends it before
// it starts another copy.

import type { AgentConfig } from '../../configuration/config.ts';
import type { Supervisor } from '../supervisor.ts';
import { isBusy } from '../watchdog/machine.ts';
import { dependants } from '../watchdog/plan.ts';
import { BUSY_WAIT_MS_MAX, DEATH_MS_MAX } from '../watchdog/state.ts';

/** Beyond all graces. */
const EXTRA_MS = 15_000;

export type LeavingOptions = {
  readonly names: readonly string[];
  readonly config: Pick<AgentConfig, 'components'>;
  readonly supervisor: Pick<Supervisor, 'components' | 'tell' | 'rested'>;
  readonly reason: string;
  /** After the longest wait for a sale: give it up, or stop all the same. */
  readonly mayGiveUp: boolean;
  readonly stopped: () => void;
  readonly stuck: (reason: string) => void;
};

export class Leaving {
  readonly #options: LeavingOptions;
  readonly #touched: ReadonlySet<string>;
  readonly #sinceMs: number;
  #untilMs: number | undefined;
  #isOver = false;

  constructor(options: LeavingOptions, now: number) {
    this.#options = options;
    this.#sinceMs = now;
    const { config, names } = options;
    const items = config.components.map(({ name, after }) => ({ name, after }));
    this.#touched = new Set(names.flatMap((name) => [name, ...dependants(items, name)]));
  }

  /** With every sweep. @param now monotonic. */
  look(now: number): void {
    if (this.#isOver) return;
    if (this.#untilMs === undefined && !this.#ask(now)) return;
    const { names, supervisor, stopped } = this.#options;
    const left = supervisor
      .components()
      .filter(({ name, life }) => names.includes(name) && life !== undefined);
    if (left.length > 0 && now < (this.#untilMs ?? now)) return;
    this.#isOver = true;
    stopped();
  }

  /** @returns whether they were asked to end. */
  #ask(now: number): boolean {
    const { names, supervisor, reason, mayGiveUp, stuck } = this.#options;
    const all = supervisor.components();
    const busy = all.filter(({ name, model }) => this.#touched.has(name) && isBusy(model, now));
    const isLate = now - this.#sinceMs >= BUSY_WAIT_MS_MAX;
    if (busy.length > 0 && !isLate) return false;
    if (busy.length > 0 && mayGiveUp) {
      this.#isOver = true;
      stuck(`${busy.map(({ name }) => name).join(', ')} stayed busy: it was not tried`);
      return false;
    }
    const own = all.filter(({ name }) => names.includes(name));
    const graces = own.map(
      ({ policy }) => Math.max(policy.stopGraceMs, policy.graceMsMax) + policy.abortMs,
    );
    this.#untilMs = now + Math.max(0, ...graces) + 2 * DEATH_MS_MAX + EXTRA_MS;
    // They are started again by the next agent, whatever their restart policy makes of an end.
    supervisor.rested.spare(names);
    for (const { name } of own.toReversed()) {
      supervisor.tell(name, { kind: 'stop', reason, cause: 'upgrade' });
    }
    return true;
  }
}
