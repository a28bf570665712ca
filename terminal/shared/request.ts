// A small HTTP client on node:http: every request has one time limit from connect to last byte and a
// ceiling for its answer. Not `fetch`: it costs 31 MB of memory (design.md section 4). A base may also be
// the file URL of a port file, read at each request, so that a component that came back on another port
// is found again.

import { readFileSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import * as v from 'valibot';
import { checkJson } from './check.ts';
import { fail, ok, type Result, saying } from './result.ts';

/** Not imported: that would read http's WebSocket and with it load undici, 14 MB (measured on 24.21). */
const { request: open } = process.getBuiltinModule('node:http');

export type Answer = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
};
export type Ask = {
  readonly method: 'GET' | 'PUT' | 'POST';
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
};

export const ANSWER_BYTES_MAX = 4 * 1024 * 1024;
const portFile = v.object({ port: v.pipe(v.number(), v.integer(), v.minValue(1)) });

function baseUrl(base: string): Result<URL> {
  const url = new URL(base);
  if (url.protocol !== 'file:') return ok(url);
  try {
    const told = checkJson(portFile, readFileSync(url, 'utf8'));
    return told.ok ? ok(new URL(`http://127.0.0.1:${told.value.port}`)) : told;
  } catch {
    return fail('its port file is not there: it has not started');
  }
}

/** @returns any complete answer, whatever its status; a reason when there was none. */
export function request(base: string, ask: Ask): Promise<Result<Answer>> {
  const found = baseUrl(base);
  if (!found.ok) return Promise.resolve(found);
  const url = new URL(found.value.pathname.replace(/\/$/, '') + ask.path, found.value);
  const body = ask.body === undefined ? undefined : Buffer.from(JSON.stringify(ask.body));
  const headers = {
    ...ask.headers,
    ...(body && { 'content-type': 'application/json', 'content-length': String(body.length) }),
  };
  const limits = [AbortSignal.timeout(ask.timeoutMs), ...(ask.signal ? [ask.signal] : [])];
  const signal = AbortSignal.any(limits);
  return new Promise((answer) => {
    const refuse = (error: unknown): void =>
      answer(fail(signal.aborted ? 'no answer in time' : saying(error)));
    // A new connection each time: a kept one may be half open after an outage and eat the request.
    const sent = open(url, { method: ask.method, headers, signal, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > ANSWER_BYTES_MAX) response.destroy(new Error('the answer is too large'));
        else chunks.push(chunk);
      });
      response.on('error', refuse);
      response.on('end', () => {
        if (!response.complete) return refuse('the answer broke off');
        const text = Buffer.concat(chunks).toString('utf8');
        answer(ok({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
      });
    });
    sent.on('error', refuse);
    sent.end(body);
  });
}
