// The outbox's one place of writing: takes things from the hold to the file, counts what it cannot keep, and
// deals with a disk that is full or failing. Separate from outbox.ts so that sealing, sending and
// acknowledging there can be read without the trouble that a disk makes.

import type { EventFields } from '../../protocol/events.ts';
import type { SealedRow } from './batches.ts';
import { countsOf, type DeskOptions, GAP_BYTES, ROOM_TRIES, writeItem } from './desk-items.ts';
import { createDrops } from './drops.ts';
import { OutboxFile } from './file.ts';
import { createHold, type Held, type Lost, loseToo } from './hold.ts';
import type { Drop, Job } from './job.ts';
import { gapEvent } from './notes.ts';
import { makeRoom, makeRoomOnDisk } from './room.ts';
import type { Outcome } from './store.ts';
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
  readonly file: OutboxFile;
  readonly #options: DeskOptions;
  readonly #drops = createDrops();
  readonly #hold = createHold((item) => this.#drops.addHeld(item, 'memory'));
  #room: OutboxRoom = 'all';
  /** Not written for want of disk, and not told yet. */
  #shed: Lost = {};
  #homeAtMs = -Infinity;
  #retryAtMs = -Infinity;
  #troubled = false;

  constructor(options: DeskOptions) {
    this.#options = options;
    // What the file finds lost when it is opened is told before it has an epoch to tell it under.
    const early: EventFields<'gap'>[] = [];
    let onLoss = (gap: EventFields<'gap'>): void => void early.push(gap);
    this.file = new OutboxFile(options, { drops: this.#drops, onLoss: (gap) => onLoss(gap) });
    onLoss = (gap) => this.#holdGap(gap);
    for (const gap of early) this.#holdGap(gap);
    this.flush();
  }

  put(item: Held): void {
    if (this.file.closed) {
      this.#drops.addHeld(item, 'memory');
      return;
    }
    if (this.#room === 'urgent' && (item.kind === 'snapshot' || item.kind === 'spans')) {
      this.#drops.addHeld(item, 'disk');
      this.#shed = loseToo(this.#shed, item);
      return;
    }
    this.#hold.add(item);
    this.flush();
  }

  /** Counts something that can never be sent, and tells the broker of it. */
  refuse(drop: Drop, reason: string): void {
    this.#drops.add(drop);
    this.#holdGap({ epoch: this.file.epochHex, stream: drop.stream, reason });
    this.flush();
  }

  /** Writes what is held until nothing is, or until the disk refuses. */
  flush(): void {
    const { clock, log } = this.#options;
    if (this.file.closed || clock.monotonicMs() < this.#retryAtMs) return;
    if (!this.file.store.durable) this.#goHome();
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
    if (this.file.closed) return;
    if (room !== 'urgent') this.#tellShed();
    if (room === 'all') return;
    for (let tries = 0; tries < ROOM_TRIES; tries += 1) {
      const made = this.file.run(makeRoomOnDisk);
      if (!made.ok || !made.value) break;
    }
    this.file.store.compact(COMPACT_BYTES);
  }

  #tellShed(): void {
    const { spans, ...ofSamples } = this.#shed;
    this.#shed = {};
    const reason = 'not written: the disk was full to its floor';
    const epoch = this.file.epochHex;
    if (ofSamples.samples !== undefined) {
      this.#holdGap({ epoch, stream: 'metrics', ...ofSamples, reason });
    }
    if (spans !== undefined) this.#holdGap({ epoch, stream: 'traces', spans, reason });
    this.flush();
  }

  /** From memory to the disk, once nothing of the memory's epoch is on its way. */
  #goHome(): void {
    const { clock, log, onNewEpoch } = this.#options;
    const now = clock.monotonicMs();
    if (this.file.sealed.size > 0 || now < this.#homeAtMs) return;
    this.#homeAtMs = now + DISK_RETRY_MS;
    if (!this.file.moveHome()) return;
    onNewEpoch();
    log.info('the outbox is on disk again', { path: this.#options.path });
  }

  hasWaiting(): boolean {
    const { events, results, samples, spans } = this.file.tally;
    return events + results + samples + spans > 0;
  }

  /** Events and results that are not acknowledged. */
  urgent(): number {
    const isUrgent = ({ stream, again }: SealedRow): boolean =>
      (stream === 'events' || stream === 'results') && again !== true;
    const { sealed, tally } = this.file;
    return tally.events + tally.results + [...sealed.values()].filter(isUrgent).length;
  }

  stats() {
    const used = this.file.run((job) => job.store.usedBytes(), true);
    return {
      durable: this.file.store.durable,
      bytes: used.ok ? used.value : 0,
      ...countsOf(this.file.tally, this.file.sealed.values()),
      ...this.file.counts(),
      drops: this.#drops.list(),
      held: this.#hold.size(),
    };
  }

  close(): void {
    if (this.file.closed) return;
    this.#retryAtMs = -Infinity;
    this.flush();
    this.file.settleAll();
    this.file.close();
  }

  #holdGap(fields: EventFields<'gap'>): void {
    const event = gapEvent(this.#options.time.nowMs(), fields);
    this.#hold.add({ kind: 'event', event, mono: this.file.anchor(), bytes: GAP_BYTES });
  }

  #writeHeld(items: readonly Held[]): Outcome<void> {
    return this.file.run((job) => {
      if (this.#hold.untold()) this.#tellLost(job);
      for (const item of items) writeItem(job, item, this.#options.sendMs());
    });
  }

  #tellLost(job: Job): void {
    job.gap({ ...this.#hold.lost(), reason: 'dropped: the disk took nothing for too long' });
  }

  /** True when our own quota was what refused, and something was dropped for it. */
  #roomMade(): boolean {
    const full = this.file.run((job) => job.store.usedBytes() > job.store.bytesMax * QUOTA_RATIO);
    if (!full.ok || !full.value) return false;
    const made = this.file.run(makeRoom);
    return made.ok && made.value;
  }
}
