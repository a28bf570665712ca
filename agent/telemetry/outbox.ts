// What the terminal has to tell and the broker has not yet acknowledged, on disk. Things come in
// through a hold in memory (bounded, normally empty), wait in the file, are sealed into immutable
// batches when the send window has room, and leave only when an acknowledgement names them. Nothing
// here throws for what a disk does; whatever is dropped is counted and leaves a gap record, which is
// an event like any other.

import { randomUUID } from 'node:crypto';
import type { CommandResult } from '../../protocol/commands.ts';
import {
  decodeEventBody,
  encodeEventBody,
  type NewEvent,
  type TerminalEvent,
} from '../../protocol/events.ts';
import * as limits from '../../protocol/limits.ts';
import type { Snapshot } from '../../protocol/metric-body.ts';
import { type Ack, DRAIN_ORDER, type Refusal, type Stream } from '../../protocol/wire.ts';
import type { Clock, Log } from '../ports.ts';
import { Desk } from './desk.ts';
import { keyOf } from './desk-items.ts';
import { seal } from './envelope.ts';
import { SAMPLE_BYTES } from './hold.ts';
import type { SealedRow } from './rows.ts';
import * as rows from './rows.ts';
import { fitFields } from './seal.ts';
import { type BrokerTime, createBrokerTime } from './time.ts';
import type {
  Acknowledged,
  Outbox,
  OutboxOptions,
  OutboxRoom,
  OutboxStats,
  Outgoing,
} from './types.ts';
import { type Flight, fly, isDue, land, RESEND, type ResendPolicy } from './window.ts';

export type { Acknowledged, Outbox, OutboxOptions, OutboxStats, Outgoing } from './types.ts';

export const OUTBOX_BYTES_MAX = 64 * 1024 * 1024;
const SEND_MS = 60_000;
/** A live batch may be sealed this much early: timers of sampler and link do not run in step. */
const LIVE_EARLY_RATIO = 0.02;
/** JSON of one result's detail. */
const DETAIL_CHARS_MAX = 16 * 1024;
/** Refused batches kept for a person to look at. */
export const DEAD_LETTERS_MAX = 32;

/** Live metrics before traces, backlog after them (design.md, Delivery). */
const rankOf = (row: SealedRow): number =>
  DRAIN_ORDER.indexOf(row.stream) + (row.stream === 'metrics' && !row.live ? 1.5 : 0);

const inDrainOrder = (a: SealedRow, b: SealedRow): number => rankOf(a) - rankOf(b) || a.seq - b.seq;

const isNamed = (ack: Ack, { stream, seq }: SealedRow): boolean =>
  ack.streams.some(
    (entry) =>
      entry.stream === stream &&
      entry.ranges.some(({ first, last }) => first <= seq && seq <= last),
  );

class FileOutbox implements Outbox {
  readonly time: BrokerTime;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #policy: ResendPolicy;
  readonly #random: () => number;
  readonly #desk: Desk;
  readonly #flights = new Map<string, Flight>();
  readonly #refused: Partial<Record<Stream, number>> = {};
  readonly #counts = { acknowledged: 0, foreignAcks: 0, resent: 0 };
  #sendMs: number;
  #lastLiveMs = -Infinity;
  #work = (): void => {};

