// Keeps what components print within its bound, without a pipe and without losing a line that is to be kept. Output
// goes to one append-only file per life; once a second each is looked at, and what is too much (capture.ts) is
// freed behind the writer, who is never asked, never cut and never waits. What was freed is noted first
// (logs/holes.ts), told once per flood (flood.ts), and counted. Only where the file system cannot do that a file is
// truncated, and what that loses is counted, too. Everything that touches the disk is asked in a row, one question
// at a time, by nobody who watches.

import { join } from 'node:path';
import { type JournalFile, judgeRate, judgeSize } from './capture.ts';
import { grow, isOver, tell } from './flood.ts';
import { sizeText } from './logs/holes.ts';
import { cutInstead, shorten } from './output-cut.ts';
import { Journal, type Means } from './output-journal.ts';
import { readOn } from './output-reader.ts';
import type { Output, OutputOptions, OutputReading, OutputRoom } from './output-types.ts';
import { CREDIT_MS_MAX, newWatch, type Watch } from './output-watch.ts';
import type { FileStat } from './system/journal-files.ts';

export type { Output, OutputReading, OutputRoom } from './output-types.ts';

/** What stays of each component's output when the disk is short of room. */
export const OUTPUT_BYTES_LEAST = 64 * 1024;
/** While it floods it is looked at more often: 50 MB/s would be 50 MB by the next second. */
const FLOOD_LOOK_MS = 250;
/** Output of which nothing was seen for so long is looked at every other second: it is most of all output. */
const QUIET_AFTER_MS = 30_000;
const QUIET_LOOK_MS = 1_500;
/** All files of a component are looked at this often, and whenever the open one grew by a share of the bound. */
const ALL_EVERY_MS = 60_000;
const GROWN_RATIO = 1 / 16;
class CapturedOutput implements Output {
  readonly #o: OutputOptions;
  readonly #watches = new Map<string, Watch>();
  readonly #waiting = new Map<string, string | undefined>();
  readonly #pressed = new Map<string, PromiseWithResolvers<void>>();
  readonly #means: Means = { refused: undefined, said: '' };
  #room: OutputRoom = 'all';
  #working: Promise<void> | undefined;
  #cancelSoon: (() => void) | undefined;
  #stopped = false;

  constructor(options: OutputOptions) {
    this.#o = options;
  }

