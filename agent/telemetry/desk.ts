// The outbox's one place of writing: takes things from the hold to the disk, keeps the counts of what
// waits, and deals with a disk that is full, failing or damaged. Separate from outbox.ts so that
// sealing, sending and acknowledging there can be read without the trouble that a disk makes.

import type { EventFields, TerminalEvent } from '../../protocol/events.ts';
import type { Stream } from '../../protocol/wire.ts';
import {
  anchorOf,
  countsOf,
  type DeskOptions,
  GAP_BYTES,
  gapEvent,
  keyOf,
  NOTHING_WAITS,
  ROOM_TRIES,
  resolveTime,
  takeOutDamaged,
  writeItem,
} from './desk-items.ts';
import { createDrops, piecesOf } from './drops.ts';
import { createHold, type Held } from './hold.ts';
import type { Drop, Job, Tally } from './job.ts';
import { makeRoom, makeRoomOnDisk } from './room.ts';
import type { SealedRow } from './rows.ts';
import * as rows from './rows.ts';
import { type Opened, type Outcome, openStore, replaceStore, type Store } from './store.ts';
import { findHome, moveHome } from './store-home.ts';
import type { OutboxRoom } from './types.ts';

/** A disk that refused is asked again after this long. */
export const DISK_RETRY_MS = 5_000;
/** Held things written in one transaction. */
const FLUSH_ITEMS = 64;
/** Above this share of the quota a full database is our own quota, below it the disk itself. */
const QUOTA_RATIO = 0.85;
/** Given back to a disk that is short of room, at each call. */
const COMPACT_BYTES = 1024 * 1024;

export class Desk {
  readonly #options: DeskOptions;
  readonly #sealed = new Map<string, SealedRow>();
  readonly #drops = createDrops();
  readonly #hold = createHold((item) => this.#drops.addHeld(item, 'memory'));
  /** Acknowledged, and still on disk: removed with whatever is written next, because each commit wears the flash. */
  readonly #done = new Map<string, SealedRow>();
  #store: Store;
  #tally: Tally = NOTHING_WAITS;
  #damaged = 0;
  #room: OutboxRoom = 'all';
  /** Not written for want of disk, and not told yet. */
  #shedSamples = 0;
  #homeAtMs = -Infinity;
  #retryAtMs = -Infinity;
  #troubled = false;
  #closed = false;

  constructor(options: DeskOptions) {
    this.#options = options;
    this.#store = this.#load(openStore(this.#file()));
    this.flush();
  }

  get store(): Store {
    return this.#store;
  }

  /** Sealed and not acknowledged, oldest first. */
  get sealed(): ReadonlyMap<string, SealedRow> {
    return this.#sealed;
  }

