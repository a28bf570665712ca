// Keeps the terminal in touch with its broker for as long as the agent lives: connects, subscribes,
// drains the outbox, hands acknowledgements back to it and commands to the agent, and connects again
// after every kind of end, with backoff. Whether a connection works is judged by acknowledgements
// alone: a broker that takes batches and says nothing for 30 s is left and tried again, because a half-open
// TCP connection looks healthy for many minutes. Nothing is queued here: what is not sent stays in the outbox.

import { ok, type Result } from '../../protocol/result.ts';
import { upTopic } from '../../protocol/topics.ts';
import { type Ack, decodeAck } from '../../protocol/wire.ts';
import type { Cancel } from '../ports.ts';
import type { Outgoing } from '../telemetry/types.ts';
import { BACKOFF } from './backoff.ts';
import { Greeting } from './greeting.ts';
import { knownTime } from './judge.ts';
import { Sending } from './sending.ts';
import { openSession, type Session } from './session.ts';
import { Tries } from './tries.ts';
import { type Link, type LinkOptions, type LinkStats, NO_STATS, type Way } from './types.ts';

export type { Link, LinkOptions, LinkStats } from './types.ts';

const CONNECT_TIMEOUT_MS = 10_000;
export const SILENCE_MS_MAX = 30_000;
/** How often resends, live minutes and silence are looked at when nothing else happens. */
const TICK_MS = 1_000;
/** The last events are given so long to be acknowledged, then the goodbye so long. */
const DRAIN_MS_MAX = 1_000;
const LEAVE_MS_MAX = 500;
/** Without a way to the broker it is asked for so often; whoever finds one says so before. */
const NO_WAY_MS = 60_000;
const REFRESHED = 'connecting anew with what is new';

/** What an acknowledgement of log chunks does to the outbox. */
const NOTHING_DONE = { acknowledged: 0, refused: 0 };

class AgentLink implements Link {
  readonly #o: LinkOptions;
  readonly #tries: Tries;
  readonly #sending: Sending;
  readonly #cancelTick: Cancel;
  readonly #stats = { ...NO_STATS };
  #session: Session | undefined;
  #up = false;
  readonly #greeting = new Greeting();
  /** Monotonic time since which something sent waits for any acknowledgement. */
  #silentSinceMs: number | undefined;
  /** Addresses of the connection that is open or tried. */
  #addresses = 1;
  #isStale = false;
  #cancelConnect: Cancel = () => {};
  #pumpAsked = false;
  #notice = '';
  #stopped: Promise<void> | undefined;
  #drained = (): void => {};

  constructor(options: LinkOptions) {
    this.#o = options;
    const policy = () => ({ ...BACKOFF, ...options.backoff });
    this.#tries = new Tries(policy, options.random ?? Math.random);
    const { outbox, chunks, clock } = options;
    this.#sending = new Sending({ outbox, chunks, clock, isUp: () => this.#up }, (batch) =>
      this.#send(batch),
    );
    this.#cancelTick = options.timers.every(TICK_MS, () => this.#tick());
    options.outbox.onWork(() => this.#askPump());
    options.chunks?.onWork(() => this.#askPump());
    this.#connectIn(this.#tries.firstMs());
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

  refresh(): void {
    if (this.#stopped !== undefined) return;
    if (this.#session !== undefined) {
      // A try that is under way fails or works by itself; what waits for its answer is not asked twice.
      this.#isStale = true;
      this.#refreshIdle();
      return;
    }
    this.#tries.worked();
    this.#connectIn(0);
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

  #connectIn(waitMs: number): void {
    this.#cancelConnect();
    this.#cancelConnect = this.#o.timers.after(waitMs, () => this.#connect());
  }

  #way(): Result<Way> {
    const { broker } = this.#o;
    return 'host' in broker ? ok({ addresses: [broker] }) : broker();
  }

  #connect(): void {
    const { terminal, timers } = this.#o;
    const way = this.#way();
    if (!way.ok) {
      this.#tell(way.reason);
      this.#connectIn(NO_WAY_MS);
      return;
    }
    const { addresses, ...how } = way.value;
    const address = this.#tries.pick(addresses);
    this.#addresses = addresses.length;
    this.#isStale = false;
    const connectTimeoutMs = this.#o.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
    const open = this.#o.openSession ?? openSession;
    this.#greeting.opened(this.#o.clock.monotonicMs());
    this.#session = open(
      { terminal, ...address, ...how, connectTimeoutMs, timers, time: () => this.#knownTime() },
      {
        onUp: () => this.#onUp(address.host, address.port),
        onAck: (data) => this.#onAck(data),
        onCommand: (data) => {
          this.#stats.commands += 1;
          this.#o.onCommand(data);
        },
        onDown: (reason) => this.#onDown(reason),
      },
    );
  }

  #knownTime() {
    const { outbox, clock, floorMs } = this.#o;
    return knownTime(outbox.time, clock.wallMs(), floorMs?.() ?? 0);
  }

