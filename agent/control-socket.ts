// What is asked of the agent on the till itself: `<runDir>/control.sock`, mode 0600, so that who may use it is
// who may be the agent's user. A connection carries one line of JSON in and one out, because a technician's
// question is one question, and because then nothing has to be kept between two. What can be asked is an open
// table of handlers: whoever adds a verb adds a handler, and nothing here.

import { createServer, type Server, type Socket } from 'node:net';
import { SOCKET_PATH_BYTES_MAX } from '../protocol/limits.ts';
import { fail, ok, type Result } from '../protocol/result.ts';
import { createLineReader } from './channel/lines.ts';
import type { SocketFiles } from './channel/server.ts';
import type { Log, Timers } from './ports.ts';

export const REQUEST_BYTES_MAX = 8 * 1024;
export const ANSWER_BYTES_MAX = 256 * 1024;
export const CONTROL_CONNECTIONS_MAX = 8;
/** Who connects has its question ready. */
export const REQUEST_MS_MAX = 5_000;

export type ControlRequest = Readonly<Record<string, unknown>> & { readonly kind: string };
/** `refused`: possible, but not allowed here or now; everything else is a wrong question. */
export type ControlAnswer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly reason: string; readonly refused?: boolean };
/** Gets what was asked as it came: it checks its own fields. */
export type ControlHandler = (request: ControlRequest) => ControlAnswer | Promise<ControlAnswer>;

export type ControlSocketOptions = {
  readonly path: string;
  readonly timers: Timers;
  readonly files: SocketFiles;
  readonly log: Log;
};

export type ControlSocket = {
  /** From now on requests of this kind go there; a kind has one handler. */
  readonly register: (kind: string, handler: ControlHandler) => void;
  /** Listens anew if somebody has removed the socket. */
  readonly keep: () => void;
  readonly close: () => Promise<void>;
};

class Desk {
  readonly #options: ControlSocketOptions;
  readonly #handlers = new Map<string, ControlHandler>();
  readonly #sockets = new Set<Socket>();

  constructor(options: ControlSocketOptions) {
    this.#options = options;
  }

  register(kind: string, handler: ControlHandler): void {
    this.#handlers.set(kind, handler);
  }

  accept(socket: Socket): void {
    this.#sockets.add(socket);
    let cancel = this.#options.timers.after(REQUEST_MS_MAX, () => socket.destroy());
    const send = (answer: ControlAnswer): void => {
      cancel();
      if (socket.destroyed) return;
      socket.end(`${textOf(answer)}\n`);
      // Nor is anybody kept who does not read it, or does not close their side.
      cancel = this.#options.timers.after(REQUEST_MS_MAX, () => socket.destroy());
    };
    const reader = createLineReader(REQUEST_BYTES_MAX, (line) => {
      cancel();
      void this.#answer(line).then(send);
      return false;
    });
    let asked = false;
    socket.on('data', (chunk) => {
      if (asked) return;
      asked = chunk.includes('\n');
      const fits = reader.push(chunk);
      if (!fits && !asked) send({ ok: false, reason: 'the request is too long' });
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      cancel();
      this.#sockets.delete(socket);
    });
  }

  async #answer(line: string): Promise<ControlAnswer> {
    const request = readRequest(line);
    if (request === undefined) {
      return { ok: false, reason: 'a request is one JSON object with its kind' };
    }
    const handler = this.#handlers.get(request.kind);
    if (handler === undefined) {
      const known = [...this.#handlers.keys()].sort().join(', ');
      return { ok: false, reason: `the agent is not asked so; it knows ${known}` };
    }
    try {
      return await handler(request);
    } catch (error) {
      this.#options.log.error(`the request ${request.kind} failed`, { cause: error });
      return { ok: false, reason: 'the agent could not answer: see its log' };
    }
  }

  end(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

function readRequest(line: string): ControlRequest | undefined {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, 'kind')) {
      return undefined;
    }
    const { kind } = value as { kind: unknown };
    return typeof kind === 'string' ? (value as ControlRequest) : undefined;
  } catch {
    return undefined;
  }
}

function textOf(answer: ControlAnswer): string {
  const text = JSON.stringify(answer);
  if (Buffer.byteLength(text) <= ANSWER_BYTES_MAX) return text;
  return JSON.stringify({ ok: false, reason: 'the answer is too long' });
}

const listen = (server: Server, path: string): Promise<Result<void>> =>
  new Promise((done) => {
    server.once('error', (error) => done(fail(`cannot listen on ${path}: ${error.message}`)));
    server.listen({ path, backlog: 8 }, () => done(ok(undefined)));
  });

async function serve(desk: Desk, options: ControlSocketOptions): Promise<Result<Server>> {
  const { path, files, log } = options;
  const removed = files.removeSocket(path);
  if (!removed.ok) return removed;
  // Half open: `printf ... | nc -U` closes its side and still wants the answer.
  const server = createServer({ allowHalfOpen: true }, (socket) => desk.accept(socket));
  server.maxConnections = CONTROL_CONNECTIONS_MAX;
  const listening = await listen(server, path);
  if (!listening.ok) return listening;
  files.ownerOnly(path);
  server.on('error', (error) => log.error('control socket failed', { cause: error }));
  return ok(server);
}

/** The caller holds the lock of the run directory: a socket that is there already is nobody's. */
export async function openControlSocket(
  options: ControlSocketOptions,
): Promise<Result<ControlSocket>> {
  const { path, files, log } = options;
  if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX) {
    return fail(`the socket path ${path} is too long: choose a shorter runDir`);
  }
  const desk = new Desk(options);
  const first = await serve(desk, options);
  if (!first.ok) return first;
  let server = first.value;
  let mending: Promise<void> | undefined;
  let isClosed = false;
  let trouble = '';
  const mend = async (): Promise<void> => {
    // First: closing removes whatever has the name of the socket [libuv uv__pipe_close].
    server.close();
    const again = await serve(desk, options);
    if (again.ok) server = again.value;
    const said = again.ok ? 'was gone and is there again' : again.reason;
    if (said !== trouble) log.warn(`control socket: ${said}`, { path });
    trouble = again.ok ? '' : said;
    mending = undefined;
  };
  return ok({
    register: (kind, handler) => desk.register(kind, handler),
    keep: () => {
      // Closing removes the socket: to mend it then would hold the agent for ever.
      if (!isClosed && !files.isSocket(path)) mending ??= mend();
    },
    close: async () => {
      isClosed = true;
      await mending;
      const closed = new Promise<void>((done) => {
        server.close(() => done());
      });
      desk.end();
      await closed;
    },
  });
}
