// The outbox's file while it is open: transactions one at a time, what is sealed and what waits in it as counts
// that follow each commit, and what happens when it turns out to be damaged or older than it was. Apart from
// desk.ts, which brings things here and deals with a disk that has no room.

import type { EventFields } from '../../protocol/events.ts';
import type { Stream } from '../../protocol/wire.ts';
import type { SealedRow } from './batches.ts';
import * as batches from './batches.ts';
import {
  anchorClock,
  anchorOf,
  type DeskOptions,
  keyOf,
  NOTHING_WAITS,
  resolveTime,
  takeOutDamaged,
} from './desk-items.ts';
import type { Drops } from './drops.ts';
import type { Job, Tally } from './job.ts';
import {
  bitOf,
  generationOf,
  type Ledgers,
  meet,
  readLedgers,
  type Settled,
  settle,
} from './kept.ts';
import { newJob } from './notes.ts';
import * as rows from './rows.ts';
import { type Opened, type Outcome, openStore, replaceStore, type Store } from './store.ts';
import { findHome, moveHome } from './store-home.ts';
import { type Mark, openMark, readMark } from './store-mark.ts';
import { goOnAfter } from './witness.ts';

/** What the file needs of whoever holds what is not written yet. */
export type FileOwner = {
  readonly drops: Drops;
  readonly onLoss: (gap: EventFields<'gap'>) => void;
};

export class OutboxFile {
  readonly #options: DeskOptions;
  readonly #owner: FileOwner;
  readonly #clock: ReturnType<typeof anchorClock>;
  readonly #mark: Mark;
  readonly #sealed = new Map<string, SealedRow>();
  /** Acknowledged, and still on disk: settled with whatever is written next, because each commit wears the flash. */
  readonly #done = new Map<string, Settled>();
  #store: Store;
  #tally: Tally = NOTHING_WAITS;
  #ledgers: Ledgers = { known: [], present: -1 };
  /** Up to which id what is kept was looked through for this ledger, and whether that was all of it. */
  #askedTo = 0;
  #askedAll = false;
  /** The highest number taken of each stream. */
  #seqs = new Map<Stream, number>();
  #marked = -1;
  #damaged = 0;
  #thinned = 0;
  #closed = false;

