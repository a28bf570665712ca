// The agent's one loop: events of all components in one bounded queue, each run to completion before the
// next, and a sweep four times a second. A queue and not nested calls, because an effect may answer at once
// and the state machine must never be entered twice. Before anything is believed it asks whether the
// agent itself was away (pause.ts).

import { createPauseWatch, type PauseWatch } from './pause.ts';
import type { BootClock, Cancel, Log, Timers } from './ports.ts';
import type { ComponentEvent } from './watchdog/model.ts';

export const SWEEP_MS = 250;
/** A component that floods its socket is slowed down there; this many means a fault of our own. */
export const QUEUE_EVENTS_MAX = 10_000;

/** What may be lost when the queue is full: each of these comes again by itself. */
const REPEATED: readonly ComponentEvent['kind'][] = ['beat', 'touch', 'sample', 'probe', 'tick'];

export type LoopOptions = {
  readonly clock: BootClock;
  readonly timers: Timers;
  readonly log: Log;
  readonly handle: (component: string, event: ComponentEvent, now: number) => void;
  /** The queue is empty for the moment: may push more. */
  readonly settled: () => void;
  readonly paused: (gapMs: number, now: number) => void;
  /** Lateness of a sweep that is no pause. */
  readonly lateMsMax: number;
  /** Looks at everything that lives and judges it, once all beats that wait in sockets were read. */
  readonly observe: () => void;
};

type Queued = { readonly component: string; readonly event: ComponentEvent };

export class Loop {
  readonly #options: LoopOptions;
  readonly #queue: Queued[] = [];
  readonly #pause: PauseWatch;
  readonly #cancelSweep: Cancel;
  #cancelObserve: Cancel = () => undefined;
  #running = false;
  #dropped = 0;
  #pauses = 0;
  #lateMsMax = 0;
  #dueAt: number;

  constructor(options: LoopOptions) {
    this.#options = options;
    const now = options.clock.monotonicMs();
    this.#dueAt = now + SWEEP_MS;
    this.#pause = createPauseWatch(SWEEP_MS + options.lateMsMax, now, options.clock.bootMs());
    this.#cancelSweep = options.timers.every(SWEEP_MS, () => this.#sweep());
  }

  push(component: string, event: ComponentEvent): void {
    this.#add(component, event);
    if (!this.#running) this.#drain();
  }

  /** One event for several: each has it before anything that follows from it at another. */
  pushAll(components: readonly string[], event: ComponentEvent): void {
    for (const component of components) this.#add(component, event);
    if (!this.#running) this.#drain();
  }

  #add(component: string, event: ComponentEvent): void {
    if (this.#queue.length >= QUEUE_EVENTS_MAX && REPEATED.includes(event.kind)) {
      if (this.#dropped === 0) this.#options.log.error('the event queue is full');
      this.#dropped += 1;
      return;
    }
    this.#queue.push({ component, event });
  }

  /** Events dropped, pauses of the agent, and its longest lateness since the last call. */
  stats(): { dropped: number; pauses: number; loopDelayMsMax: number } {
    const stats = { dropped: this.#dropped, pauses: this.#pauses, loopDelayMsMax: this.#lateMsMax };
    this.#lateMsMax = 0;
    return stats;
  }

  stop(): void {
    this.#cancelSweep();
    this.#cancelObserve();
  }

  #drain(): void {
    this.#running = true;
    this.#lookForPause();
    do {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        this.#options.handle(next.component, next.event, this.#options.clock.monotonicMs());
      }
      this.#options.settled();
    } while (this.#queue.length > 0);
    this.#running = false;
  }

  #lookForPause(): void {
    const now = this.#options.clock.monotonicMs();
    const gapMs = this.#pause.look(now);
    if (gapMs > 0) this.#wasAway(gapMs, now);
  }

  #wasAway(gapMs: number, now: number, sleptMs = 0): void {
    const { paused, log } = this.#options;
    this.#pauses += 1;
    log.warn('the agent itself did not run for a while', { gapMs: Math.round(gapMs + sleptMs) });
    paused(gapMs, now);
  }

  #sweep(): void {
    const { clock, timers, observe } = this.#options;
    const now = clock.monotonicMs();
    this.#lateMsMax = Math.max(this.#lateMsMax, now - this.#dueAt);
    this.#dueAt = now + SWEEP_MS;
    this.#drain();
    const sleptMs = this.#pause.swept(clock.monotonicMs(), clock.bootMs());
    // Monotonic time stood still meanwhile: proofs begin anew, and no deadline has come nearer.
    if (sleptMs > 0) this.#wasAway(0, now, sleptMs);
    // Timers come before sockets in Node's loop: judged now, a beat that has arrived would be missed.
    this.#cancelObserve();
    this.#cancelObserve = timers.after(0, observe);
  }
}
