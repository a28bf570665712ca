// One HTTP request and its whole answer within one deadline: a database that accepts and never answers, a
// half-open connection and a name that does not resolve all end as a value with a sentence. node:http and
// not fetch, because the deadline, the one kept-alive connection and the bound on the answer are then ours.
// Redirects are not followed: a token must not travel to where a configuration did not send it.

import { readFileSync } from 'node:fs';
import * as http from 'node:http';
import * as https from 'node:https';
import type { Socket } from 'node:net';
import type { Timers } from '../clock.ts';
import { errorWords } from './words.ts';

/** Read of an answer to what was sent; the rest of a page of HTML is not needed. */
const ANSWER_BYTES_MAX = 64 * 1024;
/** Of what is asked for: a Prometheus with thousands of targets tells a megabyte of configuration. */
const PAGE_BYTES_MAX = 8 * 1024 * 1024;
/** A Retry-After beyond this is believed to be a mistake. */
const RETRY_AFTER_MS_MAX = 10 * 60_000;

export type HttpAnswer =
  | {
      readonly ok: true;
      readonly status: number;
      readonly text: string;
      readonly retryAfterMs?: number;
    }
  | { readonly ok: false; readonly reason: string };

/** Connections that have ended; `busy`: within seconds of their last use, as nobody who is well ends them. */
export type Drops = { readonly all: number; readonly busy: number };
/** The shortest keep-alive that servers have by default is 5 s (Node's). */
const BUSY_MS = 4_000;

export type HttpClient = {
  readonly post: (
    url: string,
    body: Uint8Array,
    headers: Readonly<Record<string, string>>,
  ) => Promise<HttpAnswer>;
  readonly get: (url: string) => Promise<HttpAnswer>;
  readonly drops: () => Drops;
  /** Ends what is open; later requests fail at once. */
  readonly close: () => void;
};

export type ClientOptions = {
  /** Of the configuration: for a tenant, a proxy. */
  readonly headers: Readonly<Record<string, string>>;
  /** Read at each request, so that a token may be changed under a running broker. */
  readonly bearerTokenFile?: string | undefined;
  readonly timeoutMs: number;
  readonly timers: Timers;
  readonly nowMs: () => number;
};

/** Seconds or a date [RFC 9110 10.2.3]; undefined when there is none that can be read. */
export function retryAfterMs(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - nowMs;
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), RETRY_AFTER_MS_MAX) : undefined;
}

type Plan = {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body?: Uint8Array;
};

function readToken(path: string | undefined): Record<string, string> {
  if (path === undefined) return {};
  return { authorization: `Bearer ${readFileSync(path, 'utf8').trim()}` };
}

function readAnswer(
  response: http.IncomingMessage,
  nowMs: () => number,
  isPage: boolean,
): Promise<HttpAnswer> {
  const bytesMax = isPage ? PAGE_BYTES_MAX : ANSWER_BYTES_MAX;
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const done = (): void => {
      const after = retryAfterMs(response.headers['retry-after'], nowMs());
      resolve({
        ok: true,
        status: response.statusCode ?? 0,
        text: Buffer.concat(chunks).toString('utf8'),
        ...(after !== undefined && { retryAfterMs: after }),
      });
    };
    response.on('data', (chunk: Buffer) => {
      size += chunk.length;
      chunks.push(chunk);
      if (size < bytesMax) return;
      done();
      response.destroy();
    });
    response.on('end', done);
    response.on('error', (error) => resolve({ ok: false, reason: errorWords(error) }));
    // Cut off in the middle: the status came, so the answer to what was sent did; but half a page
    // says of what lies in its other half that it is not there.
    response.on('aborted', () => {
      if (isPage) resolve({ ok: false, reason: 'its answer was cut off' });
      else done();
    });
  });
}

export function createHttpClient(options: ClientOptions): HttpClient {
  const { timeoutMs, timers, nowMs } = options;
  // One request at a time is sent, and a self-test beside it.
  const settings = { keepAlive: true, maxSockets: 2 };
  const agents = { http: new http.Agent(settings), https: new https.Agent(settings) };
  const open = new Set<http.ClientRequest>();
  const sockets = new WeakSet<Socket>();
  /** Whose server said that it closes them after the answer. */
  const told = new WeakSet<Socket>();
  let drops: Drops = { all: 0, busy: 0 };
  let usedAtMs = 0;
  let closed = false;

  function start(plan: Plan): http.ClientRequest {
    const { method, url, headers } = plan;
    const secure = url.startsWith('https:');
    const own = { ...options.headers, ...readToken(options.bearerTokenFile) };
    const all = { headers: { ...own, ...headers }, method };
    return secure
      ? https.request(url, { ...all, agent: agents.https })
      : http.request(url, { ...all, agent: agents.http });
  }

  function ask(plan: Plan): Promise<HttpAnswer> {
    if (closed) return Promise.resolve({ ok: false, reason: 'it is being stopped' });
    let request: http.ClientRequest;
    try {
      request = start(plan);
    } catch (error) {
      // A token file that cannot be read, a header with a line break.
      return Promise.resolve({ ok: false, reason: errorWords(error) });
    }
    open.add(request);
    return new Promise((resolve) => {
      let late = false;
      const cancel = timers.after(timeoutMs, () => {
        late = true;
        request.destroy();
        settle({ ok: false, reason: `no answer within ${timeoutMs / 1000} s` });
      });
      const settle = (answer: HttpAnswer): void => {
        usedAtMs = nowMs();
        cancel();
        open.delete(request);
        resolve(answer);
      };
      request.on('socket', (socket) => {
        if (sockets.has(socket)) return;
        sockets.add(socket);
        socket.once('close', () => {
          if (told.has(socket)) return;
          const isBusy = nowMs() - usedAtMs < BUSY_MS;
          drops = { all: drops.all + 1, busy: drops.busy + (isBusy ? 1 : 0) };
        });
      });
      request.on('response', (response) => {
        // It said so: nothing happened to whoever ends this one.
        if (response.headers.connection === 'close') told.add(response.socket);
        void readAnswer(response, nowMs, plan.method === 'GET').then(settle);
      });
      request.on('error', (error) => {
        if (!late) settle({ ok: false, reason: errorWords(error) });
      });
      request.end(plan.body);
    });
  }

  return {
    post: (url, body, headers) =>
      ask({
        method: 'POST',
        url,
        body,
        headers: { ...headers, 'content-length': body.length },
      }),
    get: (url) => ask({ method: 'GET', url, headers: {} }),
    drops: () => drops,
    close: () => {
      closed = true;
      for (const request of open) request.destroy(new Error('it is being stopped'));
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}
