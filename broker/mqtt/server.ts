// The MQTT listener: sockets, their limits and guards, and one aedes with every option written out,
// because its defaults can be crashed by a single frozen reader (research/mqtt.md 0.5, 1.4). Only
// MQTT 3.1.1 is spoken. aedes moves packets; who may do what stands in rules.ts, what is committed in
// ingest/, and what goes to a terminal goes to its own connection, never through a subscription.

import { createServer, type Server, type Socket } from 'node:net';
import { Aedes, type Client } from 'aedes';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Clock, Timers } from '../clock.ts';
import type { FrontMetrics, Log } from '../ports.ts';
import { HandlingError } from './errors.ts';
import { Guard, type GuardOptions } from './guard.ts';
import type { Hooks } from './hooks.ts';
import type { MqttLimits } from './limits.ts';
import { createRateLimiter } from './rate.ts';

/** Terminals ask for 60 s; a connection that may be silent for longer hides a dead terminal. */
const KEEPALIVE_SECONDS_MAX = 300;
/** Less than broker.ts gives a part, so that what is behind us is closed after us and not meanwhile. */
const STOP_MS_MAX = 700;

export type MqttServerOptions = {
  readonly host: string;
  readonly port: number;
  readonly limits: MqttLimits;
  readonly hooks: Hooks;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly timers: Pick<Timers, 'after'>;
  readonly log: Log;
  readonly metrics: Pick<FrontMetrics, 'refused' | 'connects'>;
};

export type MqttServer = {
  /** The real one where 0 was asked for. */
  readonly port: number;
  /** Open connections, also those not accepted yet. */
  readonly connections: () => number;
  readonly stop: () => Promise<void>;
};

function makeAedes(limits: MqttLimits, hooks: Hooks): Promise<Aedes> {
  return Aedes.createBroker({
    id: 'tillwatch',
    // Messages in flight between publishers and subscribers. A bound here is the crash of
    // mqemitter 204; nobody subscribes to what is published, so there is nothing to bound.
    concurrency: 0,
    heartbeatInterval: 60_000,
    connectTimeout: limits.connectTimeoutMs,
    drainTimeout: limits.drainTimeoutMs,
    keepaliveLimit: KEEPALIVE_SECONDS_MAX,
    // Packets before CONNACK; the guard lets none through, so this is a second fence.
    queueLimit: 8,
    maxInflightInbound: 1,
    maxClientsIdLength: 32,
    maxTopicLevels: 8,
    trustProxy: false,
    trustedProxies: [],
    preConnect: hooks.preConnect,
    authenticate: hooks.authenticate,
    authorizePublish: hooks.authorizePublish,
    authorizeSubscribe: hooks.authorizeSubscribe,
    authorizeForward: hooks.authorizeForward,
    published: hooks.published,
  });
}

/** A parser that throws would end the process from inside a stream event: let it end one client. */
function fence(client: Client): void {
  const { _parser: parser } = client as unknown as { _parser: { parse: (b: Buffer) => number } };
  const parse = parser.parse.bind(parser);
  parser.parse = (chunk) => {
    try {
      return parse(chunk);
    } catch (cause) {
      const what = `a packet could not be handled: ${(cause as Error).stack}`;
      client.emit('error', new HandlingError(what, { cause }));
      return 0;
    }
  };
}

function listen(server: Server, host: string, port: number): Promise<Result<number>> {
  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = 'is taken by another program; stop it or choose another port';
      const rights = 'needs rights that this user lacks';
      const why = { EADDRINUSE: taken, EACCES: rights }[error.code ?? ''] ?? error.message;
      resolve(fail(`mqtt.port: ${host}:${port} ${why}`));
    });
    server.listen({ host, port, backlog: 1024 }, () => {
      const address = server.address();
      resolve(ok(typeof address === 'object' && address !== null ? address.port : port));
    });
  });
}

/** Accepts sockets within the limits and hands each to aedes behind a guard. */
function createAcceptor(options: MqttServerOptions, aedes: Aedes) {
  const { limits, clock, timers, metrics, log } = options;
  const limiter = createRateLimiter(limits.connects);
  const guards = new Set<Guard>();
  function accept(socket: Socket): void {
    const address = socket.remoteAddress ?? 'unknown';
    if (!limiter.allow(address, clock.monotonicMs())) {
      metrics.refused('connect_rate');
      socket.on('error', () => {});
      socket.destroy();
      return;
    }
    const { drainTimeoutMs } = limits;
    const onProblem: GuardOptions['onProblem'] = (reason) => {
      metrics.refused(reason);
      log.warn('closed', { reason, address });
    };
    const guard: Guard = new Guard(socket, { timers, drainTimeoutMs, onProblem });
    guards.add(guard);
    guard.once('close', () => guards.delete(guard));
    fence(aedes.handle(guard));
  }
  return { accept, guards };
}

export async function startMqttServer(options: MqttServerOptions): Promise<Result<MqttServer>> {
  const { host, port, limits, hooks, timers, metrics, log } = options;
  const aedes = await makeAedes(limits, hooks);
  hooks.attach(aedes);
  const { accept, guards } = createAcceptor(options, aedes);
  const server = createServer({ allowHalfOpen: false, keepAlive: true, noDelay: true }, accept);
  server.maxConnections = limits.connections;
  server.on('drop', () => metrics.refused('too_many_connections'));
  const close = (): Promise<void> => new Promise((resolve) => aedes.close(() => resolve()));
  const listening = await listen(server, host, port);
  if (!listening.ok) {
    await close();
    return listening;
  }
  server.on('error', (error) => log.error('the MQTT listener failed', { error: String(error) }));
  return ok({
    port: listening.value,
    connections: () => guards.size,
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const guard of guards) guard.destroy();
      // A client in the middle of its connect can keep aedes from closing; the process will end.
      await new Promise<void>((resolve) => {
        const cancel = timers.after(STOP_MS_MAX, resolve);
        void Promise.all([closed, close()]).then(() => {
          cancel();
          resolve();
        });
      });
    },
  });
}
