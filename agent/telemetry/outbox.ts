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
import type { Attributes, Span } from '../../protocol/traces.ts';
import { type Ack, NO_EPOCH, type Stream } from '../../protocol/wire.ts';
import type { Clock, Log } from '../ports.ts';
import type { SealedRow } from './batches.ts';
import { Desk } from './desk.ts';
import { keyOf } from './desk-items.ts';
import { seal, WINDOW_SHARES } from './envelope.ts';
import { SAMPLE_BYTES } from './hold.ts';
import { choose, isBacklog, isNamed } from './order.ts';
import { type Buried, buryRefused } from './refusals.ts';
import { fitFields } from './seal.ts';
import { packSpans } from './span-rows.ts';
import { sendableSpans } from './spans-check.ts';
import { Stamps } from './stamps.ts';
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
const OWN_RESOURCE: Attributes = { 'service.name': 'tillwatch-agent' };
/** A live batch may be sealed this much early: timers of sampler and link do not run in step. */
const LIVE_EARLY_RATIO = 0.02;
/** JSON of one result's detail. */
const DETAIL_CHARS_MAX = 16 * 1024;
/** While somebody looks at the terminal the broker may ask for samples this often (Ack.sendEveryMs). */
const WISHED_MS_MIN = 1_000;
const WISHED_MS_MAX = 3_600_000;

const isGreeting = ({ epoch }: Ack): boolean => Buffer.compare(epoch, NO_EPOCH) === 0;

class FileOutbox implements Outbox {
  readonly time: BrokerTime;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #policy: ResendPolicy;
  readonly #random: () => number;
  readonly #desk: Desk;
  readonly #stamps = new Stamps();
  readonly #flights = new Map<string, Flight>();
  readonly #refused: Partial<Record<Stream, number>> = {};
  readonly #counts = { acknowledged: 0, foreignAcks: 0, resent: 0 };
  #sendMs: number;
  /** Of the broker; 0: none. */
  #wishedMs = 0;
  #lastLiveMs = -Infinity;
  #work = (): void => {};

