// The local HTTP server of a component: node:http, loopback only, a handful of exact routes, strict and
// small JSON bodies, and errors as problem+json [RFC 9457] with a sentence. No framework: five routes do
// not earn one on a till. A body must say that it is JSON: a web page in a browser on the till cannot
// send that to another origin without asking first, and so cannot ring up a sale.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type * as v from 'valibot';
import { check } from './check.ts';
import { isDamage } from './database.ts';
import type { Log } from './log.ts';
import { fail, ok, type Result, saying } from './result.ts';

/** Not imported: that would read http's WebSocket and with it load undici, 14 MB (measured on 24.21). */
const { createServer } = process.getBuiltinModule('node:http');

export const LOOPBACK = '127.0.0.1';
export const BODY_BYTES_MAX = 16 * 1024;
const CONNECTIONS_MAX = 64;
const HEADER_BYTES_MAX = 8 * 1024;
const REQUEST_MS_MAX = 10_000;
const SWEEP_MS = 20;

export type Ask = {
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  /** Parsed JSON; undefined when there was none. */
  readonly body: unknown;
};
export type Reply = {
  readonly status: number;
  readonly json?: unknown;
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Runs once the answer has left. */
  readonly after?: () => void;
};
export type Route = {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** Segments that begin with ':' are parameters. */
  readonly path: string;
  readonly run: (ask: Ask) => Reply | Promise<Reply>;
};

export const answer = (status: number, json: unknown): Reply => ({ status, json });

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad request',
  402: 'Payment declined',
  404: 'Not found',
  405: 'Method not allowed',
  409: 'Not possible now',
  413: 'Too large',
  415: 'Unsupported media type',
  422: 'Not acceptable content',
  500: 'Internal error',
  503: 'Not available now',
};

export const problem = (
  status: number,
  detail: string,
  headers: Record<string, string> = {},
): Reply => ({
  status,
  json: { type: 'about:blank', title: TITLES[status] ?? 'Error', status, detail },
  headers: { ...headers, 'content-type': 'application/problem+json' },
});

/** A route whose body is checked before `run` sees it. */
export const withBody =
  <T>(schema: v.GenericSchema<unknown, T>, run: (body: T, ask: Ask) => Reply | Promise<Reply>) =>
  (ask: Ask): Reply | Promise<Reply> => {
    const body = check(schema, ask.body);
    return body.ok ? run(body.value, ask) : problem(422, body.reason);
  };

type Match = { route: Route; params: Record<string, string> };

function matchPath(route: Route, segments: readonly string[]): Match | undefined {
  const wanted = route.path.split('/');
  if (wanted.length !== segments.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const given = segments[index] ?? '';
    if (part.startsWith(':')) params[part.slice(1)] = given;
    else if (part !== given) return undefined;
  }
  return { route, params };
}

function find(routes: readonly Route[], method: string, path: string): Match | Reply {
  const matches = routes.flatMap((route) => matchPath(route, path.split('/')) ?? []);
  const match = matches.find((candidate) => candidate.route.method === method);
  if (match) return match;
  if (matches.length === 0) return problem(404, 'There is nothing at this path.');
  const allow = matches.map((candidate) => candidate.route.method).join(', ');
  return problem(405, `This path answers ${allow} only.`, { allow });
}

/** Collects the body. Not `for await`: leaving it early destroys the socket, and no answer gets out. */
function collect(incoming: IncomingMessage, bytesMax: number): Promise<Buffer | 'too large'> {
  return new Promise((done, broken) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    incoming.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= bytesMax) chunks.push(chunk);
      else done('too large');
    });
    incoming.on('end', () => done(Buffer.concat(chunks)));
    incoming.on('error', broken);
  });
}