  #file() {
    const { path, bytesMax, log, clock } = this.#options;
    return { path, bytesMax, log, wallMs: clock.wallMs };
  }

  #load({ store, damage }: Opened): Store {
    this.#sealed.clear();
    this.#done.clear();
    const counted = store.transact(() => {
      for (const row of rows.sealedRows(store)) this.#sealed.set(keyOf(row), row);
      return rows.countWaiting(store);
    });
    this.#tally = counted.ok ? counted.value : NOTHING_WAITS;
    if (damage !== undefined) {
      this.#damaged += 1;
      const epoch = damage.epoch === '' ? 'unknown' : damage.epoch;
      this.#holdEvent(this.#gapEvent({ epoch, reason: damage.reason, sealed: damage.sealed }));
    }
    return store;
  }

  /**
   * One transaction. What it did to the counts becomes true when it commits.
   * @param isLook it reads and need not know what was acknowledged.
   */
  run<T>(work: (job: Job) => T, isLook = false): Outcome<T> {
    if (this.#closed) return { ok: false, trouble: 'disk', reason: 'the outbox is closed' };
    const store = this.#store;
    const { time, clock } = this.#options;
    const tally = { ...this.#tally };
    const gap: Job['gap'] = (fields) => {
      rows.addEventRow(store, this.#gapEvent({ epoch: this.#epoch(), ...fields }), this.anchor());
      tally.events += 1;
    };
    const resolve: Job['resolve'] = (timeMs, mono) => resolveTime(time, clock, timeMs, mono);
    const job: Job = { store, tally, drops: [], sealed: [], unsealed: [], gap, resolve };
    const done = isLook ? [] : [...this.#done.values()];
    const outcome = store.transact(() => {
      for (const { stream, seq } of done) rows.removeBatch(store, stream, seq);
      return work(job);
    });
    if (outcome.ok) {
      this.#tally = tally;
      for (const row of done) this.#done.delete(keyOf(row));
      for (const row of job.sealed) this.#sealed.set(keyOf(row), row);
      for (const row of job.unsealed) this.#sealed.delete(keyOf(row));
      for (const drop of job.drops) this.#drops.add(drop);
    } else if (outcome.trouble === 'damaged') {
      store.close();
      this.#store = this.#load(replaceStore(this.#file(), outcome.reason));
      this.#options.onNewEpoch();
    }
    return outcome;
  }

  /** Never sent again by this agent; one that is killed before it writes again sends it once more, harmlessly. */
  finish(row: SealedRow): void {
    this.#sealed.delete(keyOf(row));
    this.#done.set(keyOf(row), row);
  }

  put(item: Held): void {
    if (this.#closed) {
      this.#drops.addHeld(item, 'memory');
      return;
    }
    if (this.#room === 'urgent' && item.kind === 'snapshot') {
      this.#drops.addHeld(item, 'disk');
      this.#shedSamples += piecesOf(item);
      return;
    }
    this.#hold.add(item);
    this.flush();
  }

  /** Counts something that can never be sent, and tells the broker of it. */
  refuse(drop: Drop, reason: string): void {
    this.#drops.add(drop);
    const { stream } = drop;
    this.#holdEvent(this.#gapEvent({ epoch: this.#epoch(), stream, reason }));
    this.flush();
  }

  /** Writes what is held until nothing is, or until the disk refuses. */
  flush(): void {
    const { clock, log } = this.#options;
    if (this.#closed || clock.monotonicMs() < this.#retryAtMs) return;
    if (!this.#store.durable) this.#goHome();
    let tries = 0;
    while (this.#hold.size() > 0 || this.#hold.untold()) {
      const items = this.#hold.peek(FLUSH_ITEMS);
      const outcome = this.#writeHeld(items);
      if (outcome.ok) {
        this.#hold.remove(items.length);
        this.#hold.told();
        continue;
      }
      tries += 1;
      const again =
        outcome.trouble === 'damaged' ||
        (outcome.trouble === 'full' && (this.#roomMade() || this.#options.makeRoom?.() === true));
      if (again && tries <= ROOM_TRIES) continue;
      this.#retryAtMs = clock.monotonicMs() + DISK_RETRY_MS;
      if (!this.#troubled) log.error('the disk takes no telemetry', { reason: outcome.reason });
      this.#troubled = true;
      return;
    }
    if (this.#troubled) log.info('the disk takes telemetry again');
    this.#troubled = false;
  }

  /** How much the disk has for it; while that is little, each call gives up a part of what waits. */
  setRoom(room: OutboxRoom): void {
    this.#room = room;
    if (this.#closed) return;
    if (room !== 'urgent' && this.#shedSamples > 0) {
      const reason = 'not written: the disk was full to its floor';
      const gap = { stream: 'metrics' as const, samples: this.#shedSamples, reason };
      this.#shedSamples = 0;
      this.#holdEvent(this.#gapEvent({ epoch: this.#epoch(), ...gap }));
      this.flush();
    }
    if (room === 'all') return;
    for (let tries = 0; tries < ROOM_TRIES; tries += 1) {
      const made = this.run(makeRoomOnDisk);
      if (!made.ok || !made.value) break;
    }
    this.#store.compact(COMPACT_BYTES);
  }

  /** From memory to the disk, once nothing of the memory's epoch is on its way. */
  #goHome(): void {
    const { clock, log, onNewEpoch } = this.#options;
    const now = clock.monotonicMs();
    if (this.#sealed.size > 0 || now < this.#homeAtMs) return;
    this.#homeAtMs = now + DISK_RETRY_MS;
    const home = findHome(this.#file());
    if (home === undefined) return;
    const moved = moveHome(this.#store, home.store);
    if (!moved.ok) {
      home.store.close();
      return;
    }
    this.#store.close();
    this.#store = this.#load(home);
    onNewEpoch();
    log.info('the outbox is on disk again', { path: this.#options.path });
  }

  /** A sealed batch's bytes; a damaged one is dropped, counted and told. */
  read(stream: Stream, seq: number): Uint8Array | undefined {
    const found = this.run((job) => {
      const bytes = rows.batchBytes(job.store, stream, seq);
      const row = this.#sealed.get(keyOf({ stream, seq }));
      if (bytes !== undefined || row === undefined) return bytes;
      takeOutDamaged(job, row);
      return undefined;
    });
    return found.ok ? found.value : undefined;
  }

  hasWaiting(): boolean {
    const { events, results, samples } = this.#tally;
    return events + results + samples > 0;
  }

  /** Events and results that are not acknowledged. */
  urgent(): number {
    const sealed = [...this.#sealed.values()].filter((row) => row.stream !== 'metrics');
    return this.#tally.events + this.#tally.results + sealed.length;
  }

  /** Monotonic time of something that happened `ageMs` ago, while the broker's time is not known. */
  anchor(ageMs = 0): number | null {
    const { time, clock } = this.#options;
    return anchorOf(time, clock, ageMs);
  }

  stats() {
    const used = this.run((job) => job.store.usedBytes(), true);
    return {
      durable: this.#store.durable,
      bytes: used.ok ? used.value : 0,
      ...countsOf(this.#tally, this.#sealed.values()),
      drops: this.#drops.list(),
      damaged: this.#damaged,
      held: this.#hold.size(),
    };
  }

  close(): void {
    if (this.#closed) return;
    this.#retryAtMs = -Infinity;
    this.flush();
    if (this.#done.size > 0) this.run(() => undefined);
    this.#closed = true;
    this.#store.close();
  }

  #epoch(): string {
    return Buffer.from(this.#store.epoch).toString('hex');
  }

  #gapEvent(fields: EventFields<'gap'>): TerminalEvent {
    return gapEvent(this.#options.time.nowMs(), fields);
  }

  #holdEvent(event: TerminalEvent): void {
    this.#hold.add({ kind: 'event', event, mono: this.anchor(), bytes: GAP_BYTES });
  }

  #writeHeld(items: readonly Held[]): Outcome<void> {
    return this.run((job) => {
      if (this.#hold.untold()) {
        job.gap({ ...this.#hold.lost(), reason: 'dropped: the disk took nothing for too long' });
      }
      for (const item of items) writeItem(job, item, this.#options.sendMs());
    });
  }

  /** True when our own quota was what refused, and something was dropped for it. */
  #roomMade(): boolean {
    const full = this.run((job) => job.store.usedBytes() > job.store.bytesMax * QUOTA_RATIO);
    if (!full.ok || !full.value) return false;
    const made = this.run(makeRoom);
    return made.ok && made.value;
  }
}