  readonly fileOf = (component: string, instance: string): string => {
    const path = join(this.#o.logDir, component, `${instance}.log`);
    Object.assign(this.#watchOf(component), { begun: path, listedAtMs: -Infinity });
    this.#o.reader?.began(component, path);
    return path;
  };

  readonly tidy = (component: string, open: string | undefined): void => {
    if (this.#stopped || this.#mayWait(component, open)) return;
    this.#waiting.set(component, open);
    this.#working ??= this.#work();
  };

  #mayWait(component: string, open: string | undefined): boolean {
    const watch = this.#watches.get(component);
    if (watch?.seen === undefined || watch.open !== open) return false;
    const { grownAtMs, seen, allAtMs } = watch;
    const now = this.#o.clock.monotonicMs();
    const isQuiet = now - grownAtMs >= QUIET_AFTER_MS && allAtMs !== -Infinity;
    return isQuiet && now - seen.atMs < QUIET_LOOK_MS;
  }

  setRoom(room: OutputRoom): void {
    if (room === this.#room) return;
    this.#room = room;
    for (const [component, watch] of this.#watches) {
      watch.allAtMs = -Infinity;
      this.tidy(component, watch.open);
    }
  }

  readings(): OutputReading[] {
    return [...this.#watches].map(([component, { openBytes, closedBytes, dropped }]) => ({
      component,
      bytes: openBytes + closedBytes,
      dropped: { ...dropped },
    }));
  }

  press(component: string): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    const pressed = this.#pressed.get(component) ?? Promise.withResolvers<void>();
    this.#pressed.set(component, pressed);
    const watch = this.#watches.get(component);
    // Which file is open is only known with the first look, which comes within a second.
    if (watch !== undefined && !this.#waiting.has(component)) {
      this.#waiting.set(component, watch.open);
    }
    if (this.#waiting.has(component)) this.#working ??= this.#work();
    return pressed.promise;
  }

  async settled(): Promise<void> {
    await this.#working;
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelSoon?.();
    this.#waiting.clear();
    for (const pressed of this.#pressed.values()) pressed.resolve();
    for (const [component, watch] of this.#watches) this.#tellFlood(component, watch, true);
  }

  async #work(): Promise<void> {
    for (;;) {
      const next = [...this.#waiting][0];
      if (next === undefined) break;
      const [component, open] = next;
      this.#waiting.delete(component);
      const pressed = this.#pressed.get(component);
      this.#pressed.delete(component);
      try {
        await this.#look(component, open);
      } catch (error) {
        // Only a bug gets here; what components print must still be bounded.
        this.#o.log.error('output was not looked at', { component, reason: String(error) });
      }
      pressed?.resolve();
    }
    this.#working = undefined;
    this.#lookSoon();
  }

  /** Again before the next second, for those that flood. */
  #lookSoon(): void {
    this.#cancelSoon?.();
    if (this.#stopped) return;
    const loud = [...this.#watches].filter(([, { flood }]) => flood !== undefined);
    if (loud.length === 0) return;
    this.#cancelSoon = this.#o.timers.after(FLOOD_LOOK_MS, () => {
      for (const [component, { open }] of loud) this.tidy(component, open);
    });
  }

  #watchOf(component: string): Watch {
    const known = this.#watches.get(component);
    if (known !== undefined) return known;
    const { disk, puncher, clock, log, logDir } = this.#o;
    const dropped: Watch['dropped'] = {};
    const { monotonicMs, wallMs } = clock;
    const journal = new Journal({
      ...{ component, folder: join(logDir, component), means: this.#means },
      ...{ disk, puncher, log, monotonicMs, wallMs },
      takenTo: (path) => this.#o.reader?.takenTo(component, path) ?? 0,
      dropped: (reason, bytes) => {
        if (bytes > 0) dropped[reason] = (dropped[reason] ?? 0) + bytes;
      },
    });
    const made = newWatch(journal, dropped);
    this.#watches.set(component, made);
    return made;
  }

  async #look(component: string, open: string | undefined): Promise<void> {
    const { disk, clock, bytesMax } = this.#o;
    const watch = this.#watchOf(component);
    if (watch.open !== open) {
      this.#tellFlood(component, watch, true);
      Object.assign(watch, { open, seen: undefined, openBytes: 0, allAtMs: -Infinity });
      Object.assign(watch, { isEmptied: false, listedAtMs: -Infinity });
    }
    const stat = open === undefined ? undefined : await disk.stat(open);
    if (stat !== undefined) {
      if (stat.size < (watch.seen?.size ?? 0)) await this.#emptied(component, watch, stat);
      watch.openBytes = stat.allocated;
      await this.#judgeRate(watch, stat);
    }
    const isMore = await readOn(watch, component, stat, this.#o);
    if (isMore && !this.#stopped && !this.#waiting.has(component)) {
      this.#waiting.set(component, open);
    }
    const now = clock.monotonicMs();
    const grown = watch.openBytes - watch.allBytes;
    const isDue = now - watch.allAtMs >= ALL_EVERY_MS || grown >= bytesMax * GROWN_RATIO;
    if (isDue) await this.#judgeAll(watch);
    this.#tellFlood(component, watch);
  }

  async #judgeRate(watch: Watch, stat: FileStat): Promise<void> {
    const { clock, bytesPerSecondMax } = this.#o;
    const { seen } = watch;
    const now = { atMs: clock.monotonicMs(), wallMs: clock.wallMs() };
    watch.seen = { size: stat.size, ...now };
    if (seen?.size !== stat.size) watch.grownAtMs = now.atMs;
    if (seen === undefined || this.#means.refused !== undefined) return;
    const read = this.#o.reader?.readTo(watch.journal.component, stat.path) ?? 0;
    const growth = {
      ...{ from: Math.max(seen.size, read), size: stat.size, bytesPerSecondMax },
      elapsedMs: this.#credit(watch, now.atMs - seen.atMs, stat.size - seen.size),
    };
    const piece = judgeRate(growth);
    if (piece === undefined) return;
    const file = await watch.journal.known(stat);
    const times = { firstMs: Math.min(seen.wallMs, now.wallMs), lastMs: now.wallMs };
    const hole = { ...times, reason: 'rate' as const, limit: bytesPerSecondMax };
    const bytes = await watch.journal.free(file, piece, hole);
    if (bytes > 0) watch.flood = grow(watch.flood, bytes, now.atMs);
  }

  /** What was not used counts for a second: looked at more often, no more of it is given up. */
  #credit(watch: Watch, elapsedMs: number, grown: number): number {
    const credit = Math.min(Math.max(elapsedMs, CREDIT_MS_MAX), watch.creditMs + elapsedMs);
    const usedMs = (grown * 1_000) / this.#o.bytesPerSecondMax;
    watch.creditMs = Math.max(0, credit - usedMs);
    return credit;
  }

  /** Not by us: a component that opens its own output by name (`> /dev/stderr`) empties it. */
  async #emptied(component: string, watch: Watch, { path }: FileStat): Promise<void> {
    await watch.journal.forget(path);
    const bytes = Math.min(watch.openBytes, watch.seen?.size ?? 0);
    watch.dropped.truncated = (watch.dropped.truncated ?? 0) + bytes;
    watch.seen = undefined;
    if (watch.isEmptied) return;
    watch.isEmptied = true;
    const what = `output of ${component} was emptied, and not by the agent`;
    this.#o.log.warn(`${what}: does it open its own output again?`, { component, bytes });
  }

