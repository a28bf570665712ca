// Fetches one component's own metrics over HTTP. Only from this machine: the address comes from the
// component, and an agent that follows it anywhere would reach what only the till may reach. Bounded
// in time and size, without keep-alive, because a component that is being killed must not hold a
// connection of the agent; node:http because `fetch` costs 31 MB.

import type { IncomingMessage } from 'node:http';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Timers } from '../ports.ts';
import { loadHttp } from '../system/http.ts';

export const SCRAPE_TIMEOUT_MS = 2_000;
export const SCRAPE_BYTES_MAX = 256 * 1024;

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** @returns the address if it is plain HTTP on this machine. */
export function metricsAddress(text: string): Result<URL> {
  if (!URL.canParse(text)) return fail('metrics address is no URL');
  const url = new URL(text);
  if (url.protocol !== 'http:') return fail('metrics address is not http');
  if (!LOOPBACK.test(url.hostname)) return fail('metrics address is not on this machine');
  return ok(url);
}

function readBody(response: IncomingMessage, done: (result: Result<string>) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= SCRAPE_BYTES_MAX) {
      chunks.push(chunk);
      return;
    }
    done(fail(`metrics are larger than ${SCRAPE_BYTES_MAX} bytes`));
    response.destroy();
  });
  response.on('end', () => done(ok(Buffer.concat(chunks).toString('utf8'))));
  response.on('error', (error) => done(fail(`metrics broke off: ${error.message}`)));
}

/** Never rejects and always ends within the timeout. */
export function scrape(
  text: string,
  timers: Timers,
  timeoutMs: number = SCRAPE_TIMEOUT_MS,
): Promise<Result<string>> {
  const address = metricsAddress(text);
  if (!address.ok) return Promise.resolve(address);
  return new Promise((resolve) => {
    const request = loadHttp().get(address.value, {
      agent: false,
      headers: { accept: 'text/plain;version=0.0.4', connection: 'close' },
    });
    const done = (result: Result<string>): void => {
      cancel();
      resolve(result);
      request.destroy();
    };
    const cancel = timers.after(timeoutMs, () => done(fail(`no metrics within ${timeoutMs} ms`)));
    request.on('error', (error) => done(fail(`no metrics: ${error.message}`)));
    request.on('response', (response) => {
      if (response.statusCode === 200) readBody(response, done);
      else done(fail(`metrics answered ${response.statusCode}`));
    });
  });
}
