// The MQTT listener: sockets, their limits and guards, and one aedes with every option written out,
// because its defaults can be crashed by a single frozen reader (research/mqtt.md 0.5, 1.4). Only
// MQTT 3.1.1 is spoken. aedes moves packets; who may do what stands in rules.ts, what is committed in
// ingest/, and what goes to a terminal goes to its own connection, never through a subscription.

import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { Aedes, type Client } from 'aedes';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Clock, Timers } from '../clock.ts';
import type { FrontMetrics, Log, OnRefused } from '../ports.ts';
import { mqttContext, mqttOptions } from '../tls/contexts.ts';
import type { Gate, Room } from '../tls/gate.ts';
import { type Judges, judgePeer } from '../tls/peer.ts';
import type { ClientCertificate, Trust } from '../trust/types.ts';
import { HandlingError } from './errors.ts';
import { Guard, type GuardOptions } from './guard.ts';
import type { Hooks } from './hooks.ts';
import type { MqttLimits } from './limits.ts';
import { createRateLimiter } from './rate.ts';
import { createVouchers } from './vouchers.ts';

/** Terminals ask for 60 s; a connection that may be silent for longer hides a dead terminal. */
const KEEPALIVE_SECONDS_MAX = 300;
/** Of one terminal: its session, the one that takes over, and what a bad line left behind. */
const CONNECTIONS_OF_ONE_MAX = 4;
/** Less than broker.ts gives a part, so that what is behind us is closed after us and not meanwhile. */
const STOP_MS_MAX = 700;

/** TLS with certificates; without it the port is plain text and on loopback. */
export type MqttSecurity = {
  readonly trust: Pick<Trust, 'server' | 'onServer'>;
  readonly judges: Judges;
  readonly gate: Gate;
  readonly handshakeMsMax: number;
  /** Somebody else's port that is ours as well: it gives us who asks for MQTT. */
  readonly shared?: { readonly port: number; readonly enter: (room: Room) => void } | undefined;
};

export type MqttServerOptions = {
  readonly host: string;
  readonly port: number;
  readonly limits: MqttLimits;
  readonly hooks: Hooks;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly timers: Pick<Timers, 'after' | 'every'>;
  readonly log: Log;
  readonly metrics: Pick<FrontMetrics, 'refused' | 'connects'>;
  readonly security?: MqttSecurity | undefined;
  readonly onRefused?: OnRefused | undefined;
};

