// One question to the broker's HTTPS and its answer, over a connection that was judged before a byte was sent. Not
// node:https's own way, which would send first and ask for the certificate of whatever authority the machine trusts:
// here only the fleet's counts, known by its certificate or, at enrolment, by its fingerprint alone. Only the program
// that enrols uses it; the agent never loads node:http for it.

import { createHash, X509Certificate } from 'node:crypto';
import { request } from 'node:http';
import { isIP, type Socket } from 'node:net';
import {
  connect,
  type DetailedPeerCertificate,
  type PeerCertificate,
  type TLSSocket,
} from 'node:tls';
import { ENROLMENT_BYTES_MAX } from '../../protocol/enrolment.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Timers } from '../ports.ts';
import { faultOf, type KnownTime } from './judge.ts';
import { authority, connectThrough, type HttpProxy } from './proxy.ts';
import { REFUSED_BROKER } from './reasons.ts';
import type { Address } from './types.ts';

export const HTTPS_PORT = 443;
/** The first is for brokers that show people another certificate than terminals. */
const ALPN = ['tillwatch-enrolment', 'http/1.1'];
const CHAIN_MAX = 5;

/** Whom to believe: certificates that are pinned, or the SHA-256 of one that the broker has to show. */
export type Pinned = { readonly authorities: readonly string[] } | { readonly fingerprint: string };

export type PostOptions = {
  readonly url: string;
  readonly path: string;
  readonly body: unknown;
  readonly pinned: Pinned;
  readonly proxy: HttpProxy | undefined;
  readonly time: KnownTime;
  readonly timers: Timers;
  readonly timeoutMs: number;
};
export type Answer = {
  readonly status: number;
  /** undefined where it was no JSON. */
  readonly json: unknown;
};

export function addressOf(url: string): Address | undefined {
  const parsed = URL.parse(url);
  if (parsed?.protocol !== 'https:' || parsed.hostname === '') return undefined;
  const host = parsed.hostname.replace(/^\[(.*)\]$/, '$1');
  return { host, port: parsed.port === '' ? HTTPS_PORT : Number(parsed.port) };
}

/** What the other side showed, its own first. */
function chainOf(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let next: Partial<DetailedPeerCertificate> | undefined = socket.getPeerCertificate(true);
  while (next?.raw !== undefined && chain.length < CHAIN_MAX) {
    chain.push(new X509Certificate(next.raw));
    const issuer: PeerCertificate | undefined = next.issuerCertificate;
    next = issuer === next ? undefined : (issuer as Partial<DetailedPeerCertificate>);
  }
  return chain;
}

const fingerprintOf = (certificate: X509Certificate): string =>
  createHash('sha256').update(certificate.raw).digest('hex');

/** @returns the authorities among what is known and what was shown. */
function believed(pinned: Pinned, chain: readonly X509Certificate[]): X509Certificate[] {
  return 'fingerprint' in pinned
    ? chain.slice(1).filter((one) => fingerprintOf(one) === pinned.fingerprint)
    : pinned.authorities.map((pem) => new X509Certificate(pem));
}

function judge(socket: TLSSocket, host: string, { pinned, time }: PostOptions): string {
  const chain = chainOf(socket);
  const [peer] = chain;
  if (peer === undefined) return 'there is none';
  const authorities = believed(pinned, chain);
  if (authorities.length > 0) return faultOf(peer, authorities, host, time);
  return 'fingerprint' in pinned
    ? 'it is not issued by the authority that the token names'
    : "it is not issued by this fleet's authority";
}

function handshake(
  address: Address,
  over: Socket | undefined,
  options: PostOptions,
): Promise<Result<TLSSocket>> {
  return new Promise((resolve) => {
    const socket = connect({
      ...(over === undefined ? { ...address } : { socket: over }),
      minVersion: 'TLSv1.3',
      ALPNProtocols: ALPN,
      servername: isIP(address.host) === 0 ? address.host : '',
      checkServerIdentity: () => undefined,
      // Judged below, before a byte is sent, by more than OpenSSL asks for.
      rejectUnauthorized: false,
    });
    const finish = (result: Result<TLSSocket>): void => {
      if (!result.ok) socket.destroy();
      resolve(result);
    };
    socket.on('error', (error) => finish(fail(`${authority(address)}: ${error.message}`)));
    socket.once('close', () => finish(fail(`${authority(address)} closed the connection`)));
    socket.once('secureConnect', () => {
      const fault = judge(socket, address.host, options);
      finish(fault === '' ? ok(socket) : fail(`${REFUSED_BROKER}: ${fault}`));
    });
  });
}

function ask(socket: TLSSocket, address: Address, options: PostOptions): Promise<Result<Answer>> {
  const body = Buffer.from(JSON.stringify(options.body));
  return new Promise((resolve) => {
    const failed = (error: Error): void => resolve(fail(`${authority(address)}: ${error.message}`));
    const asked = request({
      ...{ method: 'POST', path: options.path, createConnection: () => socket },
      headers: {
        host: authority(address),
        'content-type': 'application/json',
        'content-length': body.length,
        connection: 'close',
      },
    });
    asked.on('error', failed);
    asked.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('error', failed);
      response.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > ENROLMENT_BYTES_MAX)
          response.destroy(new Error('its answer is too long'));
      });
      response.on('end', () => {
        resolve(ok({ status: response.statusCode ?? 0, json: parsed(text) }));
      });
    });
    asked.end(body);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function through(
  address: Address,
  options: PostOptions,
  keep: (socket: Socket) => void,
): Promise<Result<Answer>> {
  const { proxy, timers, timeoutMs } = options;
  let over: Socket | undefined;
  if (proxy !== undefined) {
    const opened = await connectThrough(proxy, address, { timers, timeoutMs, keep });
    if (!opened.ok) return opened;
    over = opened.value;
  }
  const socket = await handshake(address, over, options);
  if (!socket.ok) return socket;
  keep(socket.value);
  return ask(socket.value, address, options);
}

/** @returns what a broker of this fleet answered, or why none did; never rejects. */
export function post(options: PostOptions): Promise<Result<Answer>> {
  const address = addressOf(options.url);
  if (address === undefined) return Promise.resolve(fail(`${options.url} is no https address`));
  const sockets: Socket[] = [];
  return new Promise((resolve) => {
    const finish = (result: Result<Answer>): void => {
      cancel();
      for (const socket of sockets) socket.destroy();
      resolve(result);
    };
    const cancel = options.timers.after(options.timeoutMs, () =>
      finish(fail(`${authority(address)} did not answer within ${options.timeoutMs} ms`)),
    );
    through(address, options, (socket) => sockets.push(socket)).then(finish, (error: unknown) =>
      finish(fail(`${authority(address)}: ${String(error)}`)),
    );
  });
}
