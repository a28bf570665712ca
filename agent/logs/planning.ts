// A request for logs until its plan is made: searched a few milliseconds at a time, because a journal can be large
// and hostile and the agent has hangs to judge meanwhile. What it asks about stays as it is until then: a hole that
// is made between two looks would make a plan that nobody can answer.

import { dirname, join } from 'node:path';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Clock, Timers } from '../ports.ts';
import type { Range } from './holes.ts';
import { type LogsCommand, type Places, type Plan, planSteps } from './plan.ts';
import { runFor, type Steps } from './steps.ts';

/** Of every few milliseconds that it may take, the loop has at least one for everything else. */
export const SLICE_MS = 4;

export type PlanningOptions = {
  readonly command: LogsCommand;
  readonly places: Places;
  readonly offsetMs: number;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly done: (plan: Result<Plan>) => void;
};

export class Planning {
  readonly #o: PlanningOptions;
  readonly #steps: Steps<Plan>;
  #cancel = (): void => undefined;

  constructor(options: PlanningOptions) {
    this.#o = options;
    this.#steps = planSteps(options.command, options.places, options.offsetMs);
  }

  get command(): LogsCommand {
    return this.#o.command;
  }

  /** A small journal is planned when it returns. */
  run(): void {
    const { clock, timers } = this.#o;
    try {
      const made = runFor(this.#steps, SLICE_MS, clock.monotonicMs);
      if (made === undefined) this.#cancel = timers.after(0, () => this.run());
      else this.#o.done(ok(made.value));
    } catch (error) {
      this.end(`the journal cannot be read: ${(error as Error).message}`);
    }
  }

  end(reason: string): void {
    this.stop();
    this.#o.done(fail(reason));
  }

  pinned(path: string): Range | undefined {
    const { command, places } = this.#o;
    const { components } = command.arguments;
    const asked = components.length === 0 ? places.components : components;
    const isAsked = asked.some((name) => join(places.logDir, name) === dirname(path));
    return isAsked ? { from: 0, to: Number.MAX_SAFE_INTEGER } : undefined;
  }

  /** Closes what is open; tells nobody. */
  stop(): void {
    this.#cancel();
    this.#steps.return(undefined as never);
  }
}
