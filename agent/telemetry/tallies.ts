// Counts lines of what components print, for the counters of their configuration. Each life's output is read once, in
// order, from where the last look ended, and what was counted is written down together with that place: a line is
// counted once, whichever agent looks at it, and what is told is what the disk has. Read apart from the `log` probe,
// whose tail begins anew with each life and skips to the newest: a probe asks how things are, a counter must not miss
// one. A look costs some milliseconds at most; a flood is counted as fast as that goes, what lies too far behind is
// skipped, and so many bytes are told as unread.

import { basename } from 'node:path';
import type { LineCounter } from '../../configuration/metrics.ts';
import type { Sample } from '../../protocol/metric-body.ts';
import type { Result } from '../../protocol/result.ts';
import type { Clock, Log, Timers } from '../ports.ts';
import type { JournalDisk } from '../system/journal-files.ts';
import { compileCounter, type LinePattern } from './line-patterns.ts';
import {
  add,
  begin,
  emptyTally,
  readTallies,
  TALLIES_BYTES_MAX,
  type TalliesState,
  type Tally,
  type TallyFile,
} from './tally.ts';
import { type Lines, linesOf } from './tally-lines.ts';
import { samplesOf } from './tally-samples.ts';

export const TALLY_EVERY_MS = 2_000;
/** At one look, of one component, and at one reading of it. */
const LOOK_BYTES = 2 * 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;
/** What lies further behind is not read: at the default rate of output, eight seconds of a flood. */
export const TALLY_BEHIND_BYTES_MAX = 8 * 1024 * 1024;
/** Matching at one stretch, and how many of them a look may have. */
const STRETCH_MS = 5;
const STRETCHES_MAX = 10;
/** Of one wait for what is behind. */
const LOOKS_MAX = 20;
/** Counts are worth a write so often, and a place alone less: what is read again costs nothing but time. */
const COUNTED_WRITTEN_MS = 10_000;
const PLACE_WRITTEN_MS = 60_000;

export type TalliesOptions = {
  readonly path: string;
  readonly components: readonly {
    readonly name: string;
    readonly version: string;
    readonly counters: readonly LineCounter[];
  }[];
  readonly disk: Pick<JournalDisk, 'stat' | 'bytesAt'>;
  readonly read: (path: string, bytesMax: number) => string | undefined;
  readonly write: (path: string, text: string) => Promise<Result<void>>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly timers: Timers;
  readonly log: Log;
};

type Counting = { readonly counter: LineCounter; readonly match: LinePattern };

export class Tallies {
  readonly #o: TalliesOptions;
  readonly #state: TalliesState = { components: {} };
  #told: TalliesState;
  readonly #open = new Map<string, string | undefined>();
  readonly #counting = new Map<string, Promise<readonly Counting[]>>();
  readonly #cancel: () => void;
  #looking: Promise<void> | undefined;
  #writing: Promise<void> | undefined;
  #counted = false;
  /** A life began that only this agent knows of. */
  #isUrgent = false;
  #moved = false;
  #writtenAtMs: number;

  constructor(options: TalliesOptions) {
    this.#o = options;
    const { path, read, log, timers, clock } = options;
    const known = readTallies(read(path, TALLIES_BYTES_MAX));
    if (known === undefined) log.error(`${path} cannot be read: lines are counted anew`);
    const counted = options.components.filter(({ counters }) => counters.length > 0);
    for (const { name } of counted) {
      this.#state.components[name] = known?.components[name] ?? emptyTally();
    }
    this.#told = structuredClone(this.#state);
    this.#writtenAtMs = clock.monotonicMs();
    const look = (): void => {
      void this.look();
    };
    this.#cancel = counted.length === 0 ? () => undefined : timers.every(TALLY_EVERY_MS, look);
  }

  began(component: string, open: string | undefined): void {
    const tally = this.#state.components[component];
    if (tally === undefined) return;
    this.#open.set(component, open);
    const config = this.#o.components.find(({ name }) => name === component);
    if (open === undefined || config === undefined) return;
    if (!begin(tally, open, config.version)) return;
    // At once: an agent that comes after this one can find only the life that runs by itself.
    this.#counted = true;
    this.#isUrgent = true;
    void this.save();
  }

  /** Before bytes of it go: those up to there are counted and that is written down, or the disk takes nothing. */
  async reached(component: string, path: string, to: number): Promise<void> {
    const tally = this.#state.components[component];
    for (let look = 0; look < LOOKS_MAX; look += 1) {
      const file = tally?.files.find((one) => one.path === path);
      if (file === undefined || file.position >= to) break;
      const before = file.position;
      await this.look();
      // Half a line, or a file before it that has more than one look of lines.
      if (file.position === before && tally?.files[0] === file) break;
    }
    // What is being written just now may be older.
    await this.save();
    await this.save();
  }

  /** For a sample: what is on disk. A counter without labels is there before its first line. */
  samples(component: string): Sample[] {
    const told = this.#told.components[component];
    const config = this.#o.components.find(({ name }) => name === component);
    if (told === undefined || config === undefined) return [];
    const version = told.files.at(-1)?.version ?? config.version;
    return config.counters.flatMap((counter) =>
      samplesOf(counter, told.counters[counter.name] ?? [], { component, version }),
    );
  }

