// The outbox's one place of writing: takes things from the hold to the disk, keeps the counts of what
// waits, and deals with a disk that is full, failing or damaged. Separate from outbox.ts so that
// sealing, sending and acknowledging there can be read without the trouble that a disk makes.

import { randomUUID } from 'node:crypto';
import type { EventFields, TerminalEvent } from '../../protocol/events.ts';
import type { Stream } from '../../protocol/wire.ts';
import type { Clock, Log } from '../ports.ts';
import { createHold, type Held } from './hold.ts';
import type { Drop, Job, Tally } from './job.ts';
import { makeRoom, makeRoomForSamples, metricsTooBig } from './room.ts';
import type { SealedRow } from './rows.ts';
import * as rows from './rows.ts';
import { fold, shelve } from './shelf.ts';
import { type Opened, type Outcome, openStore, replaceStore, type Store } from './store.ts';
import type { BrokerTime } from './time.ts';

/** A disk that refused is asked again after this long. */
export const DISK_RETRY_MS = 5_000;
/** Held things written in one transaction. */
const FLUSH_ITEMS = 64;
/** Pieces dropped for one write; more would empty the outbox for the sake of one item. */
const ROOM_TRIES = 8;
/** Above this share of the quota a full database is our own quota, below it the disk itself. */
const QUOTA_RATIO = 0.85;
/** What a gap record takes in memory, roughly. */
const GAP_BYTES = 500;

const EMPTY: Tally = {
  snapshots: 0,
  samples: 0,
  events: 0,
  results: 0,
  deadLetters: 0,
  foldedTo: 0,
  liveTo: 0,
};
const STREAM_OF = { event: 'events', result: 'results', snapshot: 'metrics' } as const;

export type DeskOptions = {
  readonly path: string;
  readonly bytesMax: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly time: BrokerTime;
  /** How much is live; asked at each write because it may change. */
  readonly sendMs: () => number;
  readonly onNewEpoch: () => void;
};

type Numbered = { readonly stream: Stream; readonly seq: number };
export const keyOf = (row: Numbered): string => `${row.stream}/${row.seq}`;

export class Desk {
  readonly #options: DeskOptions;
  readonly #sealed = new Map<string, SealedRow>();
  readonly #drops = new Map<string, Drop>();
  readonly #hold = createHold((item) => this.#countHeld(item));
  #store: Store;
  #tally: Tally = EMPTY;
  #damaged = 0;
  #retryAtMs = -Infinity;
  #troubled = false;
  #closed = false;

  constructor(options: DeskOptions) {
    this.#options = options;
    this.#store = this.#begin(openStore(this.#file()));
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

  #begin(opened: Opened): Store {
    const { store, damage } = opened;
    this.#sealed.clear();
    const counted = store.transact(() => {
      // Anchors of an earlier process mean nothing now: its monotonic clock has ended.
      store.sql('update sample set mono = null where mono is not null').run();
      store.sql('update event set mono = null where mono is not null').run();
      for (const row of rows.sealedRows(store)) this.#sealed.set(keyOf(row), row);
      return rows.countWaiting(store);
    });
    this.#tally = counted.ok ? counted.value : EMPTY;
    if (damage !== undefined) {
      this.#damaged += 1;
      const epoch = damage.epoch === '' ? 'unknown' : damage.epoch;
      this.#holdEvent(this.#gapEvent({ epoch, reason: damage.reason, sealed: damage.sealed }));
    }
    return store;
  }

