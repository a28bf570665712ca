// The component's end of the component channel, for Node: beats from the main loop, says what it is
// doing and hears when to stop. Everything that is still true (ready, busy, open work items) is kept and
// said again after a reconnection, because the agent may be killed and replaced while a sale runs on.
// It runs inside the component, so it uses Node's own timers and depends on nothing but Node; its socket
// and timers are unreferenced and never keep a component alive. No worker thread beats here: a worker
// would go on beating for a main thread that is stuck.

import { connect, type Socket } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';
import { CHANNEL_LINE_BYTES_MAX } from '../../protocol/limits.ts';
import { createLineReader } from './lines.ts';
import type { FromComponent, ToComponent } from './messages.ts';
import { type OrderHandlers, Orders } from './orders.ts';
import { startWitness } from './witness.ts';
import { cut, cutMs, type WorkItem, WorkItems } from './work.ts';

export type { WorkItem } from './work.ts';

export type Channel = {
  readonly ready: (info?: { metricsUrl?: string; version?: string }) => void;
  readonly status: (text: string) => void;
  /** Starting or stopping takes this much longer; to be said again within it. */
  readonly extend: (ms: number) => void;
  readonly stopping: () => void;
  /** I know that I am sick. */
  readonly trouble: (reason: string) => void;
  /** No planned restart until `idle`, or until the ceiling. */
  readonly busy: (id: string, reason: string, ceilingMs: number) => void;
  readonly idle: (id: string) => void;
  readonly begin: (name: string, deadlineMs: number) => WorkItem;
  /** One span in the JSON of OTLP (tracing.ts); lost while nobody listens, and when it is too long for a line. */
  readonly span: (otlp: Readonly<Record<string, unknown>>) => void;
  readonly close: () => void;
};

/** Beside what orders.ts says: hooks that are optional, as is everything that a component need not know. */
export type ChannelHandlers = OrderHandlers & {
  readonly onStop: (stop: { graceMs: number; reason: string }) => void;
  readonly onHeal?: () => void;
};

const RECONNECT_MS_MIN = 50;
const RECONNECT_MS_MAX = 1_000;
/** A reader that stopped reading: the connection is dropped and everything is said again later. */
const QUEUE_BYTES_MAX = 64 * 1024;
/** Said again to an agent that comes within this time: the one before may not have read it. */
const TROUBLE_KEPT_MS = 10_000;
const BUSY_MAX = 64;
const ID_CHARS_MAX = 64;
/** Sampling period of the event loop's delay; Node counts it into each value. */
const LOOP_SAMPLE_MS = 20;

type Identity = { path: string; component: string; instance: string; token: string };
type Until = { reason: string; untilMs: number };
const nowMs = (): number => performance.now();

class Client {
  readonly #identity: Identity;
  readonly #handlers: ChannelHandlers;
  readonly #orders: Orders;
  readonly work = new WorkItems((message) => this.send(message));
  readonly #busy = new Map<string, Until>();
  readonly #loop = monitorEventLoopDelay({ resolution: LOOP_SAMPLE_MS });
  #ready: FromComponent | undefined;
  #status: FromComponent | undefined;
  #stopping: FromComponent | undefined;
  #trouble: { said: FromComponent; untilMs: number } | undefined;
  #socket: Socket | undefined;
  #connected = false;
  #closed = false;
  #retryMs = RECONNECT_MS_MIN;
  #retry: NodeJS.Timeout | undefined;
  #beats: NodeJS.Timeout | undefined;

  constructor(identity: Identity, handlers: ChannelHandlers) {
    this.#identity = identity;
    this.#handlers = handlers;
    this.#orders = new Orders(handlers, (message) => this.send(message));
    this.#loop.enable();
    this.#open();
  }