export type MqttServer = {
  /** The real one where 0 was asked for. */
  readonly port: number;
  /** Open connections, also those not accepted yet. */
  readonly connections: () => number;
  /** Closes every connection whose certificate is this terminal's, also before its CONNECT. @returns whether there was one. */
  readonly cut: (terminal: string) => boolean;
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

/** Hands sockets to aedes behind a guard each, and knows whose they are. */
function createAcceptor(options: MqttServerOptions, aedes: Aedes) {
  const { limits, timers, metrics, log, onRefused } = options;
  const guards = new Set<Guard>();
  const ofTerminal = new Map<string, Set<Guard>>();

  /** How often it connects is judged at its CONNECT, and one that never comes must not fill the listener. */
  function endOldest(own: ReadonlySet<Guard>): void {
    const [oldest] = own;
    if (oldest === undefined) return;
    const { address, terminal } = oldest;
    const sentence = 'it opened too many connections: the oldest is closed';
    metrics.refused('terminal_rate');
    log.warn('refused', { reason: 'terminal_rate', sentence, client: terminal, address });
    onRefused?.({ reason: 'terminal_rate', sentence, address, terminal });
    oldest.destroy();
  }

  function remember(guard: Guard, terminal: string): void {
    const own = ofTerminal.get(terminal) ?? new Set();
    ofTerminal.set(terminal, own.add(guard));
    if (own.size > CONNECTIONS_OF_ONE_MAX) endOldest(own);
    guard.once('close', () => {
      own.delete(guard);
      if (own.size === 0 && ofTerminal.get(terminal) === own) ofTerminal.delete(terminal);
    });
  }

  function accept(socket: Socket, address: string, certificate?: ClientCertificate): Guard {
    const { drainTimeoutMs } = limits;
    const terminal = certificate?.terminal;
    const onProblem: GuardOptions['onProblem'] = (reason) => {
      metrics.refused(reason);
      log.warn('closed', { reason, address });
      onRefused?.({
        reason,
        sentence: 'it was closed for what it sent or did not',
        address,
        terminal,
      });
    };
    const guard: Guard = new Guard(socket, { timers, drainTimeoutMs, onProblem, certificate });
    guards.add(guard);
    guard.once('close', () => guards.delete(guard));
    if (terminal !== undefined) remember(guard, terminal);
    fence(aedes.handle(guard));
    return guard;
  }

  function cut(terminal: string): boolean {
    const own = [...(ofTerminal.get(terminal) ?? [])];
    for (const guard of own) guard.destroy();
    return own.length > 0;
  }

  return { accept, cut, guards };
}
type Acceptor = ReturnType<typeof createAcceptor>;

/** Plain text: only how fast an address may connect stands before the guard. */
function createPlain({ limits, clock, metrics }: MqttServerOptions, { accept }: Acceptor): Server {
  const limiter = createRateLimiter(limits.connects);
  return createServer({ allowHalfOpen: false, keepAlive: true, noDelay: true }, (socket) => {
    const address = socket.remoteAddress ?? 'unknown';
    if (limiter.allow(address, clock.monotonicMs())) {
      accept(socket, address);
      return;
    }
    metrics.refused('connect_rate');
    socket.on('error', () => {});
    socket.destroy();
  });
}

/** TLS: the gate stands before the handshake, and certificate and registry between that and the guard. */
function createSecure(options: MqttServerOptions, security: MqttSecurity, acceptor: Acceptor) {
  const { limits, metrics, log, onRefused } = options;
  const { trust, judges, gate, handshakeMsMax, shared } = security;
  const settings = { allowHalfOpen: false, keepAlive: true, noDelay: true };
  const server = createTlsServer({ ...settings, ...mqttOptions(trust.server(), handshakeMsMax) });
  const vouchers = createVouchers(options);
  server.on('secureConnection', (socket: TLSSocket) => {
    const address = socket.remoteAddress ?? 'unknown';
    const peer = judgePeer(socket, judges);
    if (peer.kind === 'terminal') {
      const { authority, notAfterMs } = peer.certificate;
      const leftMs = notAfterMs - judges.nowMs();
      vouchers.add(acceptor.accept(socket, address, peer.certificate), { authority, leftMs });
      return;
    }
    const { reason, sentence, terminal } = peer;
    metrics.refused(reason);
    metrics.connects('refused');
    log.warn('refused', { reason, sentence, client: terminal, address });
    onRefused?.({ reason, sentence, address, terminal });
    socket.on('error', () => {});
    socket.destroy();
  });
  const unfollow = trust.onServer((identity) => {
    server.setSecureContext(mqttContext(identity));
    vouchers.keepOnly(identity);
  });
  const undo = (): void => {
    unfollow();
    vouchers.stop();
  };
  const room: Room = {
    begin: gate.open(server),
    refuses: () =>
      acceptor.guards.size >= limits.connections ? 'too_many_connections' : undefined,
  };
  if (shared === undefined) gate.guard(server, () => room);
  else shared.enter(room);
  return { server, undo };
}

export async function startMqttServer(options: MqttServerOptions): Promise<Result<MqttServer>> {
  const { host, port, limits, hooks, timers, metrics, log, security } = options;
  const aedes = await makeAedes(limits, hooks);
  hooks.attach(aedes);
  const acceptor = createAcceptor(options, aedes);
  const { server, undo } =
    security === undefined
      ? { server: createPlain(options, acceptor), undo: () => {} }
      : createSecure(options, security, acceptor);
  // Who is still in front of the handshake has room of its own: terminals are counted behind it.
  server.maxConnections = limits.connections + (security?.gate.handshakesMax ?? 0);
  server.on('drop', () => metrics.refused('too_many_connections'));
  const close = (): Promise<void> => new Promise((resolve) => aedes.close(() => resolve()));
  const { shared } = security ?? {};
  const listening = shared === undefined ? await listen(server, host, port) : ok(shared.port);
  if (!listening.ok) {
    undo();
    await close();
    return listening;
  }
  server.on('error', (error) => log.error('the MQTT listener failed', { error: String(error) }));
  return ok({
    port: listening.value,
    connections: () => acceptor.guards.size,
    cut: acceptor.cut,
    stop: async () => {
      undo();
      security?.gate.stop();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const guard of acceptor.guards) guard.destroy();
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