/** @returns the parsed body, or the reply that refuses it. */
async function readBody(
  incoming: IncomingMessage,
  bytesMax: number,
): Promise<{ body: unknown } | Reply> {
  const bytes = await collect(incoming, bytesMax);
  if (bytes === 'too large') {
    return problem(413, `A body is at most ${bytesMax} bytes.`, { connection: 'close' });
  }
  if (bytes.length === 0) return { body: undefined };
  if (!/^application\/json\b/i.test(incoming.headers['content-type'] ?? '')) {
    return problem(415, 'Send JSON and say so: content-type: application/json.');
  }
  try {
    return { body: JSON.parse(bytes.toString('utf8')) };
  } catch {
    return problem(400, 'The body is not JSON.');
  }
}

async function respond(
  incoming: IncomingMessage,
  options: { routes: readonly Route[]; bodyBytesMax: number; log: Log },
): Promise<Reply> {
  const url = URL.parse(incoming.url ?? '', 'http://localhost');
  if (url === null) return problem(400, 'The path cannot be read.');
  const match = find(options.routes, incoming.method ?? '', url.pathname);
  if ('status' in match) return match;
  const read = await readBody(incoming, options.bodyBytesMax);
  if ('status' in read) return read;
  const { headers } = incoming;
  try {
    return await match.route.run({
      params: match.params,
      query: url.searchParams,
      headers,
      body: read.body,
    });
  } catch (error) {
    // A full disk is no reason to end a till that can still answer; the log keeps the stack.
    const stack = error instanceof Error ? error.stack : undefined;
    options.log.error('request failed', { path: match.route.path, reason: saying(error), stack });
    // A damaged file is one: it stays damaged until the next start sets it aside.
    if (isDamage(error)) {
      setImmediate(() => {
        throw error;
      });
    }
    return problem(500, 'This failed inside; the log says more.');
  }
}

function send(response: ServerResponse, reply: Reply): void {
  const isText = reply.text !== undefined;
  const body = isText ? reply.text : reply.json === undefined ? '' : JSON.stringify(reply.json);
  response.writeHead(reply.status, {
    'content-type': isText ? 'text/plain; charset=utf-8' : 'application/json',
    'content-length': Buffer.byteLength(body ?? ''),
    'cache-control': 'no-store',
    ...reply.headers,
  });
  response.end(body, () => reply.after?.());
}

export type Listening = {
  readonly port: number;
  /** Takes no more requests and resolves when the running ones are answered. */
  readonly close: () => Promise<void>;
};

export async function listen(options: {
  readonly port: number;
  readonly routes: readonly Route[];
  readonly bodyBytesMax?: number;
  readonly log: Log;
}): Promise<Result<Listening>> {
  const { routes, log, bodyBytesMax = BODY_BYTES_MAX } = options;
  const server: Server = createServer(
    {
      maxHeaderSize: HEADER_BYTES_MAX,
      requestTimeout: REQUEST_MS_MAX,
      headersTimeout: REQUEST_MS_MAX,
      keepAliveTimeout: 5_000,
      connectionsCheckingInterval: 5_000,
    },
    (incoming, response) => {
      respond(incoming, { routes, bodyBytesMax, log }).then(
        (reply) => send(response, reply),
        // The client went away in the middle of its body: there is nobody to answer.
        () => response.destroy(),
      );
    },
  );
  server.maxConnections = CONNECTIONS_MAX;
  const opened = await new Promise<Result<AddressInfo>>((done) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE';
      const why = taken ? 'another program has it' : saying(error);
      done(fail(`cannot listen on ${LOOPBACK} port ${options.port}: ${why}`));
    });
    server.listen(options.port, LOOPBACK, () => done(ok(server.address() as AddressInfo)));
  });
  if (!opened.ok) return opened;
  server.on('error', (error) => log.error('local server', { reason: saying(error) }));
  const close = (): Promise<void> =>
    new Promise((done) => {
      // A connection becomes idle when its last answer has left, which may be later than now.
      const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
      server.close(() => {
        clearInterval(sweep);
        done();
      });
    });
  return ok({ port: opened.value.port, close });
}
