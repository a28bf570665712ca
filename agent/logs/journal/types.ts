// The journal of a terminal as the rest of the agent knows it: records of components, redacted, in compressed blocks
// that are indexed by time. Component output arrives in plain files (output.ts), is read from there once (intake), and
// is forgotten there when it lies here. Only types; the store is journal.ts, and whoever searches far back does so in
// a process of its own (pull/).

import type { LogLevel } from '../../../protocol/catalogue.ts';
import type { Result } from '../../../protocol/result.ts';

export type JournalRecord = {
  /** The terminal's own clock; corrected when it leaves the terminal, as samples are. */
  readonly timeMs: number;
  /** It says no time: this is when it was read, or that of the record before it. */
  readonly guessed: boolean;
  /** Undefined: it says none. */
  readonly level: LogLevel | undefined;
  /** Redacted, valid UTF-8, without a line end behind it; line ends within are part of it. */
  readonly text: string;
  /** Which version of the component printed it. */
  readonly version: string;
};

/** How far a file of output was read: everything before `to` is in the journal or was left out on purpose. */
export type Place = { readonly path: string; readonly inode: number; readonly to: number };

/** Both ends are included; the terminal's own clock. */
export type Window = { readonly sinceMs: number; readonly untilMs: number };

/** A block by its place; `at` is its first byte in the segment's file. */
export type BlockRef = {
  readonly component: string;
  /** Segments of a component are numbered from 1, and no number is used twice. */
  readonly segment: number;
  readonly at: number;
  readonly packedBytes: number;
  readonly rawBytes: number;
  readonly records: number;
  /** Least and greatest time of its records, in whatever order they came: clocks are set back. */
  readonly firstMs: number;
  readonly lastMs: number;
  /** Whether it holds a record of that level (`none`: one that says none). */
  readonly levels: ReadonlySet<LogLevel | 'none'>;
  /** Stamp of the redactor that its records have passed. */
  readonly redactor: string;
};

/** Over its bound; the disk is short of room; older than is kept; an operator's wish; it cannot be read any more. */
export type Dropped = 'size' | 'disk' | 'age' | 'purged' | 'damaged';

export type JournalReading = {
  readonly component: string;
  readonly bytes: number;
  readonly records: Readonly<Partial<Record<Dropped, number>>>;
};

export type JournalStore = {
  /**
   * Durable when it resolves, places included, or nothing of it counts: places and records are one block.
   * An empty list of records only moves the places. Fails with a sentence while the disk has no room or is broken;
   * it works again, by itself, as soon as the disk does.
   * @param note few characters of the caller's own that belong to these places (what it has counted so far): kept
   * with them, in the same block. Without one the last stays.
   */
  readonly append: (
    component: string,
    records: readonly JournalRecord[],
    places: readonly Place[],
    redactor: string,
    note?: string,
  ) => Promise<Result<void>>;
  /** As they stand with the newest block. */
  readonly places: (component: string) => readonly Place[];
  /** As it stands with the newest block; empty when there is none. */
  readonly note: (component: string) => string;
  /** Records of the newest block that an agent before has left, as far as they can be read; never rejects. */
  readonly newest: (component: string) => Promise<readonly JournalRecord[]>;
  readonly components: () => readonly string[];
  /** Segments that somebody still reads stay, within a bound; by the id of whoever pins. */
  readonly pin: (id: string, components: readonly string[]) => void;
  readonly unpin: (id: string) => void;
  /**
   * Blocks that end before then go, except of segments that are pinned: `kept` counts those.
   * @returns bytes of the disk that went, and records.
   */
  readonly purge: (
    component: string,
    beforeMs: number,
  ) => Promise<{ readonly bytes: number; readonly records: number; readonly kept: number }>;
  readonly setRoom: (room: 'all' | 'quarter' | 'least') => void;
  readonly readings: () => readonly JournalReading[];
  readonly settled: () => Promise<void>;
  readonly close: () => void;
};

/** What a reader had to leave out so far. */
export type Missed = {
  /** Segments that went while they were looked through: too old, too many, or purged. */
  readonly gone: number;
  /** Blocks whose checksum is wrong, and stretches in which no block begins. */
  readonly damaged: number;
};

/** Reads only; needs nothing of a running agent and may live in another process. */
export type JournalReader = {
  /** Blocks that may hold records of the window, oldest first as they were written. */
  readonly blocks: (component: string, window: Window) => Iterable<BlockRef>;
  /** At most BLOCK_RAW_BYTES_MAX of text at a time. Fails when it is damaged or went away, and counts it as missed. */
  readonly read: (block: BlockRef) => Result<readonly JournalRecord[]>;
  readonly missed: () => Missed;
  readonly components: () => readonly string[];
  readonly close: () => void;
};

/** What one block holds before compression; more records than that are several blocks, durable together. */
export const BLOCK_RAW_BYTES_MAX = 256 * 1024;
/** Of the note that lies beside the places. */
export const NOTE_CHARS_MAX = 16 * 1024;