  unreadBytes(): Readonly<Record<string, number>> {
    const all = Object.entries(this.#told.components);
    return Object.fromEntries(all.map(([name, { unreadBytes }]) => [name, unreadBytes]));
  }

  stop(): void {
    this.#cancel();
    void this.save();
  }

  /** One look at all, one at a time. */
  look(): Promise<void> {
    this.#looking ??= this.#lookAll()
      // A disk that fails is asked again with the next look.
      .catch((error: unknown) => this.#o.log.warn('lines not counted', { reason: String(error) }))
      .finally(() => {
        this.#looking = undefined;
      });
    return this.#looking;
  }

  async #lookAll(): Promise<void> {
    for (const [component, tally] of Object.entries(this.#state.components)) {
      await this.#lookAt(component, tally);
    }
    const passedMs = this.#o.clock.monotonicMs() - this.#writtenAtMs;
    const isDue = passedMs >= (this.#counted ? COUNTED_WRITTEN_MS : PLACE_WRITTEN_MS);
    if (isDue) void this.save();
  }

  async #lookAt(component: string, tally: Tally): Promise<void> {
    const counting = await this.#countingOf(component);
    let left = LOOK_BYTES;
    const pace = { stretches: STRETCHES_MAX };
    while (left > 0 && pace.stretches > 0) {
      const [file] = tally.files;
      if (file === undefined) return;
      const isOpen = file.path === this.#open.get(component);
      const read = await this.#read(file, tally, isOpen);
      left -= read.bytes;
      const isDone = await this.#count(read, file, tally, counting, pace);
      if (!isDone || read.bytes > 0) continue;
      // Its end; of what still runs there will be more, and what has no follower is not over for us.
      if (isOpen || tally.files.length === 1) return;
      tally.files.shift();
      this.#moved = true;
    }
  }

  /** The next lines of a file, with what had to be skipped on the way. */
  async #read(file: TallyFile, tally: Tally, isOpen: boolean): Promise<Lines> {
    const { disk } = this.#o;
    const none: Lines = { bytes: 0, lines: [] };
    const stat = await disk.stat(file.path);
    if (stat === undefined) return none;
    // Emptied, cut, or another file: what it holds now was printed since.
    if (file.inode !== stat.inode || stat.size < file.position) {
      file.position = 0;
      file.inode = stat.inode;
    }
    const behind = stat.size - file.position;
    if (behind <= 0) return none;
    if (behind > TALLY_BEHIND_BYTES_MAX) return this.#skip(file, tally, behind - CHUNK_BYTES);
    const length = Math.min(behind, CHUNK_BYTES);
    const chunk = await disk.bytesAt(file.path, file.position, length);
    const isEnd = !isOpen && chunk.length === behind;
    const isStuck = chunk.length === CHUNK_BYTES;
    return linesOf(chunk, { isEnd, isStuck });
  }

  #skip(file: TallyFile, tally: Tally, bytes: number): Lines {
    file.position += bytes;
    tally.unreadBytes += bytes;
    this.#moved = true;
    // Wherever that is in a line: the rest of it is read as one.
    return { bytes: 1, lines: [] };
  }

  /** @returns whether all of it was looked at within the time of a look. */
  async #count(
    { lines }: Lines,
    file: TallyFile,
    tally: Tally,
    counting: readonly Counting[],
    pace: { stretches: number },
  ): Promise<boolean> {
    const { clock } = this.#o;
    let startMs = clock.monotonicMs();
    for (const { text, bytes, unread } of lines) {
      if (clock.monotonicMs() - startMs > STRETCH_MS) {
        pace.stretches -= 1;
        if (pace.stretches <= 0) return false;
        await this.#breathe();
        startMs = clock.monotonicMs();
      }
      for (const { counter, match } of text === '' ? [] : counting) {
        const values = match(text);
        if (values === undefined) continue;
        add(tally, counter.name, file.version, values);
        this.#counted = true;
      }
      file.position += bytes;
      tally.unreadBytes += unread;
      this.#moved = true;
    }
    return true;
  }

  #breathe(): Promise<void> {
    return new Promise((done) => {
      this.#o.timers.after(1, done);
    });
  }

  #countingOf(component: string): Promise<readonly Counting[]> {
    const known = this.#counting.get(component) ?? this.#compile(component);
    this.#counting.set(component, known);
    return known;
  }

  async #compile(component: string): Promise<readonly Counting[]> {
    const { components, log } = this.#o;
    const counters = components.find(({ name }) => name === component)?.counters ?? [];
    const all: Counting[] = [];
    for (const counter of counters) {
      try {
        all.push({ counter, match: await compileCounter(counter) });
      } catch (error) {
        log.error(`a counter counts nothing: ${counter.name}`, { reason: String(error) });
      }
    }
    return all;
  }

  /** @returns when what was counted is written. */
  save(): Promise<void> {
    if (this.#writing === undefined && (this.#counted || this.#moved))
      this.#writing = this.#write();
    return this.#writing ?? Promise.resolve();
  }

  async #write(): Promise<void> {
    const { path, write, clock, log } = this.#o;
    this.#counted = false;
    this.#moved = false;
    this.#isUrgent = false;
    this.#writtenAtMs = clock.monotonicMs();
    const state = structuredClone(this.#state);
    const written = await write(path, JSON.stringify(state));
    this.#writing = undefined;
    if (written.ok) {
      this.#told = state;
      if (this.#isUrgent) void this.save();
    } else {
      this.#counted = true;
      log.warn(`${basename(path)}: ${written.reason}`);
    }
  }
}
