// Keeps the terminal in touch with its broker for as long as the agent lives: connects, subscribes,
// drains the outbox, hands acknowledgements back to it and commands to the agent, and connects again
// after every kind of end, with backoff. Whether a connection works is judged by acknowledgements
// alone: a broker that takes batches and says nothing for 30 s is left and tried again, because a
// half-open TCP connection looks healthy for many minutes. Nothing is queued here: what is not sent
// stays in the outbox.

import { WINDOW_BATCHES } from '../../protocol/limits.ts';
import { upTopic } from '../../protocol/topics.ts';
import { type Ack, decodeAck } from '../../protocol/wire.ts';
import type { Chunks } from '../logs/pulls.ts';
import type { Cancel, Clock, Log, Timers } from '../ports.ts';
import type { Outbox, Outgoing } from '../telemetry/types.ts';
import { BACKOFF, type BackoffPolicy, reconnectDelayMs } from './backoff.ts';
import { Greeting } from './greeting.ts';
import { type Bucket, fullBucket, refill, spend } from './pace.ts';
import { openSession, type Session } from './session.ts';
import { type Link, type LinkStats, type LinkWatch, NO_STATS } from './types.ts';

export type { Link, LinkStats } from './types.ts';

export type LinkOptions = {
  readonly terminal: string;
  readonly broker: { readonly host: string; readonly port: number };
  readonly outbox: Outbox;
  /** Log chunks, sent when the outbox has nothing. */
  readonly chunks?: Chunks;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** A signed command as it came; unchecked. */
  readonly onCommand: (data: Uint8Array) => void;
  readonly backoff?: Partial<BackoffPolicy>;
  readonly random?: () => number;
  readonly watch?: LinkWatch;
  readonly connectTimeoutMs?: number;
  /** Connected, batches sent, nothing acknowledged for so long: the connection is given up. */
  readonly silenceMsMax?: number;
  /** Another way to speak MQTT; session.ts when not given. */
  readonly openSession?: typeof openSession;
};

const CONNECT_TIMEOUT_MS = 10_000;
export const SILENCE_MS_MAX = 30_000;
/** How often resends, live minutes and silence are looked at when nothing else happens. */
const TICK_MS = 1_000;
/** Connected for so long without a failure: the next backoff begins anew. */
const STEADY_MS = 30_000;
/** The last events are given so long to be acknowledged, then the goodbye so long. */
const DRAIN_MS_MAX = 1_000;
const LEAVE_MS_MAX = 500;

/** What an acknowledgement of log chunks does to the outbox. */
const NOTHING_DONE = { acknowledged: 0, refused: 0 };

class AgentLink implements Link {
  readonly #o: LinkOptions;
  readonly #policy: BackoffPolicy;
  readonly #cancelTick: Cancel;
  readonly #stats = { ...NO_STATS };
  #session: Session | undefined;
  #up = false;
  readonly #greeting = new Greeting();
  /** Monotonic time since which something sent waits for any acknowledgement. */
  #silentSinceMs: number | undefined;
  #backoffStep = 0;
  #cancelConnect: Cancel = () => {};
  #pumpAsked = false;
  #bucket: Bucket;
  #notice = '';
  #stopped: Promise<void> | undefined;
  #drained = (): void => {};