  #open(): void {
    const socket = connect({ path: this.#identity.path });
    const reader = createLineReader(CHANNEL_LINE_BYTES_MAX, (line) => {
      this.#hear(line);
      return !socket.destroyed;
    });
    this.#socket = socket;
    socket.unref();
    socket.on('connect', () => this.#greet());
    socket.on('data', (chunk) => {
      if (!reader.push(chunk)) socket.destroy();
    });
    // 'close' follows and does the work; without this listener an error would end the component.
    socket.on('error', () => undefined);
    socket.on('close', () => this.#lost());
  }

  #lost(): void {
    this.#connected = false;
    clearInterval(this.#beats);
    if (this.#closed) return;
    this.#retry = setTimeout(() => this.#open(), this.#retryMs);
    this.#retry.unref();
    this.#retryMs = Math.min(this.#retryMs * 2, RECONNECT_MS_MAX);
  }

  /** Hello first, then all that is still true; the agent may be a new one that knows none of it. */
  #greet(): void {
    this.#connected = true;
    const { component, instance, token } = this.#identity;
    this.send({ kind: 'hello', v: 1, role: 'main', component, instance, token, pid: process.pid });
    const trouble = nowMs() < (this.#trouble?.untilMs ?? 0) ? this.#trouble?.said : undefined;
    for (const said of [this.#ready, this.#status, trouble, this.#stopping]) {
      if (said !== undefined) this.send(said);
    }
    for (const [id, { reason, untilMs }] of this.#busy) {
      const ceilingMs = cutMs(untilMs - nowMs());
      if (ceilingMs > 0) this.send({ kind: 'busy', id, reason, ceilingMs });
      else this.#busy.delete(id);
    }
    this.work.tellAgain();
  }

  #hear(line: string): void {
    let message: Partial<ToComponent> | null;
    try {
      message = JSON.parse(line) as Partial<ToComponent> | null;
    } catch {
      return;
    }
    // The socket is the agent's own (mode 0600), so only the shape that is used is checked.
    if (message?.kind === 'welcome' && Number.isFinite(message.beatMs)) {
      this.#retryMs = RECONNECT_MS_MIN;
      this.#startBeats(message.beatMs ?? 0);
    } else if (message?.kind === 'stop') {
      this.#handlers.onStop({ graceMs: message.graceMs ?? 0, reason: message.reason ?? '' });
    } else if (message?.kind === 'heal') this.#handlers.onHeal?.();
    else if (message?.kind === 'level' || message?.kind === 'reopen') this.#orders.hear(message);
  }

  #startBeats(beatMs: number): void {
    clearInterval(this.#beats);
    this.#loop.reset();
    this.#beat();
    this.#beats = setInterval(() => this.#beat(), Math.max(beatMs, LOOP_SAMPLE_MS));
    this.#beats.unref();
  }

  #beat(): void {
    // Node's maximum is 0 before the first sample and counts the sampling period itself.
    const loopDelayMsMax = cutMs(this.#loop.max / 1e6 - LOOP_SAMPLE_MS);
    this.#loop.reset();
    this.send({ kind: 'beat', loopDelayMsMax: Math.round(loopDelayMsMax * 10) / 10 });
  }

  send(message: FromComponent): void {
    const socket = this.#socket;
    if (!this.#connected || socket === undefined || socket.destroyed) return;
    if (socket.writableLength > QUEUE_BYTES_MAX) {
      socket.destroy();
      return;
    }
    socket.write(`${JSON.stringify(message)}\n`);
  }

  ready({ metricsUrl, version }: NonNullable<Parameters<Channel['ready']>[0]> = {}): void {
    this.#ready = {
      kind: 'ready',
      ...(metricsUrl === undefined ? {} : { metricsUrl }),
      ...(version === undefined ? {} : { version }),
    };
    this.send(this.#ready);
  }

  status(text: string): void {
    this.#status = { kind: 'status', text: cut(text) };
    this.send(this.#status);
  }

  stopping(): void {
    this.#stopping = { kind: 'stopping' };
    this.send(this.#stopping);
  }

  trouble(reason: string): void {
    const said: FromComponent = { kind: 'trouble', reason: cut(reason) };
    this.#trouble = { said, untilMs: nowMs() + TROUBLE_KEPT_MS };
    this.send(said);
  }

  busy(givenId: string, reason: string, ceiling: number): void {
    const id = givenId.slice(0, ID_CHARS_MAX);
    const ceilingMs = cutMs(ceiling);
    if (id === '' || (this.#busy.size >= BUSY_MAX && !this.#busy.has(id))) return;
    this.#busy.set(id, { reason: cut(reason), untilMs: nowMs() + ceilingMs });
    this.send({ kind: 'busy', id, reason: cut(reason), ceilingMs });
  }

  idle(givenId: string): void {
    const id = givenId.slice(0, ID_CHARS_MAX);
    if (this.#busy.delete(id)) this.send({ kind: 'idle', id });
  }

  span(otlp: Readonly<Record<string, unknown>>): void {
    const message: FromComponent = { kind: 'span', otlp };
    if (Buffer.byteLength(JSON.stringify(message)) < CHANNEL_LINE_BYTES_MAX) this.send(message);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    clearInterval(this.#beats);
    this.work.close();
    this.#orders.close();
    this.#loop.disable();
    this.#socket?.end();
  }
}

function readIdentity(env: NodeJS.ProcessEnv): Identity | undefined {
  const path = env['TILLWATCH_SOCKET'] ?? '';
  const component = env['TILLWATCH_COMPONENT'] ?? '';
  const instance = env['TILLWATCH_INSTANCE'] ?? '';
  const token = env['TILLWATCH_TOKEN'] ?? '';
  if (path === '') return undefined;
  if (component !== '' && instance !== '' && token !== '')
    return { path, component, instance, token };
  process.emitWarning('TILLWATCH_SOCKET is set but not the rest: this component is not watched');
  return undefined;
}

const nothing = (): void => undefined;
/** A component that runs alone: everything may be said, nobody listens. */
const alone: Channel = {
  ready: nothing,
  status: nothing,
  extend: nothing,
  stopping: nothing,
  trouble: nothing,
  busy: nothing,
  idle: nothing,
  begin: () => ({ touch: nothing, end: nothing }),
  span: nothing,
  close: nothing,
};

/**
 * Call once, from the main thread, as early as possible in the component's start.
 * @throws in a worker thread: its beats would prove nothing about the main loop.
 */
export function connectChannel(
  handlers: ChannelHandlers,
  env: NodeJS.ProcessEnv = process.env,
): Channel {
  if (!isMainThread) throw new Error('connectChannel belongs in the main thread, which it watches');
  const identity = readIdentity(env);
  if (identity === undefined) return alone;
  const client = new Client(identity, handlers);
  const endWitness = env['TILLWATCH_WITNESS'] === '1' ? startWitness(identity) : nothing;
  return {
    ready: (info) => client.ready(info),
    status: (text) => client.status(text),
    extend: (ms) => client.send({ kind: 'extend', ms: cutMs(ms) }),
    stopping: () => client.stopping(),
    trouble: (reason) => client.trouble(reason),
    busy: (id, reason, ceilingMs) => client.busy(id, reason, ceilingMs),
    idle: (id) => client.idle(id),
    begin: (name, deadlineMs) => client.work.begin(name, deadlineMs),
    span: (otlp) => client.span(otlp),
    close: () => {
      endWitness();
      client.close();
    },
  };
}
