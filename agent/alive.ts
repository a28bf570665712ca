// Who watches the agent: systemd (notify.ts), the kernel's watchdog device, and the respawner that stands in for
// systemd (deploy/tillwatch-respawn). All three are fed from one place, the end of a full sweep, when every
// component was looked at and judged; so an agent that is alive but does no work any more is ended by one of them.
// What cannot be fed is said once, counted, and tried again: the agent itself never fails for it.

import { join } from 'node:path';
import { createNotifier, type NotifyOptions } from './notify.ts';
import type { Log } from './ports.ts';
import { openWatchdogDevice, type WatchdogDevice, writeSweep } from './system/signs.ts';

/** The respawner allows 30 s; its shell compares what stands in the file and needs no clock. */
export const SWEEP_FILE_MS = 2_000;
/** Hardware watchdogs of small machines wait 15 s, most a minute. */
export const DEVICE_FEED_MS = 5_000;
/** A driver may be loaded later, and whoever else holds the device may let it go. */
export const DEVICE_RETRY_MS = 60_000;

export const WATCHERS = ['systemd', 'device', 'file'] as const;
export type Watcher = (typeof WATCHERS)[number];

export type AliveOptions = NotifyOptions & {
  readonly log: Log;
  readonly runDir: string;
  readonly watchdogDevice: string | undefined;
};

export type Alive = {
  /** Everything is open and what runs was adopted. */
  readonly begun: () => void;
  /** At the end of every full sweep, and nowhere else. */
  readonly swept: () => void;
  /** The agent begins to end; sweeps go on while components are stopped. Resolves when who waits was told. */
  readonly stopping: () => Promise<void>;
  /** It ends in good order. Never called by a crash: then the device must reboot the machine in time. */
  readonly ended: () => void;
  /** Signs of life that could not be given. */
  readonly failures: () => Readonly<Record<Watcher, number>>;
};

/** What comes round with the sweeps, but not with each. */
class Due {
  readonly #everyMs: number;
  #at = Number.NEGATIVE_INFINITY;

  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  is(now: number): boolean {
    if (now - this.#at < this.#everyMs) return false;
    this.#at = now;
    return true;
  }
}

/** Opened with the first sweep: an agent that never came so far has nothing to be trusted with. */
class Device {
  readonly #path: string;
  readonly #log: Log;
  readonly #feedDue = new Due(DEVICE_FEED_MS);
  readonly #openDue = new Due(DEVICE_RETRY_MS);
  #open: WatchdogDevice | undefined;
  #said = false;
  failures = 0;

  constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
  }

  swept(now: number): void {
    if (this.#open === undefined) this.#arm(now);
    if (this.#open === undefined || !this.#feedDue.is(now)) return;
    const fed = this.#open.feed();
    if (!fed.ok) this.#failed(fed.reason);
  }

  disarm(): void {
    const done = this.#open?.disarm();
    this.#open = undefined;
    if (done?.ok === false) this.#log.error(`${done.reason}: the machine may reboot`);
  }

  #arm(now: number): void {
    if (!this.#openDue.is(now)) return;
    const opened = openWatchdogDevice(this.#path);
    if (!opened.ok) {
      this.#failed(opened.reason);
      return;
    }
    this.#open = opened.value;
    this.#log.info('the watchdog device is armed', { device: this.#path });
  }

  #failed(reason: string): void {
    this.failures += 1;
    if (!this.#said) this.#log.warn(reason);
    this.#said = true;
  }
}

export function createAlive(options: AliveOptions): Alive {
  const { clock, log, processes, runDir, watchdogDevice } = options;
  const notifier = createNotifier(options);
  const device = watchdogDevice === undefined ? undefined : new Device(watchdogDevice, log);
  const fileDue = new Due(SWEEP_FILE_MS);
  const file = join(runDir, 'sweep');
  let fileFailures = 0;
  let sweeps = 0;

  const touch = (): void => {
    const written = writeSweep(file, processes.ownPid, sweeps);
    if (written.ok) return;
    if (fileFailures === 0) log.warn(written.reason);
    fileFailures += 1;
  };

  return {
    begun: () => notifier.ready(),
    swept: () => {
      const now = clock.monotonicMs();
      sweeps += 1;
      notifier.swept();
      device?.swept(now);
      if (fileDue.is(now)) touch();
    },
    stopping: () => notifier.stopping(),
    ended: () => device?.disarm(),
    failures: () => ({
      systemd: notifier.failures(),
      device: device?.failures ?? 0,
      file: fileFailures,
    }),
  };
}
