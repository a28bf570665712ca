// The outbox of a simulated terminal: what the agent's own (telemetry/outbox.ts) promises to the link, kept
// in memory, because two thousand SQLite files would measure the disk and not the broker. Sealing, window,
// resends, drain order and time are the agent's own pure code; only storing is different, and simpler: a
// bound in items instead of bytes, and no damage but the one that a power cut does on purpose.

import { randomBytes, randomUUID } from 'node:crypto';
import type { CommandResult } from '../../protocol/commands.ts';
import type { NewEvent } from '../../protocol/events.ts';
import * as limits from '../../protocol/limits.ts';
import type { Snapshot } from '../../protocol/metric-body.ts';
import { type Ack, EPOCH_BYTES, encodeBatch, type Stream } from '../../protocol/wire.ts';
import { WINDOW_SHARES } from '../telemetry/envelope.ts';
import { fitTexts, type Packed, packEvents, packResults } from '../telemetry/seal.ts';
import { type BrokerTime, createBrokerTime } from '../telemetry/time.ts';
import type { Acknowledged, Outbox, OutboxStats, Outgoing } from '../telemetry/types.ts';
import { type Flight, fly, isDue, land, RESEND } from '../telemetry/window.ts';
import {
  choose,
  isBacklog,
  isNamed,
  keyOf,
  type MemoryOutboxOptions,
  roundTripMs,
  type Sealed,
  type Waiting,
  wishedMs,
} from './sealed.ts';
import { Shelf, type Taken } from './shelf.ts';

export const EVENTS_MAX = 2_000;
const RESULTS_MAX = 200;
/** As the agent's: a live batch may be sealed this much early. */
const LIVE_EARLY_RATIO = 0.02;

type Counted = 'events' | 'metrics' | 'results';
export type Delivered = Readonly<Record<'batches' | 'samples' | 'events' | 'results', number>>;

export class MemoryOutbox implements Outbox {
  readonly #o: MemoryOutboxOptions;
  #epoch: Uint8Array = randomBytes(EPOCH_BYTES);
  #starts = 0;
  #time: BrokerTime;
  #sendMs: number;
  /** What the broker asked for because somebody looks; 0: nothing. */
  #wishedMs = 0;
  #lastLiveMs: number;
  #events: Waiting[] = [];
  #results: CommandResult[] = [];
  readonly #shelf = new Shelf();
  #seqs = new Map<Stream, number>();
  readonly #sealed = new Map<string, Sealed>();
  readonly #flights = new Map<string, Flight>();
  readonly #drops = new Map<Stream, number>();
  readonly #refused: Partial<Record<Stream, number>> = {};
  readonly #counts = { acknowledged: 0, foreignAcks: 0, resent: 0, torn: 0 };
  readonly #delivered = { batches: 0, samples: 0, events: 0, results: 0 };
  #work = (): void => {};

  constructor(options: MemoryOutboxOptions) {
    this.#o = options;
    this.#sendMs = options.sendMs;
    this.#time = createBrokerTime(options.clock);
    this.#lastLiveMs = options.clock.monotonicMs() - options.sendMs * options.phase;
  }

  get epoch(): Uint8Array {
    return this.#epoch;
  }

  get starts(): number {
    return this.#starts;
  }

  get time(): BrokerTime {
    return this.#time;
  }

