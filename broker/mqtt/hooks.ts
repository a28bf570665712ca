// The broker's rules as aedes and the guard ask for them: who may connect, publish and subscribe, and what
// happens with a batch. Nothing here trusts aedes to keep a session table: sessions begin when a client
// is ready and end when its stream closes, because aedes forgets clients that take over one another at
// the same moment (aedes 979). Publishes come from the guard and get their PUBACK after the commit.

import type { Aedes, AedesOptions, Client } from 'aedes';
import { parseHello } from '../../protocol/hello.ts';
import type { Clock } from '../clock.ts';
import type { Ingest } from '../ingest/ingest.ts';
import type { FleetSessions, FrontMetrics, Log, OnRefused } from '../ports.ts';
import { admits, type FrontIdentities, judgeTerminal } from './admission.ts';
import { MalformedError, RefusedError, reasonOf } from './errors.ts';
import type { Guard } from './guard.ts';
import { type Published, readPublish, writePublish } from './packets.ts';
import * as rules from './rules.ts';
import type { Connection, Session, Sessions } from './sessions.ts';
import { createSuspended, type Suspended } from './suspended.ts';
import type { Flow, TerminalRates } from './terminal-rates.ts';

/** Publishes of one connection that wait for their commit; above, its socket is not read. */
export const UNANSWERED_MAX = 64;
const UNANSWERED_RESUME = UNANSWERED_MAX / 2;

export type HooksOptions = {
  readonly sessions: Sessions;
  readonly ingest: Pick<Ingest, 'publish' | 'pass'>;
  readonly isKnown: FleetSessions['isKnown'];
  readonly identities?: FrontIdentities | undefined;
  readonly rates: TerminalRates;
  readonly clock: Clock;
  readonly metrics: Pick<FrontMetrics, 'connects' | 'refused' | 'slowed'>;
  readonly log: Log;
  readonly onRefused?: OnRefused | undefined;
};

/** Topics of one terminal that it may publish to: its five streams and its goodbye. */
const TOPICS_MAX = 6;

/** What is known of one connection besides its session. */
type Place = {
  readonly connect: rules.Connect;
  session?: Session;
  unanswered: number;
  refused: boolean;
  tookOver: boolean;
  /** What it says of itself (protocol/hello.ts). */
  username: string | undefined;
  flow?: Flow;
  /** What was judged before and will be judged the same again. */
  readonly allowed: Map<string, rules.Allowed>;
};

type Hook<K extends keyof AedesOptions> = NonNullable<AedesOptions[K]>;

/** aedes gives what it knows of a clean end in a private field only [MQTT-3.14.4-3]. */
const saidGoodbye = (client: Client): boolean =>
  (client as unknown as { _disconnected?: unknown })._disconnected === true;

const guardOf = (client: Client): Guard => client.conn as Guard;

/** aedes ends who was silent for longer than its keep-alive; what it does not see counts, too. */
const keepAlive = (client: Client): void => {
  (client as unknown as { _keepaliveTimer?: NodeJS.Timeout | null })._keepaliveTimer?.refresh();
};

function connectionOf(client: Client): Connection {
  const guard = guardOf(client);
  return {
    address: guard.address,
    close: () => client.close(),
    dismiss: () => guard.dismiss(),
    send: (topic, payload, done) => guard.say(writePublish(topic, guard.nextId(), payload), done),
  };
}

/** A class only because its hooks share what they know of each connection. */
export class Hooks {
  readonly #options: HooksOptions;
  readonly #places = new WeakMap<Client, Place>();
  readonly #failed = new WeakSet<Client>();
  readonly #suspended: Suspended;

