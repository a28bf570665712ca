// The history at work, in its thread: follows the ledger, folds what is due into blocks of hours, deletes what is
// too old, and answers questions from blocks and from rows that still wait. It works in short turns between
// which questions are answered. Everything durable changes in one transaction (store.ts), and folding is
// idempotent, so a crash at any point costs a repetition and nothing else.

import { type LedgerRow, OWN } from '../ledger.ts';
import { answerOf, type HistoryAnswer, type HistoryQuery } from './answer.ts';
import { newestIn, readBatch } from './batches.ts';
import { addColumns, decodeHour, encodeHour, HOUR_MS, type Hour, hourOf } from './hours.ts';
import { createCollection } from './question.ts';
import type { HistoryStore, NewBlock, NewPending } from './store.ts';
import { createWaiting, type DueRows } from './waiting.ts';

/** Rows read, and terminals folded, in one turn. */
const TURN_ROWS = 256;
const TURN_TERMINALS = 2;
/** Samples in memory at one turn, give or take a row: a month of one terminal would be more than the thread may have. */
const TURN_SAMPLES = 1_000_000;
/** What was read is written down with the blocks, but at least this often, or when so many rows wait for it. */
const SAVE_EVERY_MS = 30_000;
const UNSAVED_MAX = 5_000;
/** Blocks deleted in one turn: whole hours that are too old, or just enough where all are too large. */
const TRIM_BLOCKS = 200;
const TRIM_LARGE_BLOCKS = 8;
/** From this share of its bound on, the oldest blocks go. */
const TRIM_FROM = 0.95;
/** Later than every hour. */
const HOURS_END = 2 ** 32;
/** Samples further ahead than this are no history (design.md section 3, Clocks). */
const FUTURE_MS_MAX = HOUR_MS;

export type Dropped = 'age' | 'size' | 'future' | 'crowded' | 'lost';

export type EngineOptions = {
  readonly store: HistoryStore;
  readonly ledger: {
    readonly readAfter: (id: number, limit: number) => readonly LedgerRow[];
    /** The encoded batch of one row. */
    readonly read: (id: number) => Uint8Array | undefined;
    readonly newestId: () => number;
  };
  readonly nowMs: () => number;
  readonly daysMax: number;
  readonly bytesMax: number;
};

export type EngineFigures = {
  /** The ledger may delete rows up to here. */
  readonly followedId: number;
  /** It has read so far. */
  readonly readId: number;
  readonly bytes: number;
  /** Rows read and not folded, and not read yet. */
  readonly behindBatches: number;
  readonly writtenBytes: number;
  readonly dropped: Readonly<Record<Dropped, number>>;
};

type Folded = {
  readonly blocks: readonly NewBlock[];
  readonly rows: DueRows;
  readonly samples: number;
};