  constructor(options: LinkOptions) {
    this.#o = options;
    this.#policy = { ...BACKOFF, ...options.backoff };
    this.#bucket = fullBucket(options.clock.monotonicMs());
    this.#cancelTick = options.timers.every(TICK_MS, () => this.#tick());
    options.outbox.onWork(() => this.#askPump());
    options.chunks?.onWork(() => this.#askPump());
    this.#connectLater();
  }

  connected(): boolean {
    return this.#up;
  }

  brokerNowMs(): number {
    return this.#o.outbox.time.nowMs();
  }

  clockOffsetMs(): number | undefined {
    const { time } = this.#o.outbox;
    return time.known() ? time.offsetMs() : undefined;
  }

  stats(): LinkStats {
    return { ...this.#stats, connected: this.#up };
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#end();
    return this.#stopped;
  }

  async #end(): Promise<void> {
    this.#cancelConnect();
    this.#o.outbox.onWork(() => {});
    if (this.#up) {
      this.#pump();
      await this.#urgentGone();
    }
    this.#cancelTick();
    const leaving = this.#session?.leave(LEAVE_MS_MAX);
    this.#up = false;
    await leaving;
  }

  #urgentGone(): Promise<void> {
    if (this.#o.outbox.urgent() === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.#o.timers.after(DRAIN_MS_MAX, resolve);
      this.#drained = () => {
        cancel();
        resolve();
      };
    });
  }

  #connectLater(): void {
    const random = (this.#o.random ?? Math.random)();
    const waitMs = reconnectDelayMs(this.#policy, this.#backoffStep, random);
    this.#cancelConnect = this.#o.timers.after(waitMs, () => this.#connect());
  }

  #connect(): void {
    const { terminal, broker, timers } = this.#o;
    const connectTimeoutMs = this.#o.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
    const open = this.#o.openSession ?? openSession;
    this.#greeting.opened(this.#o.clock.monotonicMs());
    const session = open(
      { terminal, ...broker, connectTimeoutMs, timers },
      {
        onUp: () => this.#onUp(),
        onAck: (data) => this.#onAck(data),
        onCommand: (data) => {
          this.#stats.commands += 1;
          this.#o.onCommand(data);
        },
        onDown: (reason) => this.#onDown(reason),
      },
    );
    this.#session = session;
  }

  #onUp(): void {
    const { clock, log, broker, outbox } = this.#o;
    this.#up = true;
    this.#greeting.up(clock.monotonicMs());
    this.#silentSinceMs = undefined;
    this.#stats.connects += 1;
    log.info('connected to the broker', { ...broker });
    this.#o.watch?.up();
    outbox.resendAll();
    this.#o.chunks?.resendAll();
    this.#pump();
  }

  #onDown(reason: string): void {
    const { clock, log } = this.#o;
    const now = clock.monotonicMs();
    if (this.#up && this.#greeting.upForMs(now) >= STEADY_MS) this.#backoffStep = 0;
    this.#up = false;
    this.#session = undefined;
    // A wish ends with the connection over which it came.
    this.#o.outbox.setWishedSendMs(0);
    this.#drained();
    if (this.#stopped !== undefined) return;
    this.#backoffStep += 1;
    this.#stats.failures += 1;
    // Once per change: a store without a line must not fill the agent's log.
    if (reason !== this.#stats.lastReason) log.warn('no connection to the broker', { reason });
    this.#stats.lastReason = reason;
    this.#o.watch?.down(reason);
    this.#connectLater();
  }

  #onAck(data: Uint8Array): void {
    const decoded = decodeAck(data);
    if (!decoded.ok) {
      this.#stats.garbageAcks += 1;
      this.#o.log.warn('an acknowledgement cannot be read', { reason: decoded.reason });
      return;
    }
    const { outbox, chunks, clock } = this.#o;
    const isChunk = chunks?.acknowledge(decoded.value) === true;
    const done = isChunk
      ? NOTHING_DONE
      : outbox.acknowledge(decoded.value, this.#greeting.heard(clock.monotonicMs()));
    this.#stats.acks += 1;
    this.#o.watch?.acknowledged();
    this.#heed(decoded.value);
    if (isChunk || done.acknowledged + done.refused > 0) {
      // This broker does its work: whatever ends the connection now begins a new backoff.
      this.#backoffStep = 0;
      this.#stats.lastReason = '';
      const inFlight = outbox.inFlight() + (chunks?.inFlight() ?? 0);
      this.#silentSinceMs = inFlight > 0 ? clock.monotonicMs() : undefined;
    }
    if (outbox.urgent() === 0) this.#drained();
    this.#askPump();
  }

  #heed(ack: Ack): void {
    const pace = ack.paceBytesPerSecond;
    this.#stats.paceBytesPerSecond = Number.isSafeInteger(pace) && pace > 0 ? pace : 0;
    this.#o.outbox.setWishedSendMs(ack.sendEveryMs ?? 0);
    if (ack.notice !== '' && ack.notice !== this.#notice) {
      this.#o.log.warn('the broker says', { notice: ack.notice.slice(0, 500) });
    }
    this.#notice = ack.notice;
  }

  #tick(): void {
    if (!this.#up) return;
    const silentMs = this.#o.clock.monotonicMs() - (this.#silentSinceMs ?? Infinity);
    const silenceMsMax = this.#o.silenceMsMax ?? SILENCE_MS_MAX;
    if (silentMs >= silenceMsMax) {
      this.#stats.silences += 1;
      this.#session?.destroy(`the broker acknowledged nothing for ${silenceMsMax} ms`);
      return;
    }
    this.#pump();
  }

  /** Several events of one moment make one batch, and no caller of addEvent waits for a socket. */
  #askPump(): void {
    if (this.#pumpAsked || !this.#up) return;
    this.#pumpAsked = true;
    this.#o.timers.after(0, () => {
      this.#pumpAsked = false;
      this.#pump();
    });
  }

  #pump(): void {
    const { clock, outbox } = this.#o;
    if (!this.#up) return;
    if (!outbox.time.known() && this.#greeting.isAwaited(clock.monotonicMs())) return;
    this.#sendBatches();
    this.#sendChunk();
  }

  /** Only backlog is paced: what happens now is what somebody waits for, and there is little of it. */
  #sendBatches(): void {
    const { outbox, clock } = this.#o;
    const pace = this.#stats.paceBytesPerSecond;
    const isPaced = pace > 0;
    for (const batch of outbox.takeBatches(WINDOW_BATCHES, isPaced ? 0 : undefined)) {
      this.#send(batch);
    }
    if (!isPaced) return;
    this.#bucket = refill(this.#bucket, pace, clock.monotonicMs());
    while (this.#up && this.#bucket.tokens > 0) {
      const [batch] = outbox.takeBatches(1, 1);
      if (batch === undefined) return;
      if (batch.backlog) this.#bucket = spend(this.#bucket, batch.bytes.length);
      this.#send(batch);
    }
  }

  /**
   * One at a time, and none while the socket still holds what was written before: a live batch that comes
   * now waits behind this one chunk at most.
   */
  #sendChunk(): void {
    const { chunks } = this.#o;
    if (chunks === undefined || (this.#session?.waitingBytes?.() ?? 0) > 0) return;
    const bytes = chunks.take();
    if (bytes === undefined) return;
    this.#send({ stream: 'logs', bytes });
    this.#askPump();
  }

  #send(batch: Pick<Outgoing, 'stream' | 'bytes'>): void {
    this.#silentSinceMs ??= this.#o.clock.monotonicMs();
    this.#stats.sentBatches += 1;
    this.#stats.sentBytes += batch.bytes.length;
    this.#session?.publish(upTopic(this.#o.terminal, batch.stream), batch.bytes);
  }
}

export const startLink = (options: LinkOptions): Link => new AgentLink(options);
