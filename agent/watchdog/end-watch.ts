// One life of a component, and how its end is heard. Two things may tell of it: the shim's FIFO loses its
// only writer (also for a life that an earlier agent began), and for our own child the exit of the shim.
// Whichever comes first starts a look at what is really there, because a shim can be killed alone while the
// component sells on; then, and only then, the component is looked after by polling. A shim that is stopped
// tells nothing: there the agent's own looks at the component (control.sample) find it dead.

import type { Cancel, Log, Ports } from '../ports.ts';
import { isAlive } from './identity.ts';
import {
  type Exit,
  exitFile,
  exitOfStatus,
  KILLED,
  lifeFifo,
  parseExitFile,
  UNKNOWN_EXIT,
} from './shim.ts';
import type { Target } from './tree.ts';

export type Life = Target & {
  readonly component: string;
  readonly token: string;
  readonly pid: number;
  readonly shimPid: number;
  /** Empty when the record was lost and nobody knows. */
  readonly logFile: string;
  /** Wall clock, for people. */
  readonly startedMs: number;
  /** As it was started; unknown when that was not noted. */
  readonly version?: string | undefined;
  /** What it was started with, as one word; unknown when that was not noted. */
  readonly launch?: string | undefined;
};

/** How long to wait before each next look at a component whose shim is gone; the last repeats. */
const LOOK_WAITS_MS = [1, 2, 5, 10, 20, 50, 100] as const;
const LOOK_WAIT_MS_MAX = 200;
/** Of a component that is dead, so long its shim may take to say how; a stopped one never will. */
const SHIM_WORD_MS_MAX = 1_000;

export class EndWatch {
  readonly life: Life;
  readonly #ports: Ports;
  readonly #log: Log;
  readonly #dir: string;
  readonly #ended: (exit: Exit) => void;
  #phase: 'idle' | 'listening' | 'looking' | 'ended' = 'idle';
  #cancelFifo: Cancel | undefined;
  #shimStatus: number | undefined;
  #shimExited = false;
  #killed = false;
  #deadSince: number | undefined;
  /** CPU time of a tree falls when a child goes unwaited; a counter must not. */
  cpuSecondsMax = 0;

  constructor(ports: Ports, log: Log, dir: string, life: Life, ended: (exit: Exit) => void) {
    this.life = life;
    this.#ports = ports;
    this.#log = log;
    this.#dir = dir;
    this.#ended = ended;
  }

  /** Opens first and looks then: a shim that dies in between is seen either way. */
  begin(): void {
    if (this.#phase !== 'idle') return;
    this.#phase = 'listening';
    const fifo = lifeFifo(this.#dir, this.life.instance);
    this.#cancelFifo = this.#ports.processes.listenFifo(
      fifo,
      (text) => this.#heard(text),
      () => this.#startLooking(),
    );
    const deaf = this.#cancelFifo === undefined;
    if (deaf || this.#shimGone()) this.#startLooking();
  }

  /** The shim was our child and has ended; `status` as a shell tells it. */
  shimExited(status: number | undefined): void {
    this.#shimExited = true;
    this.#shimStatus = status;
    this.#startLooking();
  }

  /** We are about to end it ourselves, the shim included: there will be no exit file. */
  killing(): void {
    this.#killed = true;
  }

  /** Somebody looked, and it was dead. */
  foundDead(): void {
    this.#startLooking();
  }

  #shimGone(): boolean {
    return this.#shimExited || !isAlive(this.#ports, this.life.shim);
  }

  /** The shim's own word, a moment before it writes the exit file. */
  #heard(text: string): void {
    const exit = parseExitFile(text);
    if (exit !== undefined && this.#phase !== 'ended') this.#end(exit);
  }

  #startLooking(): void {
    if (this.#phase !== 'listening') return;
    this.#phase = 'looking';
    this.#look(0);
  }

  #look(round: number): void {
    if (this.#phase === 'ended') return;
    const { files, timers } = this.#ports;
    const written = parseExitFile(files.read(exitFile(this.#dir, this.life.instance), 16));
    const alive = isAlive(this.#ports, this.life.main);
    if (written !== undefined || (!alive && (this.#shimGone() || this.#isSilent()))) {
      this.#end(written ?? this.#guess());
      return;
    }
    if (round === LOOK_WAITS_MS.length && alive) {
      const { component, pid } = this.life;
      this.#log.warn('control: no shim to hear of its end, so it is polled', { component, pid });
    }
    timers.after(LOOK_WAITS_MS[round] ?? LOOK_WAIT_MS_MAX, () => this.#look(round + 1));
  }

  #isSilent(): boolean {
    const now = this.#ports.clock.monotonicMs();
    this.#deadSince ??= now;
    return now - this.#deadSince >= SHIM_WORD_MS_MAX;
  }

  #guess(): Exit {
    if (this.#killed) return KILLED;
    return this.#shimStatus === undefined ? UNKNOWN_EXIT : exitOfStatus(this.#shimStatus);
  }

  #end(exit: Exit): void {
    this.#phase = 'ended';
    this.#cancelFifo?.();
    this.#ended(exit);
  }
}
