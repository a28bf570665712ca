// Tells systemd that the agent is ready, that it sweeps, and that it ends: sd_notify(3). Node has no datagram
// sockets for it (research/supervisors.md j), so systemd's own systemd-notify is run, once each third of the
// watchdog's time: 6 ms then, where a native module would be a compiler on every till. WATCHDOG=1 is only ever
// said from the end of a full sweep and never from a timer: an agent that stopped sweeping must be killed.

import type { Cancel, Clock, Log, Processes, Timers } from './ports.ts';

/** systemd-notify itself waits 5 s for its message to be taken [systemd-notify(1), BARRIER=1]. */
export const NOTIFY_MS_MAX = 7_000;
/** After a failure; sweeps come four times a second. */
export const RETRY_MS = 1_000;
/** sd_watchdog_enabled(3) advises half the time; a third leaves room for one that fails. */
const FEEDS_PER_TIMEOUT = 3;

export type Notifier = {
  /** Everything is open and what runs was adopted. */
  readonly ready: () => void;
  /** A full sweep is over. */
  readonly swept: () => void;
  /** Resolves when systemd was told, or cannot be: whoever ends before that is never heard. */
  readonly stopping: () => Promise<void>;
  /** Messages that systemd did not get. */
  readonly failures: () => number;
};

export type NotifyOptions = {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly processes: Pick<Processes, 'ownPid' | 'start' | 'signal'>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly timers: Pick<Timers, 'after'>;
  readonly log: Pick<Log, 'info' | 'warn'>;
  /** One line for `systemctl status`. */
  readonly status: () => string;
};

/** What systemd allows to pass between two feeds; undefined: nobody waits for any [sd_watchdog_enabled(3)]. */
export function watchdogMs(
  environment: NotifyOptions['environment'],
  ownPid: number,
): number | undefined {
  const { WATCHDOG_USEC: usec = '', WATCHDOG_PID: pid } = environment;
  if (!/^[1-9]\d{0,15}$/.test(usec)) return undefined;
  // A watchdog that was set up for another process, such as a launcher, is not ours to feed.
  if (pid !== undefined && pid !== String(ownPid)) return undefined;
  return Number(usec) / 1_000;
}

class SystemdNotifier implements Notifier {
  readonly #options: NotifyOptions;
  readonly #feedMs: number | undefined;
  /** What is still to be said; what could not be said waits here for the next sweep. */
  readonly #waiting = new Map<string, string>();
  #statusTold = '';
  #running = false;
  #failures = 0;
  #said = false;
  #fedAt = Number.NEGATIVE_INFINITY;
  #notBefore = Number.NEGATIVE_INFINITY;
  readonly #lastWord = Promise.withResolvers<void>();

  constructor(options: NotifyOptions) {
    this.#options = options;
    const ms = watchdogMs(options.environment, options.processes.ownPid);
    this.#feedMs = ms === undefined ? undefined : ms / FEEDS_PER_TIMEOUT;
  }

  ready(): void {
    this.#waiting.set('READY', '1');
    this.#say();
  }

  swept(): void {
    const now = this.#options.clock.monotonicMs();
    if (this.#running || now < this.#notBefore) return;
    const due = this.#feedMs !== undefined && now - this.#fedAt >= this.#feedMs;
    if (due) {
      this.#fedAt = now;
      this.#waiting.set('WATCHDOG', '1');
    }
    if (this.#waiting.size > 0) this.#say();
  }

  stopping(): Promise<void> {
    this.#waiting.set('STOPPING', '1');
    if (!this.#running) this.#say();
    return this.#lastWord.promise;
  }

  failures(): number {
    return this.#failures;
  }

  /** All that waits in one process; the line for people travels with it when it is another. */
  #say(): void {
    const status = this.#options.status();
    if (status !== this.#statusTold) this.#waiting.set('STATUS', status);
    const words = new Map(this.#waiting);
    this.#waiting.clear();
    this.#running = true;
    void this.#run(words).then((failure) => this.#ran(words, failure));
  }

  #ran(words: ReadonlyMap<string, string>, failure: string | undefined): void {
    this.#running = false;
    if (failure === undefined) this.#statusTold = words.get('STATUS') ?? this.#statusTold;
    else this.#failed(words, failure);
    if (words.has('STOPPING')) this.#lastWord.resolve();
    // The last word has no sweep to wait for, and no sweep vouches for the watchdog any more.
    if (this.#waiting.has('STOPPING') && !words.has('STOPPING')) this.#say();
  }

  #failed(words: ReadonlyMap<string, string>, failure: string): void {
    this.#failures += 1;
    this.#notBefore = this.#options.clock.monotonicMs() + RETRY_MS;
    // READY is said again until it was heard; a feed belongs to its own sweep, the next one feeds anew.
    if (words.has('READY')) this.#waiting.set('READY', '1');
    if (words.has('WATCHDOG')) this.#fedAt = Number.NEGATIVE_INFINITY;
    if (!this.#said) this.#options.log.warn(`systemd cannot be told how the agent is: ${failure}`);
    this.#said = true;
  }

  /** Resolves when the process has ended: never two at a time. @returns why it was in vain. */
  #run(words: ReadonlyMap<string, string>): Promise<string | undefined> {
    const { environment, processes, timers } = this.#options;
    const { PATH = '/usr/bin:/bin', NOTIFY_SOCKET = '' } = environment;
    const text = [...words].map(([name, value]) => `${name}=${value}`);
    return new Promise((done) => {
      let cancel: Cancel = () => undefined;
      let late = false;
      let isOver = false;
      const ended = (code: number | undefined, signal: string | undefined): void => {
        isOver = true;
        cancel();
        if (late) done('systemd-notify did not end in time');
        else done(code === 0 ? undefined : `systemd-notify ended with ${code ?? signal}`);
      };
      const spec = { command: ['systemd-notify', ...text], env: { PATH, NOTIFY_SOCKET } };
      void processes.start(spec, ended).then((started) => {
        if (!started.ok) {
          done(started.reason);
          return;
        }
        const { pid } = started.value;
        if (isOver) return;
        cancel = timers.after(NOTIFY_MS_MAX, () => {
          late = true;
          processes.signal(pid, 'SIGKILL');
        });
      });
    });
  }
}

const SILENT: Notifier = {
  ready: () => undefined,
  swept: () => undefined,
  stopping: () => Promise.resolve(),
  failures: () => 0,
};

/** One that says nothing where nobody listens. */
export function createNotifier(options: NotifyOptions): Notifier {
  const listens = (options.environment['NOTIFY_SOCKET'] ?? '') !== '';
  return listens ? new SystemdNotifier(options) : SILENT;
}
