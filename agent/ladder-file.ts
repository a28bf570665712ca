// What the recovery ladder must remember over a reboot: when each component used which rung and whether it held, and
// which reboots were ours. `<dataDir>/ladder.json`. Moments are kept as accumulated uptime, the sum over all
// boots, because a till's wall clock may be dead and its time since boot begins anew; what an unclean end takes
// from that sum makes windows longer, never shorter. A file that cannot be read counts as every token
// spent: a loop of reboots is worse than none.

import * as v from 'valibot';
import { CAUSES, RUNGS } from '../protocol/events.ts';
import { fail, type Result } from '../protocol/result.ts';
import type { BootClock, Files, Log, Timers } from './ports.ts';
import type { RungUse } from './watchdog/machine.ts';
import { REBOOTS_KEPT_MAX, type RebootToken } from './watchdog/recovery-model.ts';

/** Of each component; the oldest give way. */
export const USES_MAX = 50;
const FILE_BYTES_MAX = 1024 * 1024;
/** Accumulated uptime is written this often, while there is something to remember. */
export const KEEP_EVERY_MS = 10 * 60_000;
/** A disk that takes longer is no place for a token: then there is no reboot. */
export const TOKEN_MS_MAX = 10_000;

const ms = v.pipe(v.number(), v.finite());
const useSchema = v.object({
  rung: v.picklist(RUNGS),
  upMs: ms,
  incident: v.string(),
  cause: v.picklist(CAUSES),
  signature: v.string(),
  held: v.optional(v.boolean()),
});
const schema = v.object({
  v: v.literal(1),
  bootId: v.string(),
  /** Since boot, and accumulated at that moment. */
  bootMs: ms,
  upMs: ms,
  uses: v.record(v.string(), v.array(useSchema)),
  /** Their `atMs` is accumulated uptime as well. */
  reboots: v.array(
    v.object({
      atMs: ms,
      component: v.string(),
      incident: v.string(),
      held: v.optional(v.boolean()),
    }),
  ),
});
type Kept = v.InferOutput<typeof schema>;

export type LadderOptions = {
  readonly path: string;
  readonly clock: BootClock;
  readonly timers: Timers;
  readonly files: Files;
  readonly log: Log;
  /** On disk when it resolves, also after a power cut. */
  readonly writeDurably: (path: string, text: string) => Promise<Result<void>>;
};

export class LadderFile {
  readonly #options: LadderOptions;
  readonly #baseMs: number;
  readonly #found: Kept | undefined;
  readonly damaged: boolean;
  #uses: Readonly<Record<string, readonly RungUse[]>>;
  #reboots: readonly RebootToken[];
  /** A write that has not begun yet, and the last of all. */
  #next: Promise<Result<void>> | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #keptAtMs: number;

  constructor(options: LadderOptions) {
    this.#options = options;
    const { path, files, log, clock } = options;
    const found = parse(files.read(path, FILE_BYTES_MAX));
    this.damaged = found === 'damaged';
    this.#found = found === 'damaged' ? undefined : found;
    this.#baseMs = baseOf(this.#found, clock);
    this.#reboots = this.#found?.reboots ?? [];
    this.#keptAtMs = clock.bootMs();
    const names = Object.keys(this.#found?.uses ?? {});
    this.#uses = Object.fromEntries(names.map((name) => [name, this.restored(name)]));
    if (!this.damaged) return;
    log.error(`${path} cannot be read: no reboot for a day of uptime`, { path });
    const unknown = { atMs: this.upMs(), component: '', incident: 'unknown', held: false };
    this.#reboots = Array.from({ length: REBOOTS_KEPT_MAX }, () => unknown);
    this.#keep();
  }

  /** Accumulated over all boots that are known of. */
  upMs(): number {
    return this.#baseMs + this.#options.clock.bootMs();
  }

  /** Uses of an earlier agent, on this process's monotonic clock. */
  restored(component: string): readonly RungUse[] {
    const uses = this.#found?.uses ?? {};
    if (!Object.hasOwn(uses, component)) return [];
    const aheadMs = this.upMs() - this.#options.clock.monotonicMs();
    return (uses[component] ?? []).map(({ upMs, ...use }) => ({ ...use, at: upMs - aheadMs }));
  }

  reboots(): readonly RebootToken[] {
    return this.#reboots;
  }

  /** Written soon and in the background: a disk that hangs must not stop who supervises. */
  remember(uses: Readonly<Record<string, readonly RungUse[]>>): void {
    this.#uses = uses;
    this.#keep();
  }

  /** The plan's view of them, after an outcome is known. */
  setReboots(reboots: readonly RebootToken[]): void {
    this.#reboots = reboots.slice(-REBOOTS_KEPT_MAX);
    this.#keep();
  }

  /** @returns once they are on disk for good, or why not: then nothing may be rebooted. */
  spendReboot(reboots: readonly RebootToken[]): Promise<Result<void>> {
    const { path, timers, log } = this.#options;
    this.#reboots = reboots.slice(-REBOOTS_KEPT_MAX);
    return new Promise((done) => {
      const late = (): void => {
        log.error('ladder: the disk does not take the token of a reboot', { path });
        done(fail('the disk did not take it in time'));
      };
      const cancel = timers.after(TOKEN_MS_MAX, late);
      void this.#write().then((written) => {
        cancel();
        done(written);
      });
    });
  }

  /** Once a second and at the end: how long the machine is up, while there is something to remember. */
  keep(ending = false): void {
    const isEmpty = this.#reboots.length === 0 && Object.keys(this.#uses).length === 0;
    const due = ending || this.#options.clock.bootMs() - this.#keptAtMs >= KEEP_EVERY_MS;
    if (due && !isEmpty) this.#keep();
  }

  /** When what was asked for so far is on disk; for ever on one that hangs. */
  settled(): Promise<unknown> {
    return this.#last;
  }

  #keep(): void {
    const { log } = this.#options;
    void this.#write().then((written) => {
      if (!written.ok) log.error(`ladder: ${written.reason}`);
    });
  }

  /** One at a time; who asks while one waits to begin shares it, because it writes what is known by then. */
  #write(): Promise<Result<void>> {
    const { path, writeDurably, clock } = this.#options;
    this.#keptAtMs = clock.bootMs();
    this.#next ??= this.#last.then(() => {
      this.#next = undefined;
      return writeDurably(path, this.#text());
    });
    this.#last = this.#next;
    return this.#next;
  }

  #text(): string {
    const { clock } = this.#options;
    const upMs = this.upMs();
    const aheadMs = upMs - clock.monotonicMs();
    const uses = Object.entries(this.#uses)
      .filter(([, all]) => all.length > 0)
      .map(([component, all]) => {
        const kept = all.slice(-USES_MAX).map(({ at, ...use }) => ({ ...use, upMs: at + aheadMs }));
        return [component, kept] as const;
      });
    const kept = { v: 1, bootId: clock.bootId(), bootMs: clock.bootMs(), upMs };
    return JSON.stringify({ ...kept, uses: Object.fromEntries(uses), reboots: this.#reboots });
  }
}

function parse(text: string | undefined): Kept | 'damaged' | undefined {
  if (text === undefined) return undefined;
  try {
    const read = v.safeParse(schema, JSON.parse(text));
    return read.success ? read.output : 'damaged';
  } catch {
    return 'damaged';
  }
}

/** Accumulated uptime minus the time since boot. */
function baseOf(found: Kept | undefined, clock: BootClock): number {
  if (found === undefined) return 0;
  if (found.bootId === clock.bootId()) return found.upMs - found.bootMs;
  return found.upMs;
}
