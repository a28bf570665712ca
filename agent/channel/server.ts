// The agent's end of the component channel: a stream socket in the run directory on which components
// beat. What comes in is checked line by line and handed on as typed events; whatever is wrong is counted
// by a closed list of reasons and costs the sender its line or its connection, never the agent its life.
// A socket and not a pipe to each child, because it must outlive the agent that opened it: components
// connect again to the next one.

import { createServer, type Server, type Socket } from 'node:net';
import { CHANNEL_LINE_BYTES_MAX, SOCKET_PATH_BYTES_MAX } from '../../protocol/limits.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Cancel } from '../ports.ts';
import { type Hello, type MainPin, maySay, type RejectReason, refuseHello } from './admission.ts';
import { type StackAnswer, StackAsks } from './ask.ts';
import { cleanWord } from './clean.ts';
import { createLineReader } from './lines.ts';
import { readLine, type ToComponent } from './messages.ts';
import { Pace } from './pace.ts';
import { Rejections } from './rejections.ts';
import type { ChannelOptions, ChannelServer } from './types.ts';

export const HELLO_MS_MAX = 2_000;
/** That have not said who they are; for one more the oldest goes. More than come in at one stroke (the backlog). */
const SILENT_MAX = 96;
/** All components at their limit, and those. */
export const CONNECTIONS_MAX = 128 + SILENT_MAX;
/** A component that does not read what it is told loses its connection. */
const QUEUE_BYTES_MAX = 64 * 1024;

export { LINES_PER_SECOND_MAX } from './pace.ts';
export type { ChannelEvent, ChannelOptions, ChannelServer, SocketFiles } from './types.ts';

type Connection = {
  readonly socket: Socket;
  hello: Hello | undefined;
  paused: boolean;
  cancelHello: Cancel;
};

/** One measure for all connections of a kind: whoever comes back has no new one. */
const nameOf = ({ component, instance, role }: Hello): string => `${component} ${instance} ${role}`;

class Channel {
  readonly #options: ChannelOptions;
  readonly #connections = new Set<Connection>();
  readonly rejections: Rejections;
  readonly #cancelRefill: Cancel;
  #closed = false;
  /** By component: the process whose main loop beats. A child that inherited the token is not it. */
  readonly #mainPids = new Map<string, MainPin>();
  readonly #asks: StackAsks;
  readonly #pace = new Pace();

  constructor(options: ChannelOptions) {
    this.#options = options;
    this.rejections = new Rejections(options.log);
    this.#asks = new StackAsks(options.timers);
    this.#cancelRefill = options.timers.every(1_000, () => this.#refill());
  }