  #bytesMax(): number {
    const { bytesMax } = this.#o;
    if (this.#room === 'all') return bytesMax;
    return Math.max(OUTPUT_BYTES_LEAST, this.#room === 'quarter' ? bytesMax / 4 : 0);
  }

  async #judgeAll(watch: Watch): Promise<void> {
    const { clock } = this.#o;
    const files = await watch.journal.files();
    const reason = this.#room === 'all' ? 'size' : 'disk';
    const surplus = judgeSize(files, watch.open, this.#bytesMax());
    for (const file of surplus.remove) await watch.journal.remove(file, reason);
    const lastMs = clock.wallMs();
    const hole = { firstMs: lastMs, lastMs, reason, limit: this.#bytesMax() } as const;
    for (const { file, ranges } of surplus.punch) {
      for (const range of ranges) {
        if (this.#means.refused !== undefined) break;
        await watch.journal.free(file, range, hole);
      }
      if (this.#means.refused !== undefined) await cutInstead(watch, file, this.#bytesMax());
    }
    await shorten(watch, files, this.#bytesMax(), this.#o);
    const left = await watch.journal.files();
    const sum = (of: readonly JournalFile[]) => of.reduce((all, file) => all + file.allocated, 0);
    watch.closedBytes = sum(left.filter(({ path }) => path !== watch.open));
    watch.openBytes = sum(left.filter(({ path }) => path === watch.open));
    Object.assign(watch, { allAtMs: clock.monotonicMs(), allBytes: watch.openBytes });
  }

  /** @param isEnd the life is over, and its flood with it. */
  #tellFlood(component: string, watch: Watch, isEnd = false): void {
    if (watch.flood === undefined) return;
    const now = this.#o.clock.monotonicMs();
    const told = tell(watch.flood, now, isEnd);
    if (told !== undefined) {
      watch.flood = told.flood;
      this.#report(component, told.bytes);
    }
    if (isEnd || isOver(watch.flood, now)) watch.flood = undefined;
  }

  #report(component: string, bytes: number): void {
    const reason = `it printed more than ${sizeText(this.#o.bytesPerSecondMax)} a second`;
    this.#o.report({ kind: 'output_dropped', component, fields: { bytes, reason } });
    this.#o.log.warn(`output of ${component} was not kept: ${reason}`, { component, bytes });
  }
}

export const createOutput = (options: OutputOptions): Output => new CapturedOutput(options);