  constructor(options: DeskOptions, owner: FileOwner) {
    this.#options = options;
    this.#owner = owner;
    this.#clock = anchorClock(options.clock);
    this.#mark = openMark(this.#markPath());
    const opened = openStore(this.#where());
    this.#store = opened.store;
    this.#load(opened);
  }

  get store(): Store {
    return this.#store;
  }

  get tally(): Readonly<Tally> {
    return this.#tally;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Sealed and not acknowledged, oldest first. */
  get sealed(): ReadonlyMap<string, SealedRow> {
    return this.#sealed;
  }

  get epochHex(): string {
    return Buffer.from(this.#store.epoch).toString('hex');
  }

  counts() {
    return { damaged: this.#damaged, thinned: this.#thinned };
  }

  #where() {
    const { path, bytesMax, log } = this.#options;
    const { wallMs, bootId } = this.#clock;
    return { path, bytesMax, log, wallMs, bootId };
  }

  #markPath(): string {
    return `${this.#options.path}-mark`;
  }

  #load({ store, damage }: Opened): void {
    this.#store = store;
    // The mark of a lost file stays until the record of its loss is committed: killed before, it is told from the mark.
    this.#marked = store.commits();
    this.#sealed.clear();
    this.#done.clear();
    [this.#askedTo, this.#askedAll] = [0, false];
    this.#tally = NOTHING_WAITS;
    const counted = store.transact(() => {
      for (const row of batches.sealedRows(store)) this.#sealed.set(keyOf(row), row);
      this.#ledgers = readLedgers(store);
      this.#seqs = batches.lanes(store);
      return rows.countWaiting(store);
    });
    if (counted.ok) this.#tally = counted.value;
    if (damage !== undefined) {
      this.#damaged += 1;
      const epoch = damage.epoch === '' ? 'unknown' : damage.epoch;
      this.#owner.onLoss({ epoch, reason: damage.reason, sealed: damage.sealed });
    }
    if (store.durable) this.#compareWithMark(damage !== undefined);
  }

  /** @param isNew it was made just now in the place of one that is set aside, and that was told. */
  #compareWithMark(isNew: boolean): void {
    const mark = readMark(this.#markPath());
    const back = this.run((job) => mark !== undefined && goOnAfter(job, mark, isNew));
    if (!back.ok || !back.value) return;
    this.#damaged += 1;
    this.#options.log.error('the outbox is older than it was', { path: this.#options.path });
  }

  /**
   * One transaction. What it did to the counts becomes true when it commits.
   * @param isLook it reads and need not know what was acknowledged.
   */
  run<T>(work: (job: Job) => T, isLook = false): Outcome<T> {
    if (this.#closed) return { ok: false, trouble: 'disk', reason: 'the outbox is closed' };
    const store = this.#store;
    const { time } = this.#options;
    const tally = { ...this.#tally };
    const resolve: Job['resolve'] = (timeMs, mono) => resolveTime(time, this.#clock, timeMs, mono);
    const now = { nowMs: time.nowMs(), mono: this.anchor() };
    const job = newJob({ store, tally, epoch: this.epochHex, ...now, resolve });
    const done = isLook ? [] : [...this.#done.values()];
    const outcome = store.transact(() => {
      settle(job, done);
      return work(job);
    });
    if (outcome.ok) this.#take(job, done);
    else if (outcome.trouble === 'damaged') {
      store.close();
      this.#load(replaceStore(this.#where(), outcome.reason));
      this.#options.onNewEpoch();
    }
    return outcome;
  }

  /** What a committed transaction did becomes true. */
  #take(job: Job, done: readonly Settled[]): void {
    this.#tally = job.tally;
    this.#thinned += job.thinned;
    for (const { row } of done) this.#done.delete(keyOf(row));
    for (const row of job.unsealed) this.#sealed.delete(keyOf(row));
    for (const row of job.sealed) this.#sealed.set(keyOf(row), row);
    for (const drop of job.drops) this.#owner.drops.add(drop);
    const { durable, commits } = job.store;
    if (job.lanesMoved || job.sealed.length > 0) this.#seqs = batches.lanes(job.store);
    if (!durable || commits() === this.#marked) return;
    this.#marked = commits();
    const timeMs = this.#options.time.nowMs();
    this.#mark.write({ epoch: job.epoch, commits: commits(), timeMs, lanes: this.#seqs });
  }

  /** Never sent again by this agent; one that is killed before it writes again sends it once more, harmlessly. */
  finish(row: SealedRow): void {
    this.#sealed.delete(keyOf(row));
    const atMs = this.#options.time.nowMs();
    this.#done.set(keyOf(row), { row, bit: bitOf(this.#ledgers), atMs });
  }

  /** Writes what is only remembered to be acknowledged. */
  settleAll(): void {
    if (this.#done.size > 0) this.run(() => undefined);
  }

  /** An acknowledgement came from this ledger. @returns true when it is another one than before. */
  meet(generation: string): boolean {
    const before = this.#ledgers;
    if (generation === '' || generation === generationOf(before)) return false;
    const met = this.run((job) => meet(job, before, generation));
    if (!met.ok) return false;
    this.#ledgers = met.value;
    [this.#askedTo, this.#askedAll] = [0, false];
    return before.present >= 0;
  }

  /** Takes up again some of what another ledger had acknowledged and this one has not. */
  sealAgain(rowsMax: number): void {
    if (this.#tally.kept <= 0 || this.#askedAll || rowsMax <= 0) return;
    const bit = bitOf(this.#ledgers);
    const found = this.run(
      (job) => batches.notAcknowledgedBy(job.store, bit, this.#askedTo, rowsMax),
      true,
    );
    if (!found.ok) return;
    this.#askedAll = found.value.length < rowsMax;
    for (const row of found.value) {
      this.#askedTo = row.id;
      if (!this.#done.has(keyOf(row))) this.#sealed.set(keyOf(row), row);
    }
  }

  /** A sealed batch's bytes; a damaged one is dropped, counted and told. */
  read(stream: Stream, seq: number): Uint8Array | undefined {
    const found = this.run((job) => {
      const row = this.#sealed.get(keyOf({ stream, seq }));
      const bytes = row === undefined ? undefined : batches.batchBytes(job.store, row.id);
      if (bytes !== undefined || row === undefined) return bytes;
      takeOutDamaged(job, row);
      return undefined;
    });
    return found.ok ? found.value : undefined;
  }

  /** From memory to the disk, when it can be written. @returns whether it did. */
  moveHome(): boolean {
    const home = findHome(this.#where());
    if (home === undefined) return false;
    if (!moveHome(this.#store, home.store).ok) {
      home.store.close();
      return false;
    }
    this.#store.close();
    this.#load(home);
    return true;
  }

  /** Monotonic time of something that happened `ageMs` ago, while the broker's time is not known. */
  anchor(ageMs = 0): number | null {
    return anchorOf(this.#options.time, this.#clock, ageMs);
  }

  close(): void {
    this.#closed = true;
    this.#store.close();
    this.#mark.close();
  }
}