  accept(socket: Socket): void {
    const late = (): void => this.#refuse(connection, 'hello_timeout', 'said no hello in time');
    const connection: Connection = {
      socket,
      hello: undefined,
      paused: false,
      cancelHello: this.#options.timers.after(HELLO_MS_MAX, late),
    };
    this.#connections.add(connection);
    this.#makeRoom();
    if (!this.#pace.enter()) this.#hold(connection, 'connects too fast and has to wait');
    const reader = createLineReader(CHANNEL_LINE_BYTES_MAX, (line) => {
      this.#hear(connection, line);
      return !socket.destroyed;
    });
    socket.on('data', (chunk) => {
      if (!reader.push(chunk)) this.#refuse(connection, 'too_long', 'sent a line that is too long');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => this.#gone(connection));
  }

  /** Its words wait in its socket, until the next turn. */
  #hold(connection: Connection, what: string): void {
    if (connection.paused) return;
    connection.paused = true;
    connection.socket.pause();
    this.rejections.count('too_fast', what, connection.hello?.component);
  }

  /** Whoever opens one after the other and says nothing turns away its own, not those of others. */
  #makeRoom(): void {
    const silent = [...this.#connections].filter(({ hello }) => hello === undefined);
    const [oldest] = silent;
    if (oldest === undefined || silent.length <= SILENT_MAX) return;
    this.#connections.delete(oldest);
    this.#refuse(oldest, 'too_many', 'is one of too many that say nothing');
  }

  #gone(connection: Connection): void {
    connection.cancelHello();
    this.#connections.delete(connection);
    const { hello } = connection;
    if (hello?.role === 'witness') this.#asks.drop(hello.component, connection);
    if (this.#closed || hello?.role !== 'main' || this.#main(hello.component)) return;
    const { component, instance } = hello;
    this.#options.onEvent({ kind: 'disconnected', component, instance });
  }

  #refuse(connection: Connection, reason: RejectReason, what: string): void {
    this.rejections.count(reason, what, connection.hello?.component);
    connection.socket.destroy();
  }

  #hear(connection: Connection, line: string): void {
    const { hello } = connection;
    if (hello !== undefined && !this.#pace.speak(nameOf(hello))) {
      this.#hold(connection, 'speaks too fast and has to wait');
    }
    const read = readLine(line);
    if (hello === undefined) {
      if (read.ok && read.message.kind === 'hello') this.#greet(connection, read.message);
      else this.#refuse(connection, 'bad_hello', 'did not begin with a valid hello');
    } else if (!read.ok) this.rejections.count(read.fault, `said: ${read.reason}`, hello.component);
    else if (read.message.kind === 'hello') {
      this.rejections.count('bad_line', 'said hello a second time', hello.component);
    } else if (!maySay(hello.role, read.message.kind)) {
      this.rejections.count('witness', `let a witness say ${read.message.kind}`, hello.component);
    } else {
      const { component, instance } = hello;
      // The instance may have been replaced meanwhile: its last words are not the new one's.
      if (this.#options.expected(component)?.instance !== instance) return;
      const message = cleanWord(read.message);
      if (hello.role === 'witness' && message.kind === 'evidence') {
        const { stack, reason } = message;
        this.#asks.answer(component, connection, { stack, reason });
        return;
      }
      this.#options.onEvent({ kind: 'said', component, instance, message });
    }
  }

  #greet(connection: Connection, hello: Hello): void {
    const expected = this.#options.expected(hello.component);
    if (expected === undefined) {
      this.#refuse(connection, 'unknown_component', 'is no running component');
      return;
    }
    if (this.#pace.hasSpoken(nameOf(hello))) {
      this.#refuse(connection, 'too_fast', 'comes back too fast');
      return;
    }
    const mine = [...this.#connections].filter((c) => c.hello?.component === hello.component);
    const pin = this.#mainPids.get(hello.component);
    const refusal = refuseHello(hello, expected, pin, mine.length);
    if (refusal !== undefined) {
      this.rejections.count(refusal.reason, refusal.what, hello.component);
      connection.socket.destroy();
      return;
    }
    connection.cancelHello();
    connection.hello = hello;
    const { component, instance, pid } = hello;
    if (hello.role === 'main') {
      this.#mainPids.set(component, { instance, pid });
      // A main loop has one connection: an older one is what a broken reconnection left.
      for (const old of mine) if (old.hello?.role === 'main') old.socket.destroy();
      this.#options.onEvent({ kind: 'connected', component, instance });
    }
    const { beatMs, deadlineMs } = expected;
    this.#write(connection, { kind: 'welcome', beatMs, deadlineMs });
  }

  #main(component: string): Connection | undefined {
    const instance = this.#options.expected(component)?.instance;
    for (const connection of this.#connections) {
      const { hello, socket } = connection;
      if (hello?.component !== component || hello.role !== 'main' || socket.destroyed) continue;
      if (hello.instance === instance) return connection;
    }
    return undefined;
  }

