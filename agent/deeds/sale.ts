// No planned deed cuts off a sale: it waits until nobody whom it touches has one open, and no longer than its command is
// valid. A sale's own ceiling is part of being busy (watchdog/state.ts), so a component that forgot to say that it is
// idle again holds nobody up for ever. Whoever forces it does not wait, and the answer says what was cut off.

import type { Command } from '../../protocol/commands.ts';
import type { Component } from '../component.ts';
import type { Clock } from '../ports.ts';
import { isBusy } from '../watchdog/machine.ts';
import { BUSY_WAIT_MS_MAX } from '../watchdog/state.ts';

/** More commands than this do not wait together for sales to end. */
export const WAITING_MAX = 32;

export type SalesOptions = {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** The broker's time, by which commands expire. */
  readonly nowMs: () => number;
  readonly components: () => readonly Component[];
  readonly refuse: (id: string, reason: string) => void;
};

type Waiting = {
  readonly id: string;
  readonly what: string;
  readonly names: readonly string[];
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly run: (note: string) => void;
};

/** Equal for those that one deed answers: what takes the whole till is the plan's to refuse. */
const whatOf = ({ kind, id, arguments: args }: Command): string =>
  (kind === 'restart' || kind === 'stop') && 'component' in args ? `${kind} ${args.component}` : id;

const minutes = (ms: number): string => `${(ms / 60_000).toFixed(1)} min`;

export class Sales {
  readonly #options: SalesOptions;
  #waiting: Waiting[] = [];

  constructor(options: SalesOptions) {
    this.#options = options;
  }

  /** @param run with a note for the answer: empty, or who was cut off by force. */
  when(command: Command, names: readonly string[], run: (note: string) => void): void {
    const { clock, nowMs, refuse } = this.#options;
    const busy = this.#busy(names);
    const isForced = 'force' in command.arguments && command.arguments.force === true;
    if (busy.length === 0 || isForced) {
      run(busy.length === 0 ? '' : `by force, while ${busy.join(', ')} was busy`);
      this.#joined(command);
    } else if (this.#waiting.length >= WAITING_MAX) refuse(command.id, 'too many commands wait');
    else {
      const sinceMs = clock.monotonicMs();
      const leftMs = Math.min(BUSY_WAIT_MS_MAX, command.expiresMs - nowMs());
      const untilMs = sinceMs + Math.max(0, leftMs);
      this.#waiting.push({ id: command.id, what: whatOf(command), names, sinceMs, untilMs, run });
    }
  }

  /** Who waits for the very thing that is done now gets it now: later it would be done a second time. */
  #joined(command: Command): void {
    const what = whatOf(command);
    const joined = this.#waiting.filter((one) => one.what === what);
    this.#waiting = this.#waiting.filter((one) => one.what !== what);
    for (const { run } of joined) run('');
  }

  /** With every sweep. */
  look(): void {
    if (this.#waiting.length === 0) return;
    const now = this.#options.clock.monotonicMs();
    for (const waiting of this.#waiting) {
      const { id, names, sinceMs, untilMs, run } = waiting;
      const busy = this.#busy(names);
      const isOver = now >= untilMs;
      if (busy.length > 0 && !isOver) continue;
      this.#waiting = this.#waiting.filter((one) => one !== waiting);
      // Idle in the very moment in which it expires is too late.
      if (isOver) this.#options.refuse(id, stillBusy(busy, now - sinceMs));
      else run('');
    }
  }

  #busy(names: readonly string[]): string[] {
    const now = this.#options.clock.monotonicMs();
    const { components } = this.#options;
    return components()
      .filter(({ name, model }) => names.includes(name) && isBusy(model, now))
      .map(({ name }) => name);
  }
}

const stillBusy = (busy: readonly string[], waitedMs: number): string =>
  busy.length === 0
    ? `it expired after waiting ${minutes(waitedMs)} for a sale to end`
    : `it expired: ${busy.join(', ')} stayed busy for ${minutes(waitedMs)}`;