  constructor(options: OutboxOptions) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#policy = options.resend ?? RESEND;
    this.#random = options.random ?? Math.random;
    this.#sendMs = options.sendMs ?? SEND_MS;
    this.time = createBrokerTime(options.clock);
    const sendMs = (): number => this.#sendMs;
    const onNewEpoch = (): void => this.#flights.clear();
    this.#desk = new Desk({ ...options, time: this.time, sendMs, onNewEpoch });
  }

  get epoch(): Uint8Array {
    return this.#desk.store.epoch;
  }

  get starts(): number {
    return this.#desk.store.starts;
  }

  addEvent(added: NewEvent): void {
    const fields = fitFields(added.fields, limits.EVENT_JSON_CHARS_MAX);
    const event: TerminalEvent = {
      id: randomUUID(),
      timeMs: this.time.nowMs(),
      kind: added.kind,
      component: added.component,
      fields: fields.ok ? fields.value : {},
    };
    // One event that the broker cannot read would take a whole batch of them to its dead letters.
    const readable = fields.ok ? decodeEventBody(encodeEventBody([event])) : fields;
    if (readable.ok) {
      const bytes = JSON.stringify(event).length * 2;
      this.#desk.put({ kind: 'event', event, mono: this.#desk.anchor(), bytes });
    } else {
      this.#log.error('an event cannot be sent', { kind: added.kind, reason: readable.reason });
      this.#desk.refuse({ stream: 'events', reason: 'unencodable', count: 1 }, readable.reason);
    }
    this.#work();
  }

  addResult(result: CommandResult): void {
    const detail = fitFields(result.detail, DETAIL_CHARS_MAX);
    const reason = result.reason.slice(0, limits.REASON_CHARS_MAX);
    const kept = { ...result, reason, detail: detail.ok ? detail.value : { omitted: 'detail' } };
    const body = JSON.stringify(kept);
    this.#desk.put({ kind: 'result', body, bytes: body.length * 2 });
    this.#work();
  }

  addSnapshot(snapshot: Snapshot): void {
    if (snapshot.samples.length === 0) return;
    const mono = this.#desk.anchor(this.time.nowMs() - snapshot.timeMs);
    const bytes = snapshot.samples.length * SAMPLE_BYTES;
    this.#desk.put({ kind: 'snapshot', snapshot, mono, bytes });
  }

  takeBatches(limit: number): readonly Outgoing[] {
    this.#desk.flush();
    const now = this.#clock.monotonicMs();
    this.#sealWaiting(now);
    const due = [...this.#desk.sealed.values()]
      .filter((row) => isDue(this.#flights.get(keyOf(row)), now))
      .sort(inDrainOrder);
    const taken: Outgoing[] = [];
    for (const row of due.slice(0, limit)) {
      const { stream, seq } = row;
      const bytes = this.#desk.read(stream, seq);
      if (bytes === undefined) continue;
      const before = this.#flights.get(keyOf(row));
      this.#flights.set(keyOf(row), fly(before, now, this.#policy, this.#random()));
      if (before !== undefined) this.#counts.resent += 1;
      taken.push({ stream, seq, bytes, resend: before !== undefined });
    }
    return taken;
  }

  acknowledge(ack: Ack): Acknowledged {
    if (Buffer.compare(ack.epoch, this.epoch) !== 0) {
      this.#counts.foreignAcks += 1;
      this.time.learn(ack.brokerTimeMs, undefined);
      return { acknowledged: 0, refused: 0, foreign: true };
    }
    const named = [...this.#desk.sealed.values()].filter((row) => isNamed(ack, row));
    this.time.learn(ack.brokerTimeMs, this.#roundTripMs(named));
    const refused = this.#bury(ack.refused);
    for (const row of named) {
      this.#desk.finish(row);
      this.#flights.delete(keyOf(row));
    }
    this.#counts.acknowledged += named.length;
    return { acknowledged: named.length, refused, foreign: false };
  }

  resendAll(): void {
    for (const [key, flight] of this.#flights) this.#flights.set(key, land(flight));
  }

  inFlight(): number {
    return [...this.#flights.values()].filter((flight) => flight.sends > 0).length;
  }

  urgent(): number {
    return this.#desk.urgent();
  }

  setSendMs(ms: number): void {
    this.#sendMs = ms;
  }

  setRoom(room: OutboxRoom): void {
    this.#desk.setRoom(room);
  }

  onWork(call: () => void): void {
    this.#work = call;
  }

  stats(): OutboxStats {
    return { ...this.#desk.stats(), ...this.#counts, refused: { ...this.#refused } };
  }

  close(): void {
    this.#desk.close();
  }

  #sealWaiting(now: number): void {
    const inWindow = this.#desk.sealed.size;
    if (!this.#desk.hasWaiting() || inWindow >= limits.WINDOW_BATCHES) return;
    const sendMs = this.#sendMs;
    const liveDue = now >= this.#lastLiveMs + sendMs * (1 - LIVE_EARLY_RATIO);
    const stamp = { createdMs: this.time.nowMs(), clockOffsetMs: this.time.offsetMs() };
    const live = this.#desk.run((job) => {
      seal(job, { inWindow, liveDue, sendMs, ...stamp });
      return job.sealed.some((row) => row.stream === 'metrics' && row.live);
    });
    if (live.ok && live.value) this.#lastLiveMs = now;
  }

  /** The shortest, each from its first send: to which send an answer is cannot be known. */
  #roundTripMs(named: readonly SealedRow[]): number | undefined {
    const now = this.#clock.monotonicMs();
    const trips = named
      .map((row) => this.#flights.get(keyOf(row)))
      .flatMap((flight) => (flight === undefined ? [] : [now - flight.firstMs]));
    return trips.length === 0 ? undefined : Math.min(...trips);
  }

  /** Moves what the broker refused to the dead letters. @returns how many. */
  #bury(refusals: readonly Refusal[]): number {
    let buried = 0;
    for (const { stream, seq, reason: why } of refusals) {
      const row = this.#desk.sealed.get(keyOf({ stream, seq }));
      if (row === undefined) continue;
      const reason = why.slice(0, limits.REASON_CHARS_MAX);
      const letter = { stream, seq, reason, timeMs: this.time.nowMs(), rowsMax: DEAD_LETTERS_MAX };
      const done = this.#desk.run((job) => {
        const count = rows.bury(job.store, letter);
        job.tally.deadLetters += 1 - count;
        if (count > 0) job.drops.push({ stream, reason: 'dead_letter_quota', count });
        job.unsealed.push(row);
      });
      if (!done.ok) continue;
      this.#flights.delete(keyOf(row));
      this.#refused[stream] = (this.#refused[stream] ?? 0) + 1;
      this.#log.warn('the broker refused a batch', { stream, seq, reason });
      buried += 1;
    }
    return buried;
  }
}

/** Never fails: where nothing can be written, the outbox lives in memory, counts it and says so. */
export const openOutbox = (options: OutboxOptions): Outbox => new FileOutbox(options);
