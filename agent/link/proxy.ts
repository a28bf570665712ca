// Through the store's HTTP proxy by CONNECT [RFC 9110 9.3.6], for stores whose firewall lets nothing else out. The
// proxy sees where the connection goes and nothing of what it carries: TLS begins behind it. Its answer is read by hand
// and with a limit, because an HTTP client of Node costs a till 2 MB for the sake of one line.

import { connect, type Socket } from 'node:net';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Timers } from '../ports.ts';
import type { Address } from './types.ts';

export type HttpProxy = Address & {
  /** The header's value; a secret. */
  readonly authorization: string | undefined;
};

const HEAD_BYTES_MAX = 16 * 1024;
const PORT_DEFAULT = 80;

/** A stray % stands for itself. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** @param url as configuration/uplink.ts has checked it. */
export function parseProxy(url: string): HttpProxy | undefined {
  const parsed = URL.parse(url);
  if (parsed === null || parsed.hostname === '') return undefined;
  const { hostname, port, username, password } = parsed;
  const name = `${decoded(username)}:${decoded(password)}`;
  const authorization =
    username === '' ? undefined : `Basic ${Buffer.from(name).toString('base64')}`;
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  return { host, port: port === '' ? PORT_DEFAULT : Number(port), authorization };
}

export const authority = ({ host, port }: Address): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

function request(target: Address, { authorization }: HttpProxy): string {
  const where = authority(target);
  const lines = [`CONNECT ${where} HTTP/1.1`, `Host: ${where}`];
  if (authorization !== undefined) lines.push(`Proxy-Authorization: ${authorization}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** What a status means to whoever reads why a till is away. */
export function refusal(status: number, target: Address, isNamed: boolean): string {
  const where = authority(target);
  if (status === 407) {
    return isNamed
      ? 'the proxy does not accept our name and password (407)'
      : 'the proxy wants a name and a password (407)';
  }
  if (status === 401 || status === 403 || status === 405) {
    return `the proxy does not allow a connection to ${where} (${status})`;
  }
  if (status === 502 || status === 503 || status === 504) {
    return `the broker at ${where} cannot be reached from the proxy (${status})`;
  }
  return `the proxy answered ${status} to a connection to ${where}`;
}

export type Answer =
  | { readonly kind: 'more' }
  | { readonly kind: 'open'; readonly rest: Buffer }
  | { readonly kind: 'status'; readonly status: number }
  | { readonly kind: 'garbage' };

/** What a proxy has said so far. A refusal's body is not waited for. */
export function readAnswer(bytes: Buffer): Answer {
  const text = bytes.subarray(0, HEAD_BYTES_MAX).toString('latin1');
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) {
    const isHttp = text.startsWith('HTTP/1.'.slice(0, text.length));
    return isHttp && bytes.length < HEAD_BYTES_MAX ? { kind: 'more' } : { kind: 'garbage' };
  }
  const [, status] = /^HTTP\/1\.[01] (\d{3})(?: |\r\n)/.exec(text) ?? [];
  if (status === undefined) return { kind: 'garbage' };
  const rest = bytes.subarray(end + 4);
  return status.startsWith('2')
    ? { kind: 'open', rest }
    : { kind: 'status', status: Number(status) };
}

export type ProxyOptions = {
  readonly timers: Timers;
  readonly timeoutMs: number;
  /** Whoever gives up destroys it. */
  readonly keep: (socket: Socket) => void;
};

/** @returns a socket that ends at the target, or a sentence; never rejects. */
export function connectThrough(
  proxy: HttpProxy,
  target: Address,
  { timers, timeoutMs, keep }: ProxyOptions,
): Promise<Result<Socket>> {
  const socket = connect({ host: proxy.host, port: proxy.port, noDelay: true });
  keep(socket);
  return new Promise((resolve) => {
    let heard: Buffer = Buffer.alloc(0);
    const finish = (result: Result<Socket>): void => {
      cancel();
      socket.removeAllListeners('data').removeAllListeners('close').removeAllListeners('connect');
      // Stays for ever: an error that nobody hears ends the agent.
      if (!result.ok) socket.destroy();
      resolve(result);
    };
    const cancel = timers.after(timeoutMs, () =>
      finish(fail(`the proxy did not answer within ${timeoutMs} ms`)),
    );
    socket.on('error', (error) => finish(fail(`the proxy is not reached: ${error.message}`)));
    socket.on('close', () => finish(fail('the proxy closed the connection')));
    socket.on('connect', () => socket.write(request(target, proxy)));
    socket.on('data', (chunk: Buffer) => {
      heard = Buffer.concat([heard, chunk]);
      const answer = readAnswer(heard);
      if (answer.kind === 'more') return;
      if (answer.kind === 'garbage')
        finish(fail("what answers at the proxy's address is no proxy"));
      else if (answer.kind === 'status') {
        finish(fail(refusal(answer.status, target, proxy.authorization !== undefined)));
      } else {
        socket.pause();
        if (answer.rest.length > 0) socket.unshift(answer.rest);
        finish(ok(socket));
      }
    });
  });
}