  constructor(options: OutboxOptions) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#policy = options.resend ?? RESEND;
    this.#random = options.random ?? Math.random;
    this.#sendMs = options.sendMs ?? SEND_MS;
    this.time = createBrokerTime(options.clock);
    const sendMs = (): number => this.#liveMs();
    const onNewEpoch = (): void => this.#flights.clear();
    this.#desk = new Desk({ ...options, time: this.time, sendMs, onNewEpoch });
  }

  get epoch(): Uint8Array {
    return this.#desk.file.store.epoch;
  }

  get starts(): number {
    return this.#desk.file.store.starts;
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
      this.#desk.put({ kind: 'event', event, mono: this.#desk.file.anchor(), bytes });
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
    const { timeMs: takenMs, samples } = snapshot;
    if (samples.length === 0) return;
    const ageMs = this.time.nowMs() - takenMs;
    const mono = this.#desk.file.anchor(ageMs);
    const timeMs = this.#stamps.next(takenMs, this.#clock.monotonicMs() - ageMs, this.time.known());
    const bytes = samples.length * SAMPLE_BYTES;
    this.#desk.put({ kind: 'snapshot', snapshot: { timeMs, samples }, mono, bytes });
  }

  addSpans(spans: readonly Span[], resource: Attributes = OWN_RESOURCE): void {
    const sendable = sendableSpans(spans);
    for (const { reason, count } of sendable.left) {
      this.#desk.refuse({ stream: 'traces', reason, count }, `spans cannot be sent: ${reason}`);
    }
    for (const added of packSpans({ resource, spans: sendable.spans })) {
      const mono = this.#desk.file.anchor(this.time.nowMs() - added.untilMs);
      this.#desk.put({ kind: 'spans', added, mono, bytes: added.body.length + SAMPLE_BYTES });
    }
    this.#work();
  }

  takeBatches(limit: number, backlogMax = Number.POSITIVE_INFINITY): readonly Outgoing[] {
    this.#desk.flush();
    const now = this.#clock.monotonicMs();
    this.#sealWaiting(now);
    const due = [...this.#desk.file.sealed.values()].filter((row) =>
      isDue(this.#flights.get(keyOf(row)), now),
    );
    const taken: Outgoing[] = [];
    for (const row of choose(due, limit, backlogMax)) {
      const { stream, seq } = row;
      const bytes = this.#desk.file.read(stream, seq);
      if (bytes === undefined) continue;
      const before = this.#flights.get(keyOf(row));
      this.#flights.set(keyOf(row), fly(before, now, this.#policy, this.#random()));
      if (before !== undefined) this.#counts.resent += 1;
      const resend = before !== undefined;
      taken.push({ stream, seq, bytes, resend, backlog: isBacklog(row) });
    }
    return taken;
  }

  acknowledge(ack: Ack, answerMsMax?: number): Acknowledged {
    if (this.#desk.file.meet(Buffer.from(ack.ledgerGeneration).toString('hex'))) {
      this.#log.warn('the ledger is another one: what it may not know is sent again');
      // What is in flight went to the other one, perhaps on this very connection.
      this.resendAll();
    }
    if (Buffer.compare(ack.epoch, this.epoch) !== 0) {
      if (!isGreeting(ack)) this.#counts.foreignAcks += 1;
      this.#learn(ack.brokerTimeMs, answerMsMax);
      return { acknowledged: 0, refused: 0, foreign: true };
    }
    const named = [...this.#desk.file.sealed.values()].filter((row) => isNamed(ack, row));
    this.#learn(ack.brokerTimeMs, this.#roundTripMs(named));
    const refused = this.#bury(ack);
    for (const row of named) {
      this.#desk.file.finish(row);
      this.#flights.delete(keyOf(row));
    }
    this.#counts.acknowledged += named.length;
    return { acknowledged: named.length, refused, foreign: false };
  }

  #learn(brokerTimeMs: number, roundTripMs: number | undefined): void {
    const wasKnown = this.time.known();
    this.time.learn(brokerTimeMs, roundTripMs);
    if (!wasKnown) this.#stamps.known(this.time.nowMs(), this.#clock.monotonicMs());
  }

  resendAll(): void {
    for (const [key, flight] of this.#flights) this.#flights.set(key, land(flight));
  }

  inFlight(): number {
    const { sealed } = this.#desk.file;
    // One that was dropped for room meanwhile is not waited for.
    return [...this.#flights].filter(([key, flight]) => flight.sends > 0 && sealed.has(key)).length;
  }

  urgent(): number {
    return this.#desk.urgent();
  }

  setSendMs(ms: number): void {
    this.#sendMs = ms;
  }

  setWishedSendMs(ms: number): void {
    const isWish = Number.isFinite(ms) && ms > 0;
    this.#wishedMs = isWish ? Math.min(WISHED_MS_MAX, Math.max(WISHED_MS_MIN, ms)) : 0;
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

  #liveMs(): number {
    return this.#wishedMs === 0 ? this.#sendMs : this.#wishedMs;
  }

  #sealWaiting(now: number): void {
    this.#desk.file.sealAgain(WINDOW_SHARES.backlog - this.#desk.file.sealed.size);
    const inWindow = this.#desk.file.sealed.size;
    if (!this.#desk.hasWaiting() || inWindow >= limits.WINDOW_BATCHES) return;
    const sendMs = this.#liveMs();
    const liveDue = now >= this.#lastLiveMs + sendMs * (1 - LIVE_EARLY_RATIO);
    const stamp = { createdMs: this.time.nowMs(), clockOffsetMs: this.time.offsetMs() };
    const live = this.#desk.file.run((job) => {
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

  #bury({ refused }: Ack): number {
    const { file } = this.#desk;
    const stamp = { timeMs: this.time.nowMs(), clockOffsetMs: this.time.offsetMs() };
    const forget = ({ stream, seq, again }: Buried): void => {
      this.#flights.delete(keyOf({ stream, seq }));
      this.#refused[stream] = (this.#refused[stream] ?? 0) + 1;
      this.#log.warn('the broker refused a batch', { stream, seq, again });
    };
    return buryRefused({ file, refused, stamp, forget });
  }
}

/** Never fails: where nothing can be written, the outbox lives in memory, counts it and says so. */
export const openOutbox = (options: OutboxOptions): Outbox => new FileOutbox(options);