  /** That of the very process whose main loop beats: a child of it has a witness of its own. */
  #witness(component: string): Connection | undefined {
    const expected = this.#options.expected(component);
    const pin = this.#mainPids.get(component);
    const pid = pin?.instance === expected?.instance ? pin?.pid : expected?.pid;
    for (const connection of this.#connections) {
      const { hello, socket } = connection;
      if (hello?.component !== component || hello.role !== 'witness' || socket.destroyed) continue;
      if (hello.instance === expected?.instance && hello.pid === pid) return connection;
    }
    return undefined;
  }

  askStack(component: string): Promise<StackAnswer | undefined> {
    const witness = this.#witness(component);
    if (witness === undefined) return Promise.resolve(undefined);
    return this.#asks.ask(component, witness, () => this.#write(witness, { kind: 'evidence' }));
  }

  #write(connection: Connection, message: ToComponent): void {
    if (connection.socket.writableLength > QUEUE_BYTES_MAX) {
      this.#refuse(connection, 'slow_reader', 'does not read');
    } else connection.socket.write(`${JSON.stringify(message)}\n`);
  }

  #refill(): void {
    this.#pace.refill();
    for (const connection of this.#connections) {
      if (!connection.paused) continue;
      connection.paused = false;
      connection.socket.resume();
      if (connection.hello?.role !== 'main') continue;
      const { component, instance } = connection.hello;
      this.#options.onEvent({ kind: 'delayed', component, instance });
    }
  }

  send(component: string, message: ToComponent): boolean {
    const connection = this.#main(component);
    if (connection !== undefined) this.#write(connection, message);
    return connection !== undefined;
  }

  /** No event comes after this. */
  end(): void {
    this.#closed = true;
    this.#cancelRefill();
    this.#asks.end();
    for (const { socket } of this.#connections) socket.destroy();
  }
}

const listen = (server: Server, path: string): Promise<Result<void>> =>
  new Promise((done) => {
    server.once('error', (error) => done(fail(`cannot listen on ${path}: ${error.message}`)));
    server.listen({ path, backlog: 64 }, () => done(ok(undefined)));
  });

async function serve(channel: Channel, { path, files, log }: ChannelOptions) {
  const removed = files.removeSocket(path);
  if (!removed.ok) return removed;
  const server = createServer({ allowHalfOpen: false }, (socket) => channel.accept(socket));
  server.maxConnections = CONNECTIONS_MAX;
  server.on('drop', () => channel.rejections.count('too_many', 'would be one connection too many'));
  const listening = await listen(server, path);
  if (!listening.ok) return listening;
  files.ownerOnly(path);
  server.on('error', (error) => log.error('channel: server failed', { cause: error }));
  return ok(server);
}

/** The caller holds the lock of the run directory: a socket that is there already is nobody's. */
export async function openChannel(options: ChannelOptions): Promise<Result<ChannelServer>> {
  const { path, files, log } = options;
  const pathBytes = Buffer.byteLength(path);
  if (pathBytes > SOCKET_PATH_BYTES_MAX) {
    return fail(
      `the socket path ${path} has ${pathBytes} bytes, at most ${SOCKET_PATH_BYTES_MAX} are ` +
        'possible: choose a shorter runDir',
    );
  }
  const channel = new Channel(options);
  const first = await serve(channel, options);
  if (!first.ok) {
    channel.end();
    return first;
  }
  let server = first.value;
  let mending: Promise<void> | undefined;
  let trouble = '';
  const mend = async (): Promise<void> => {
    // First: closing removes whatever has the name of the socket [libuv uv__pipe_close].
    server.close();
    const again = await serve(channel, options);
    if (again.ok) server = again.value;
    const said = again.ok ? 'its socket was gone and is there again' : again.reason;
    if (said !== trouble) log.warn(`channel: ${said}`, { path });
    trouble = again.ok ? '' : said;
    mending = undefined;
  };
  return ok({
    send: (component, message) => channel.send(component, message),
    askStack: (component) => channel.askStack(component),
    rejected: () => channel.rejections.list(),
    keep: () => {
      if (!files.isSocket(path)) mending ??= mend();
    },
    close: async () => {
      await mending;
      const closed = new Promise<void>((done) => {
        server.close(() => done());
      });
      channel.end();
      await closed;
    },
  });
}