  /** One transaction. What it did to the counts becomes true when it commits. */
  run<T>(work: (job: Job) => T): Outcome<T> {
    if (this.#closed) return { ok: false, trouble: 'disk', reason: 'the outbox is closed' };
    const store = this.#store;
    const tally = { ...this.#tally };
    const gap: Job['gap'] = (fields) => {
      rows.addEventRow(store, this.#gapEvent({ epoch: this.#epoch(), ...fields }), this.anchor());
      tally.events += 1;
    };
    const resolve: Job['resolve'] = (timeMs, mono) => this.#resolve(timeMs, mono);
    const job: Job = { store, tally, drops: [], sealed: [], unsealed: [], gap, resolve };
    const outcome = store.transact(() => work(job));
    if (outcome.ok) {
      this.#tally = tally;
      for (const row of job.sealed) this.#sealed.set(keyOf(row), row);
      for (const row of job.unsealed) this.#sealed.delete(keyOf(row));
      for (const drop of job.drops) this.#count(drop);
    } else if (outcome.trouble === 'damaged') {
      store.close();
      this.#store = this.#begin(replaceStore(this.#file(), outcome.reason));
      this.#options.onNewEpoch();
    }
    return outcome;
  }

  put(item: Held): void {
    if (this.#closed) {
      this.#countHeld(item);
      return;
    }
    this.#hold.add(item);
    this.flush();
  }

  /** Counts something that can never be sent, and tells the broker of it. */
  refuse(drop: Drop, reason: string): void {
    this.#count(drop);
    const { stream } = drop;
    this.#holdEvent(this.#gapEvent({ epoch: this.#epoch(), stream, reason }));
    this.flush();
  }

  /** Writes what is held until nothing is, or until the disk refuses. */
  flush(): void {
    const { clock, log } = this.#options;
    if (this.#closed || clock.monotonicMs() < this.#retryAtMs) return;
    let tries = 0;
    while (this.#hold.size() > 0 || this.#untold()) {
      const items = this.#hold.peek(FLUSH_ITEMS);
      const outcome = this.#writeHeld(items);
      if (outcome.ok) {
        this.#hold.remove(items.length);
        this.#hold.told();
        continue;
      }
      tries += 1;
      const again =
        outcome.trouble === 'damaged' || (outcome.trouble === 'full' && this.#roomMade());
      if (again && tries <= ROOM_TRIES) continue;
      this.#retryAtMs = clock.monotonicMs() + DISK_RETRY_MS;
      if (!this.#troubled) log.error('the disk takes no telemetry', { reason: outcome.reason });
      this.#troubled = true;
      return;
    }
    if (this.#troubled) log.info('the disk takes telemetry again');
    this.#troubled = false;
  }

  /** A sealed batch's bytes; a damaged one is dropped, counted and told. */
  read(stream: Stream, seq: number): Uint8Array | undefined {
    const found = this.run((job) => {
      const bytes = rows.batchBytes(job.store, stream, seq);
      const row = this.#sealed.get(keyOf({ stream, seq }));
      if (bytes !== undefined || row === undefined) return bytes;
      rows.removeBatch(job.store, stream, seq);
      job.unsealed.push(row);
      job.drops.push({ stream, reason: 'damaged', count: row.items });
      job.gap({ stream, first: seq, last: seq, reason: 'a stored batch was damaged' });
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
    return time.known() ? null : clock.monotonicMs() - Math.max(0, ageMs);
  }

  stats() {
    const { samples, events, results, deadLetters } = this.#tally;
    const sealed = [...this.#sealed.values()];
    const of = (stream: Stream): number => sealed.filter((row) => row.stream === stream).length;
    const used = this.run((job) => job.store.usedBytes());
    return {
      durable: this.#store.durable,
      bytes: used.ok ? used.value : 0,
      batches: { events: of('events'), metrics: of('metrics'), results: of('results') },
      waiting: { samples, events, results },
      drops: [...this.#drops.values()],
      deadLetters,
      damaged: this.#damaged,
      held: this.#hold.size(),
    };
  }

  close(): void {
    if (this.#closed) return;
    this.#retryAtMs = -Infinity;
    this.flush();
    this.#closed = true;
    this.#store.close();
  }

  #epoch(): string {
    return Buffer.from(this.#store.epoch).toString('hex');
  }

  #resolve(timeMs: number, mono: number | null): number {
    const { time, clock } = this.#options;
    if (mono === null || !time.known()) return timeMs;
    return time.nowMs() - (clock.monotonicMs() - mono);
  }

  #gapEvent(fields: EventFields<'gap'>): TerminalEvent {
    const timeMs = this.#options.time.nowMs();
    return { id: randomUUID(), timeMs, kind: 'gap', component: '', fields };
  }

  #holdEvent(event: TerminalEvent): void {
    this.#hold.add({ kind: 'event', event, mono: this.anchor(), bytes: GAP_BYTES });
  }

  #untold(): boolean {
    const { samples, events, results } = this.#hold.lost();
    return samples + events + results > 0;
  }

  #writeHeld(items: readonly Held[]): Outcome<void> {
    return this.run((job) => {
      if (this.#untold()) {
        job.gap({ ...this.#hold.lost(), reason: 'dropped: the disk took nothing for too long' });
      }
      for (const item of items) this.#write(job, item);
    });
  }

  #write(job: Job, item: Held): void {
    switch (item.kind) {
      case 'event':
        rows.addEventRow(job.store, item.event, item.mono);
        job.tally.events += 1;
        return;
      case 'result':
        rows.addResultRow(job.store, item.body);
        job.tally.results += 1;
        return;
      case 'snapshot':
        for (let i = 0; i < ROOM_TRIES && metricsTooBig(job) && makeRoomForSamples(job); i += 1);
        shelve(job, item.snapshot, item.mono);
        fold(job, this.#options.sendMs());
        return;
    }
  }

  /** True when our own quota was what refused, and something was dropped for it. */
  #roomMade(): boolean {
    const full = this.run((job) => job.store.usedBytes() > job.store.bytesMax * QUOTA_RATIO);
    if (!full.ok || !full.value) return false;
    const made = this.run(makeRoom);
    return made.ok && made.value;
  }

  #count(drop: Drop): void {
    const key = `${drop.stream} ${drop.reason}`;
    this.#drops.set(key, { ...drop, count: drop.count + (this.#drops.get(key)?.count ?? 0) });
  }

  #countHeld(item: Held): void {
    const count = item.kind === 'snapshot' ? item.snapshot.samples.length : 1;
    this.#count({ stream: STREAM_OF[item.kind], reason: 'memory', count });
  }
}