export class Engine {
  readonly #options: EngineOptions;
  readonly #waiting = createWaiting();
  readonly #dropped: Record<Dropped, number> = {
    age: 0,
    size: 0,
    future: 0,
    crowded: 0,
    lost: 0,
  };
  #unsaved: NewPending[] = [];
  /** Rows up to here were read, and written down as read. */
  #position: number;
  #saved: number;
  #savedMs: number;
  #writtenBytes = 0;
  #pressed = false;

  constructor(options: EngineOptions) {
    const { store, ledger, nowMs } = options;
    this.#options = options;
    this.#position = Math.min(store.cursor(), ledger.newestId());
    this.#saved = this.#position;
    this.#savedMs = nowMs();
    const gone: number[] = [];
    for (const { terminal, ...row } of store.pending()) {
      if (row.id <= this.#position) this.#waiting.add(terminal, row);
      else gone.push(row.id);
    }
    // The ledger was put back from a backup, and the numbers after its end will be used again. Written down at
    // once: a later start would believe that it had read them.
    if (this.#position < store.cursor()) this.#commit([], gone);
  }

  /** One short piece of work. @returns whether there may be more at once. @throws what a disk throws. */
  turn(): boolean {
    const more = [this.#read(), this.#foldDue(), this.#trim()].some(Boolean);
    this.#save();
    return more;
  }

  /** Folds everything from the next turn on: the ledger needs the room. */
  press(): void {
    this.#pressed = true;
  }

  /** Gives up what waits: it cannot be written, and the ledger is full of it. */
  giveUp(): void {
    this.#dropped.lost += this.#waiting.count();
    this.#waiting.clear();
    this.#unsaved = [];
    this.#saved = this.#position;
  }

  ask(query: HistoryQuery): HistoryAnswer {
    const { store, ledger, nowMs } = this.#options;
    const { terminal, sinceMs, untilMs } = query;
    const collection = createCollection(query);
    const first = Math.max(hourOf(sinceMs), this.#oldestHour());
    const last = Math.min(hourOf(untilMs), hourOf(nowMs() + FUTURE_MS_MAX));
    for (let hour = first; hour <= last; hour += 1) {
      const block = store.block(terminal, hour);
      if (block !== undefined) collection.addBlock(block);
    }
    for (const { id, lastMs } of this.#waiting.of(terminal)) {
      const batch = lastMs < sinceMs ? undefined : ledger.read(id);
      if (batch !== undefined) collection.addRow(batch);
    }
    return answerOf(query, collection.found);
  }

  figures(): EngineFigures {
    const { store, ledger } = this.#options;
    const lowest = this.#waiting.lowest() ?? this.#position + 1;
    return {
      // What was read and not written down would be read again after a crash.
      followedId: Math.min(lowest - 1, this.#saved),
      readId: this.#position,
      bytes: store.bytes(),
      behindBatches: this.#waiting.count() + Math.max(0, ledger.newestId() - this.#position),
      writtenBytes: this.#writtenBytes,
      dropped: { ...this.#dropped },
    };
  }

  close(): void {
    try {
      if (this.#position !== this.#saved) this.#commit([], []);
    } finally {
      this.#options.store.close();
    }
  }

  #oldestHour(): number {
    return hourOf(this.#options.nowMs() - this.#options.daysMax * 24 * HOUR_MS);
  }

  /** @returns whether there was anything. */
  #read(): boolean {
    const rows = this.#options.ledger.readAfter(this.#position, TURN_ROWS);
    for (const { id, terminal, stream, receivedMs, bytes } of rows) {
      this.#position = id;
      // What the broker records itself is made from what it shows anyway.
      if (stream !== 'metrics' || terminal === OWN) continue;
      const lastMs = newestIn(bytes);
      if (lastMs === undefined) continue;
      this.#waiting.add(terminal, { id, lastMs, receivedMs });
      this.#unsaved.push({ id, terminal, lastMs, receivedMs });
    }
    return rows.length > 0;
  }

  #commit(blocks: readonly NewBlock[], folded: readonly number[]): void {
    const { store, nowMs } = this.#options;
    const gone = new Set(folded);
    const seen = this.#unsaved.filter(({ id }) => !gone.has(id));
    store.commit({ seen, folded, blocks, cursor: this.#position });
    this.#unsaved = [];
    this.#saved = this.#position;
    this.#savedMs = nowMs();
    for (const { body } of blocks) this.#writtenBytes += body.length;
  }

  /** @returns whether there was anything due. */
  #foldDue(): boolean {
    const due = this.#waiting.due(this.#options.nowMs(), TURN_TERMINALS, this.#pressed);
    if (due.length === 0) {
      this.#pressed = false;
      return false;
    }
    const blocks: NewBlock[] = [];
    const done: DueRows[] = [];
    let room = TURN_SAMPLES;
    for (const rows of due) {
      // The rest stays due, for the next turn.
      if (room <= 0) break;
      const folded = this.#fold(rows, room);
      blocks.push(...folded.blocks);
      done.push(folded.rows);
      room -= folded.samples;
    }
    this.#commit(
      blocks,
      done.flatMap(({ rows }) => rows.map(({ id }) => id)),
    );
    for (const rows of done) this.#waiting.remove(rows);
    return true;
  }

  /** The blocks of one terminal with the first of these rows in them, until there are so many samples. */
  #fold({ terminal, rows }: DueRows, room: number): Folded {
    const { store, ledger, nowMs } = this.#options;
    const hours = new Map<number, Hour>();
    const oldest = this.#oldestHour();
    const newest = hourOf(nowMs() + FUTURE_MS_MAX);
    let samples = 0;
    const hourAt = (number: number): Hour | undefined => {
      if (number < oldest || number > newest) return undefined;
      const known = hours.get(number);
      if (known !== undefined) return known;
      const hour = decodeHour(store.block(terminal, number));
      for (const { times } of hour.values()) samples += times.length;
      hours.set(number, hour);
      return hour;
    };
    let count = 0;
    for (const { id } of rows) {
      if (samples >= room) break;
      count += 1;
      const bytes = ledger.read(id);
      const columns = bytes && readBatch(bytes);
      if (columns === undefined) this.#dropped.lost += 1;
      else {
        const left = addColumns(columns, hourAt);
        this.#dropped.crowded += left.crowded;
        this.#dropped.age += left.homeless.filter((hour) => hour < oldest).length;
        this.#dropped.future += left.homeless.filter((hour) => hour > newest).length;
        for (const { values } of columns.series) samples += values.length;
      }
    }
    const blocks = [...hours].map(([hour, of]) => ({ terminal, hour, body: encodeHour(of) }));
    return { blocks, rows: { terminal, rows: rows.slice(0, count) }, samples };
  }

  #save(): void {
    if (this.#position === this.#saved) return;
    const isTime = this.#options.nowMs() - this.#savedMs >= SAVE_EVERY_MS;
    if (isTime || this.#unsaved.length >= UNSAVED_MAX) this.#commit([], []);
  }

  #trim(): boolean {
    const { store, bytesMax } = this.#options;
    const old = store.trim(this.#oldestHour(), TRIM_BLOCKS);
    const isLarge = store.bytes() > bytesMax * TRIM_FROM;
    const large = isLarge ? store.trim(HOURS_END, TRIM_LARGE_BLOCKS) : 0;
    this.#dropped.age += old;
    this.#dropped.size += large;
    return old + large > 0;
  }
}
