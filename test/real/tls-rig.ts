// Certificates of every kind for tests of TLS, good ones and such as nobody should believe, and servers that show them.

import 'reflect-metadata';
import { createHash, KeyObject, type webcrypto, X509Certificate } from 'node:crypto';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import * as x509 from '@peculiar/x509';
import type { Credentials } from '../../agent/identity/types.ts';

type CryptoKey = webcrypto.CryptoKey;
type CryptoKeyPair = webcrypto.CryptoKeyPair;

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;
export const USE = { server: '1.3.6.1.5.5.7.3.1', client: '1.3.6.1.5.5.7.3.2' } as const;

export type Pair = { readonly certificate: string; readonly key: string };
export type Leaf = {
  readonly commonName: string;
  readonly use: readonly string[];
  readonly names?: readonly string[];
  readonly fromMs?: number;
  readonly untilMs?: number;
};

const pemOf = (key: CryptoKey): string =>
  KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }).toString();

const makeKeys = (): Promise<CryptoKeyPair> =>
  crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']) as Promise<CryptoKeyPair>;

const serial = (): string =>
  Buffer.from(crypto.getRandomValues(new Uint8Array(15))).toString('hex');

export class Authority {
  readonly certificate: string;
  readonly #keys: CryptoKeyPair;
  readonly #subject: string;

  constructor(certificate: string, keys: CryptoKeyPair, subject: string) {
    this.certificate = certificate;
    this.#keys = keys;
    this.#subject = subject;
  }

  static async make(name = 'a fleet', fromMs = Date.now() - DAY_MS): Promise<Authority> {
    const keys = await makeKeys();
    const subject = `CN=${name}`;
    const made = await x509.X509CertificateGenerator.createSelfSigned({
      ...{ name: subject, keys, signingAlgorithm: ALGORITHM, serialNumber: serial() },
      notBefore: new Date(fromMs),
      notAfter: new Date(fromMs + 3650 * DAY_MS),
      extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
    });
    return new Authority(`${made.toString('pem')}\n`, keys, subject);
  }

  get fingerprint(): string {
    return createHash('sha256').update(new X509Certificate(this.certificate).raw).digest('hex');
  }

  async issue(leaf: Leaf): Promise<Pair> {
    const keys = await makeKeys();
    const certificate = await this.sign(keys.publicKey, leaf);
    return { certificate, key: pemOf(keys.privateKey) };
  }

  async sign(publicKey: CryptoKey, leaf: Leaf): Promise<string> {
    const { commonName, use, names = [] } = leaf;
    const { fromMs = Date.now() - DAY_MS, untilMs = Date.now() + 90 * DAY_MS } = leaf;
    const alternatives = names.map((value) => ({
      type: /^[\d.]+$|:/.test(value) ? ('ip' as const) : ('dns' as const),
      value,
    }));
    const made = await x509.X509CertificateGenerator.create({
      ...{ subject: `CN=${commonName}`, issuer: this.#subject, serialNumber: serial() },
      ...{ notBefore: new Date(fromMs), notAfter: new Date(untilMs), publicKey },
      ...{ signingKey: this.#keys.privateKey, signingAlgorithm: ALGORITHM },
      extensions: [
        new x509.BasicConstraintsExtension(false),
        ...(use.length === 0 ? [] : [new x509.ExtendedKeyUsageExtension([...use])]),
        ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(alternatives)]),
      ],
    });
    return `${made.toString('pem')}\n`;
  }

  /** The public key of a certificate request, its signature checked. */
  static async keyOf(csrPem: string): Promise<{ key: CryptoKey; commonName: string }> {
    const request = new x509.Pkcs10CertificateRequest(csrPem);
    if (!(await request.verify())) throw new Error('the request is not signed by its key');
    return { key: await request.publicKey.export(), commonName: request.subject };
  }

  broker(names: readonly string[] = ['localhost', '127.0.0.1', '::1']): Promise<Pair> {
    return this.issue({ commonName: 'broker', use: [USE.server], names });
  }

  async terminal(id: string): Promise<Credentials> {
    const pair = await this.issue({ commonName: id, use: [USE.client] });
    return { ...pair, authorities: [this.certificate] };
  }
}

export const listen = (server: Server, port = 0): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });

export type Closing = { readonly port: number; readonly close: () => Promise<void> };

function closing(server: Server, port: number, sockets: ReadonlySet<Socket>): Closing {
  return {
    port,
    close: () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      return closed;
    },
  };
}

/** A TLS server as a broker has one; `handle` gets what was let in. */
export async function tlsServer(
  authority: Authority,
  pair: Pair,
  handle: (socket: Socket) => void,
  more: TlsOptions = {},
): Promise<Closing> {
  const sockets = new Set<Socket>();
  const server = createTlsServer(
    {
      ...{ cert: pair.certificate + authority.certificate, key: pair.key },
      ...{ ca: [authority.certificate], requestCert: true, rejectUnauthorized: true },
      ...{ minVersion: 'TLSv1.3', ALPNProtocols: ['mqtt'], ...more },
    },
    (socket) => {
      socket.on('error', () => undefined);
      handle(socket);
    },
  );
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('tlsClientError', () => undefined);
  return closing(server, await listen(server), sockets);
}

/** A store's proxy: `answer` says what it answers to which request; a 200 opens the way. */
export async function connectProxy(
  answer: (request: string) => string,
): Promise<Closing & { readonly requests: string[] }> {
  const sockets = new Set<Socket>();
  const requests: string[] = [];
  const server = createServer((near) => {
    sockets.add(near);
    near.on('error', () => undefined);
    let head = '';
    near.on('data', function read(chunk: Buffer) {
      head += chunk.toString('latin1');
      if (!head.includes('\r\n\r\n')) return;
      near.removeListener('data', read);
      requests.push(head);
      const said = answer(head);
      if (!said.startsWith('HTTP/1.1 2')) {
        near.end(said);
        return;
      }
      const [, host = '', port = ''] = /^CONNECT (.+):(\d+) /.exec(head) ?? [];
      const far = connect(Number(port), host.replace(/^\[(.*)\]$/, '$1'));
      sockets.add(far);
      far.on('error', () => near.destroy());
      far.once('connect', () => {
        near.write(said);
        near.pipe(far).pipe(near);
      });
    });
  });
  return { ...closing(server, await listen(server), sockets), requests };
}

export const OPEN = 'HTTP/1.1 200 Connection established\r\nVia: store\r\n\r\n';