  /** What the broker has acknowledged so far, each batch once. */
  delivered(): Delivered {
    return { ...this.#delivered };
  }

  /** Waiting or sealed: not acknowledged. */
  isEmpty(): boolean {
    return !this.#hasWaiting() && this.#sealed.size === 0;
  }

  /** A new agent process opens it. `torn`: the file did not survive, a new epoch begins with a gap. */
  reopen(torn: boolean): void {
    this.#starts += 1;
    this.#time = createBrokerTime(this.#o.clock);
    for (const [key, flight] of this.#flights) this.#flights.set(key, land(flight));
    if (!torn) return;
    const epoch = Buffer.from(this.#epoch).toString('hex');
    this.#epoch = randomBytes(EPOCH_BYTES);
    this.#seqs = new Map();
    this.#sealed.clear();
    this.#flights.clear();
    [this.#events, this.#results] = [[], []];
    this.#shelf.clear();
    this.#counts.torn += 1;
    const reason = 'the outbox file was damaged by a power cut';
    this.addEvent({ kind: 'gap', component: '', fields: { epoch, reason } });
  }

  addEvent({ kind, component, fields }: NewEvent): void {
    const event = { id: randomUUID(), timeMs: this.#time.nowMs(), kind, component, fields };
    this.#events.push({ event, mono: this.#anchor(0) });
    if (this.#events.length > EVENTS_MAX) this.#drop('events', this.#events.shift() ? 1 : 0);
    this.#work();
  }

  addResult(result: CommandResult): void {
    this.#results.push(result);
    if (this.#results.length > RESULTS_MAX) this.#drop('results', this.#results.shift() ? 1 : 0);
    this.#work();
  }

  addSnapshot(snapshot: Snapshot): void {
    if (snapshot.samples.length === 0) return;
    const mono = this.#anchor(this.#time.nowMs() - snapshot.timeMs);
    this.#drop('metrics', this.#shelf.add(snapshot, mono));
  }

  takeBatches(limit: number, backlogMax = Infinity): readonly Outgoing[] {
    const now = this.#o.clock.monotonicMs();
    if (this.#hasWaiting()) this.#seal(now);
    if (this.#sealed.size === 0) return [];
    const all = [...this.#sealed.values()];
    const due = all.filter((row) => isDue(this.#flights.get(keyOf(row)), now));
    return choose(due, limit, backlogMax).map((row) => {
      const before = this.#flights.get(keyOf(row));
      this.#flights.set(keyOf(row), fly(before, now, RESEND, this.#o.random()));
      if (before !== undefined) this.#counts.resent += 1;
      const { stream, seq, bytes } = row;
      return { stream, seq, bytes, resend: before !== undefined, backlog: isBacklog(row) };
    });
  }

  acknowledge(ack: Ack): Acknowledged {
    if (Buffer.compare(ack.epoch, this.#epoch) !== 0) {
      this.#counts.foreignAcks += 1;
      this.#time.learn(ack.brokerTimeMs, undefined);
      return { acknowledged: 0, refused: 0, foreign: true };
    }
    const named = [...this.#sealed.values()].filter((row) => isNamed(ack, row));
    this.#time.learn(
      ack.brokerTimeMs,
      roundTripMs(named, this.#flights, this.#o.clock.monotonicMs()),
    );
    for (const row of named) this.#deliver(row);
    let refused = 0;
    for (const refusal of ack.refused) {
      if (!this.#forget(refusal)) continue;
      this.#refused[refusal.stream] = (this.#refused[refusal.stream] ?? 0) + 1;
      refused += 1;
    }
    return { acknowledged: named.length, refused, foreign: false };
  }

  resendAll(): void {
    for (const [key, flight] of this.#flights) this.#flights.set(key, land(flight));
  }

  inFlight(): number {
    return [...this.#flights.values()].filter(({ sends }) => sends > 0).length;
  }

  urgent(): number {
    const sealed = [...this.#sealed.values()].filter(({ stream }) => stream !== 'metrics');
    return this.#events.length + this.#results.length + sealed.length;
  }

  /** There is no disk here. */
  setRoom(): void {}

  /** It has no spans: what the trace of a sale costs is the real ones' to show. */
  addSpans(): void {}

  setSendMs(ms: number): void {
    this.#sendMs = ms;
  }

  setWishedSendMs(ms: number): void {
    this.#wishedMs = wishedMs(ms);
  }

  onWork(call: () => void): void {
    this.#work = call;
  }

  stats(): OutboxStats {
    const sealed = [...this.#sealed.values()];
    const of = (stream: Counted): number => sealed.filter((row) => row.stream === stream).length;
    const { torn, ...counts } = this.#counts;
    const { samples } = this.#shelf;
    return {
      ...counts,
      durable: true,
      bytes: sealed.reduce((sum, { bytes }) => sum + bytes.length, samples * 2),
      batches: { events: of('events'), metrics: of('metrics'), results: of('results'), traces: 0 },
      waiting: { samples, events: this.#events.length, results: this.#results.length, spans: 0 },
      drops: [...this.#drops].map(([stream, count]) => ({ stream, reason: 'quota', count })),
      refused: { ...this.#refused },
      deadLetters: 0,
      keptBytes: 0,
      thinned: 0,
      damaged: torn,
      held: 0,
    };
  }

  close(): void {
    this.#work = () => {};
  }

  #hasWaiting(): boolean {
    return this.#events.length + this.#results.length > 0 || !this.#shelf.isEmpty();
  }

  #anchor(ageMs: number): number | undefined {
    if (this.#time.known()) return undefined;
    return this.#o.clock.monotonicMs() - Math.max(0, ageMs);
  }

  #resolve(timeMs: number, mono: number | undefined): number {
    if (mono === undefined || !this.#time.known()) return Math.round(timeMs);
    return Math.round(this.#time.nowMs() - (this.#o.clock.monotonicMs() - mono));
  }

  #drop(stream: Stream, count: number): void {
    if (count === 0) return;
    this.#drops.set(stream, (this.#drops.get(stream) ?? 0) + count);
  }

  #forget(row: Pick<Sealed, 'stream' | 'seq'>): boolean {
    this.#flights.delete(keyOf(row));
    return this.#sealed.delete(keyOf(row));
  }

  #deliver(row: Sealed): void {
    this.#forget(row);
    this.#counts.acknowledged += 1;
    this.#delivered.batches += 1;
    if (row.stream === 'metrics') this.#delivered.samples += row.items;
    else if (row.stream === 'events') this.#delivered.events += row.items;
    else this.#delivered.results += row.items;
  }

  /** In drain order, as far as the window has room (telemetry/envelope.ts). */
  #seal(now: number): void {
    const room = (share: number): boolean => this.#sealed.size < share;
    while (this.#results.length > 0 && room(WINDOW_SHARES.results)) this.#sealResults();
    while (this.#events.length > 0 && room(WINDOW_SHARES.events)) this.#sealEvents();
    if (this.#shelf.isEmpty()) return;
    const resolve = this.#resolve.bind(this);
    const sendMs = this.#wishedMs > 0 ? this.#wishedMs : this.#sendMs;
    const liveDue = now >= this.#lastLiveMs + sendMs * (1 - LIVE_EARLY_RATIO);
    if (liveDue && room(WINDOW_SHARES.live)) {
      if (this.#putSamples(this.#shelf.takeLive(this.#sendMs, resolve), true)) {
        this.#lastLiveMs = now;
      }
    }
    while (room(WINDOW_SHARES.backlog)) {
      if (!this.#putSamples(this.#shelf.takeBacklog(this.#sendMs, resolve), false)) return;
    }
  }

  #putSamples(taken: Taken | undefined, live: boolean): boolean {
    if (taken !== undefined) this.#put('metrics', live, taken.samples, taken);
    return taken !== undefined;
  }

  #sealEvents(): void {
    const texts = this.#events.map(({ event }) => JSON.stringify(event));
    const taken = this.#events.splice(0, fitTexts(texts, limits.EVENTS_PER_BODY_MAX));
    const events = taken.map(({ event, mono }) => ({
      ...event,
      timeMs: this.#resolve(event.timeMs, mono),
    }));
    this.#put('events', true, events.length, packEvents(events));
  }

  #sealResults(): void {
    const results = this.#results.splice(0, limits.RESULTS_PER_BODY_MAX);
    this.#put('results', true, results.length, packResults(results));
  }

  #put(stream: Stream, live: boolean, items: number, { encoding, body }: Packed): void {
    const seq = (this.#seqs.get(stream) ?? 0) + 1;
    this.#seqs.set(stream, seq);
    const [createdMs, clockOffsetMs] = [this.#time.nowMs(), this.#time.offsetMs()];
    const epoch = this.#epoch;
    const bytes = encodeBatch({ epoch, stream, seq, createdMs, clockOffsetMs, encoding, body });
    const sealed = { stream, seq, live, items, bytes };
    this.#sealed.set(keyOf(sealed), sealed);
  }
}
