// Whether the head office answers, as both of sync's loops see it. Away is a state to show, never an
// illness: a till sells for days without a line, and restarting sync would not mend it.

import type { Log } from '../shared/log.ts';

export class Uplink {
  readonly #log: Log;
  readonly #now: () => number;
  #state: { readonly up: boolean; readonly sinceMs: number; readonly reason: string } | undefined;
  /** Called when the head office is back: what waits need not wait longer. */
  onBack: () => void = () => undefined;
  onChange: () => void = () => undefined;

  constructor(log: Log, now: () => number) {
    this.#log = log;
    this.#now = now;
  }

  answered(): void {
    if (this.#state?.up === true) return;
    const wasAway = this.#state?.up === false;
    this.#state = { up: true, sinceMs: this.#now(), reason: '' };
    this.#log.info(wasAway ? 'the head office is back' : 'the head office answers');
    this.onChange();
    if (wasAway) this.onBack();
  }

  failed(reason: string): void {
    if (this.#state?.up === false) return;
    this.#state = { up: false, sinceMs: this.#now(), reason };
    this.#log.warn('the head office is away', { reason });
    this.onChange();
  }

  up(): boolean {
    return this.#state?.up === true;
  }

  /** A sentence for the supervisor and for /healthz. */
  text(): string {
    const state = this.#state;
    if (state === undefined) return 'the head office has not been asked yet';
    if (state.up) return 'the head office answers';
    return `the head office is away since ${new Date(state.sinceMs).toISOString()}: ${state.reason}`;
  }
}