  #onUp(host: string, port: number): void {
    const { clock, log, outbox } = this.#o;
    this.#up = true;
    this.#greeting.up(clock.monotonicMs());
    this.#silentSinceMs = undefined;
    this.#stats.connects += 1;
    log.info('connected to the broker', { host, port });
    this.#o.watch?.up();
    outbox.resendAll();
    this.#o.chunks?.resendAll();
    this.#pump();
  }

  #onDown(reason: string): void {
    const wasUp = this.#up;
    this.#up = false;
    this.#session = undefined;
    // A wish ends with the connection over which it came.
    this.#o.outbox.setWishedSendMs(0);
    this.#drained();
    if (this.#stopped !== undefined) return;
    if (reason === REFRESHED) {
      this.#connectIn(0);
      return;
    }
    this.#stats.failures += 1;
    this.#tell(reason);
    this.#o.watch?.down(reason);
    const wasSteady = this.#greeting.wasSteady(this.#o.clock.monotonicMs());
    const how = { reason, wasUp, wasSteady, addresses: this.#addresses };
    const waitMs = this.#tries.endedMs(how);
    this.#connectIn(this.#isStale ? 0 : waitMs);
  }

  /** Once per change: a store without a line must not fill the agent's log. */
  #tell(reason: string): void {
    const { log } = this.#o;
    if (reason !== this.#stats.lastReason) log.warn('no connection to the broker', { reason });
    this.#stats.lastReason = reason;
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
      this.#tries.worked();
      this.#stats.lastReason = '';
      this.#silentSinceMs = this.#inFlight() > 0 ? clock.monotonicMs() : undefined;
    }
    this.#refreshIdle();
    if (outbox.urgent() === 0) this.#drained();
    this.#askPump();
  }

  #inFlight(): number {
    return this.#o.outbox.inFlight() + (this.#o.chunks?.inFlight() ?? 0);
  }

  #refreshIdle(): void {
    if (!this.#isStale || !this.#up || this.#inFlight() > 0) return;
    this.#isStale = false;
    this.#up = false;
    void this.#session?.leave(LEAVE_MS_MAX, REFRESHED);
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
    this.#sending.batches(this.#stats.paceBytesPerSecond);
    if (this.#sending.chunk(this.#session?.waitingBytes?.() ?? 0)) this.#askPump();
  }

  #send(batch: Pick<Outgoing, 'stream' | 'bytes'>): void {
    // A word about a search is not answered.
    const isAnswered = batch.stream !== 'logs' || this.#inFlight() > 0;
    if (isAnswered) this.#silentSinceMs ??= this.#o.clock.monotonicMs();
    this.#stats.sentBatches += 1;
    this.#stats.sentBytes += batch.bytes.length;
    this.#session?.publish(upTopic(this.#o.terminal, batch.stream), batch.bytes);
  }
}

export const startLink = (options: LinkOptions): Link => new AgentLink(options);
