// Commands that were not believed or not allowed: counted by why, and told to the centre. The first of a kind is told
// at once, because it may be the first sign of somebody in the middle; after it at most one a minute with how many
// they were, because whoever sends them must not decide how much the till sends.

import type { EventFields, NewEvent } from '../protocol/events.ts';
import { REASON_CHARS_MAX } from '../protocol/limits.ts';

export type RefusedWhy = EventFields<'command_refused'>['why'];

export const REFUSED_TOLD_EVERY_MS = 60_000;

type Seen = { count: number; toldAtMs: number; waiting: number; reason: string; command: string };

export type RefusedOptions = {
  readonly monotonicMs: () => number;
  readonly report: (event: NewEvent) => void;
};

export class Refused {
  readonly #options: RefusedOptions;
  readonly #seen = new Map<RefusedWhy, Seen>();

  constructor(options: RefusedOptions) {
    this.#options = options;
  }

  /** @param command its id, where it could be read. */
  hear(why: RefusedWhy, reason: string, command = ''): void {
    const known = this.#seen.get(why);
    const fresh = { count: 0, toldAtMs: Number.NEGATIVE_INFINITY, waiting: 0, reason, command };
    const seen = known ?? fresh;
    this.#seen.set(why, seen);
    Object.assign(seen, { reason, command, count: seen.count + 1, waiting: seen.waiting + 1 });
    this.#tell(why, seen);
  }

  /** To be called again and again: tells what came since, once it may. */
  look(): void {
    for (const [why, seen] of this.#seen) if (seen.waiting > 0) this.#tell(why, seen);
  }

  #tell(why: RefusedWhy, seen: Seen): void {
    const now = this.#options.monotonicMs();
    if (now - seen.toldAtMs < REFUSED_TOLD_EVERY_MS) return;
    const { reason, command, waiting: count } = seen;
    const fields = {
      ...{ why, count, reason: reason.slice(0, REASON_CHARS_MAX) },
      ...(command === '' ? {} : { command }),
    };
    this.#options.report({ kind: 'command_refused', component: '', fields });
    seen.waiting = 0;
    seen.toldAtMs = now;
  }

  counts(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#seen].map(([why, { count }]) => [why, count]));
  }
}
