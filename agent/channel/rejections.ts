// What was refused on the channel: counted by a closed list of reasons, and told once for each component and reason,
// because a component that babbles must not fill the log.

import type { Log } from '../ports.ts';
import type { RejectReason } from './admission.ts';

const TOLD_MAX = 500;

export class Rejections {
  readonly #log: Log;
  readonly #counts = new Map<RejectReason, number>();
  readonly #told = new Set<string>();

  constructor(log: Log) {
    this.#log = log;
  }

  count(reason: RejectReason, what: string, component = 'unknown'): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
    const key = `${component} ${reason}`;
    if (this.#told.has(key) || this.#told.size >= TOLD_MAX) return;
    this.#told.add(key);
    this.#log.warn(`channel: ${component} ${what}`, { reason, component });
  }

  list(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }
}