  constructor(options: HooksOptions) {
    this.#options = options;
    this.#suspended = createSuspended(options.identities, (client, refused) =>
      this.#refuse(client, refused),
    );
  }

  readonly preConnect: Hook<'preConnect'> = (client, packet, next) => {
    const { clientId, clean = false, will } = packet;
    const connect: rules.Connect = {
      clientId,
      clean,
      will: will && { topic: will.topic, qos: will.qos ?? 0, retain: will.retain ?? false },
    };
    this.#places.set(client, {
      connect,
      unanswered: 0,
      refused: false,
      tookOver: false,
      username: packet.username,
      allowed: new Map(),
    });
    // aedes answers a version outside 3 and 4 with CONNACK 1 and would accept 3, which is MQTT 3.1
    // with other rules for client ids; 0 makes it refuse that the same way.
    if (packet.protocolVersion !== 4) Object.assign(packet, { protocolVersion: 0 });
    next(null, true);
  };

  readonly authenticate: Hook<'authenticate'> = (client, _username, _password, next) => {
    const { sessions, metrics } = this.#options;
    const place = this.#places.get(client);
    const answer = place && judgeTerminal(this.#options, place.connect, guardOf(client));
    if (place !== undefined && answer?.kind === 'accepted') {
      // Asked now, because aedes closes the older connection before it says that this one is ready.
      place.tookOver = sessions.supersede(client.id);
      next(null, true);
      return;
    }
    metrics.connects('refused');
    const refused = answer?.kind === 'refused' ? answer : rules.NO_CONNECT;
    const { message } = this.#refuse(client, refused);
    next(new RefusedError(message, refused.returnCode), false);
  };

  /** Only wills come here: the topic was judged at CONNECT, and that it ends is known from the stream. */
  readonly authorizePublish: Hook<'authorizePublish'> = (_client, _packet, next) =>
    next(new RefusedError('the session has ended'));

  readonly authorizeSubscribe: Hook<'authorizeSubscribe'> = (client, subscription, next) => {
    const answer = rules.judgeSubscribe(client.id, subscription.topic);
    if (answer !== undefined) this.#refuse(client, answer);
    next(null, answer === undefined ? subscription : null);
  };

  /** The last fence before a terminal: it gets what is addressed to it and nothing else. */
  readonly authorizeForward: Hook<'authorizeForward'> = (client, packet) =>
    rules.downTopicOf(client.id, packet.topic) === undefined ? null : packet;

  readonly published: Hook<'published'> = (_packet, _client, next) => next(null);

  readonly settleResumed = (): void => this.#suspended.settle();

  attach(aedes: Aedes): void {
    const { sessions, metrics, log } = this.#options;
    aedes.on('clientReady', (client) => this.#onReady(client));
    aedes.on('clientError', (client, error) => this.#onError(client, error));
    aedes.on('connectionError', (client, error) => this.#onError(client, error));
    (aedes as NodeJS.EventEmitter).on('error', (error) => {
      metrics.refused('internal');
      log.error('aedes failed', { error: String(error) });
    });
    aedes.on('subscribe', (subscriptions, client) => {
      const session = this.#places.get(client)?.session;
      for (const { topic, qos } of subscriptions) {
        const kind = rules.downTopicOf(client.id, topic);
        // A refused subscription comes back with 128 in place of its QoS [MQTT-3.9.3].
        const granted = (qos as number) !== 128;
        if (session !== undefined && kind !== undefined && granted) {
          sessions.subscribe(session, kind);
        }
      }
    });
    aedes.on('unsubscribe', (topics, client) => {
      for (const topic of topics) {
        const kind = rules.downTopicOf(client.id, topic);
        if (kind !== undefined) this.#places.get(client)?.session?.subscribed.delete(kind);
      }
    });
  }

  /** Counts and logs a refusal, and leaves word for the terminal where it is known who it is. */
  #refuse(client: Client, { reason, sentence }: rules.Refused): RefusedError {
    const { sessions, metrics, log, onRefused } = this.#options;
    const { address, terminal: certified } = guardOf(client);
    metrics.refused(reason);
    log.warn('refused', { reason, sentence, client: client.id, address });
    const terminal = this.#places.get(client)?.session?.terminal;
    onRefused?.({ reason, sentence, address, terminal: certified ?? terminal });
    if (terminal !== undefined) sessions.notice(terminal, sentence);
    return new RefusedError(sentence);
  }

  /** Its connection, for what it sent. */
  #end(client: Client, place: Place, refused: rules.Refused): void {
    place.refused = true;
    this.#refuse(client, refused);
    guardOf(client).destroy();
  }

  #publish(client: Client, place: Place, session: Session, packet: Published): void {
    const { ingest } = this.#options;
    const answer = this.#judge(place, client.id, packet);
    if (answer.kind === 'refused') {
      this.#end(client, place, answer);
      return;
    }
    const answered = this.#await(client, place, packet.id);
    this.#slow(client, place, packet.payload.length);
    if (answer.kind === 'batch' && this.#suspended.isUntaken(client)) {
      ingest.pass(answered);
      return;
    }
    if (answer.kind === 'batch') {
      ingest.publish({ terminal: client.id, stream: answer.stream }, packet.payload, answered);
      return;
    }
    session.gone = true;
    ingest.pass(answered);
  }

  /** Reads a terminal that sends more than its share less often. */
  #slow(client: Client, { flow }: Place, bytes: number): void {
    const { clock, metrics } = this.#options;
    const slow = flow?.take(bytes, clock.monotonicMs());
    if (slow === undefined) return;
    metrics.slowed(slow.limit);
    guardOf(client).slow(slow.waitMs);
  }

  /** @returns whether it may send one more packet that is no publish; else its connection has ended. */
  #small(client: Client, place: Place, bytes: number): boolean {
    if (place.flow?.small(bytes, this.#options.clock.monotonicMs()) !== false) return true;
    this.#end(client, place, rules.TOO_MANY_SMALL);
    return false;
  }

  #judge({ allowed }: Place, terminal: string, packet: Published): rules.PublishAnswer {
    const isUsual = packet.qos === 1 && !packet.retain;
    const known = isUsual ? allowed.get(packet.topic) : undefined;
    if (known !== undefined) return known;
    const answer = rules.judgePublish(terminal, packet);
    if (answer.kind !== 'refused' && allowed.size < TOPICS_MAX) allowed.set(packet.topic, answer);
    return answer;
  }

  /** Holds the connection while too much of it waits. @returns what to call after the commit. */
  #await(client: Client, place: Place, id: number): () => void {
    const guard = guardOf(client);
    place.unanswered += 1;
    if (place.unanswered >= UNANSWERED_MAX) guard.hold('unanswered');
    return () => {
      place.unanswered -= 1;
      if (place.unanswered === UNANSWERED_RESUME) guard.release('unanswered');
      guard.puback(id);
    };
  }

  #onReady(client: Client): void {
    const { sessions, metrics, identities, rates, clock } = this.#options;
    const place = this.#places.get(client);
    const guard = guardOf(client);
    if (place === undefined || guard.destroyed) return;
    // Revoked in the moment between its CONNECT and now.
    const may = admits(this.#options, client.id, guard);
    if (!may.ok) {
      this.#refuse(client, { kind: 'refused', ...may });
      guard.destroy();
      return;
    }
    place.flow = rates.flowOf(client.id, clock.monotonicMs());
    const { session, tookOver } = sessions.open(client.id, connectionOf(client));
    place.session = session;
    metrics.connects(tookOver || place.tookOver ? 'taken_over' : 'accepted');
    identities?.greeted(client.id, parseHello(place.username), guard.address);
    guard.once('close', () => {
      this.#suspended.forget(client);
      const lost = place.refused ? 'refused' : 'lost';
      sessions.close(session, saidGoodbye(client) ? 'gone' : lost);
    });
    guard.accept({
      alive: () => keepAlive(client),
      small: (bytes) => this.#small(client, place, bytes),
      publish: (first, body) => {
        const packet = readPublish(first, body);
        if (packet !== undefined) this.#publish(client, place, session, packet);
        else this.#onError(client, new MalformedError('a PUBLISH cannot be read'));
      },
    });
  }

  #onError(client: Client, error: Error): void {
    const { metrics, log, onRefused } = this.#options;
    const reason = reasonOf(error);
    // Every write that waited when a connection was closed reports the same error once more.
    if (reason === 'lost' || this.#failed.has(client)) return;
    this.#failed.add(client);
    metrics.refused(reason);
    if (this.#places.get(client)?.session === undefined) metrics.connects('refused');
    const { address, terminal } = guardOf(client);
    log.warn('closed', { reason, sentence: error.message, client: client.id, address });
    onRefused?.({ reason, sentence: error.message, address, terminal });
    guardOf(client).destroy();
  }
}
