// A broker's enrolment as a small HTTPS server, and identities on disk, for tests of the terminal's side.

import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Job } from '../../agent/identity/job.ts';
import { publicKeyText } from '../../protocol/commands.ts';
import {
  ENROL_PATH,
  type Enrolled,
  type EnrolRequest,
  formatToken,
  type RenewRequest,
  type TrustDocument,
} from '../../protocol/enrolment.ts';
import { Authority, type Closing, type Pair, tlsServer, USE } from '../real/tls-rig.ts';

export const SECRET = 'x'.repeat(43);
export const TOKEN_ID = '0123456789abcdef';
export const MACHINE = 'aaaabbbbccccdddd';
export const commandKey = (): string => publicKeyText(generateKeyPairSync('ed25519').publicKey);

export function folders() {
  const made: string[] = [];
  return {
    make: (): string => {
      const folder = mkdtempSync(join(tmpdir(), 'tw-identity-'));
      made.push(folder);
      return join(folder, 'identity');
    },
    remove: (): void => {
      for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
    },
  };
}

export const trustOf = (authority: Authority, version = 1): TrustDocument => ({
  version,
  authorities: [authority.certificate],
  commandKeys: [commandKey()],
});

type Asked = { readonly path: string; readonly body: EnrolRequest & RenewRequest };
export type Desk = Closing & {
  readonly url: string;
  readonly asked: Asked[];
  /** Bytes that were sent to it under TLS. */
  readonly heard: () => number;
  answer: (asked: Asked) => Promise<{ status: number; body: unknown }>;
};

export const DAY_MS = 86_400_000;

/** As a good broker answers. */
export async function welcome(
  authority: Authority,
  csr: string,
  trust: TrustDocument,
  url: string,
  terminal = 'lane-1',
): Promise<Enrolled> {
  const { key } = await Authority.keyOf(csr);
  const certificate = await authority.sign(key, { commonName: terminal, use: [USE.client] });
  const brokers = ['mqtts://localhost:8883'];
  return { terminal, store: 'store-1', certificate, trust, brokers, urls: [url] };
}

/** @param pair what it shows; the authority's own certificate comes behind it. */
export async function openDesk(authority: Authority, pair: Pair): Promise<Desk> {
  const asked: Asked[] = [];
  let heard = 0;
  const http = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk) => {
      text += chunk;
    });
    request.on('end', () => {
      const one: Asked = { path: request.url ?? '', body: JSON.parse(text) };
      asked.push(one);
      void desk.answer(one).then(({ status, body }) => {
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(JSON.stringify(body));
      });
    });
  });
  const more = { requestCert: false, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] };
  const server = await tlsServer(
    authority,
    pair,
    (socket) => {
      socket.on('data', (chunk) => {
        heard += chunk.length;
      });
      http.emit('connection', socket);
    },
    more,
  );
  const url = `https://127.0.0.1:${server.port}`;
  const trust = trustOf(authority);
  const desk: Desk = {
    ...{ ...server, url, asked, heard: () => heard },
    answer: async ({ body }) => ({
      status: 200,
      body: await welcome(authority, body.csr, trust, url, 'lane-1'),
    }),
  };
  return desk;
}

export const tokenFor = (authority: Authority, urls: readonly string[], terminal = 'lane-1') =>
  formatToken({
    ...{ id: TOKEN_ID, secret: SECRET, terminal },
    ...{ authority: authority.fingerprint, urls: [...urls] },
  });

export const enrolJob = (folder: string, token: string): Job & { kind: 'enrol' } => ({
  ...{ kind: 'enrol', folder, token, terminal: 'lane-1', machine: MACHINE, floorMs: 0 },
});
export const renewJob = (folder: string): Job & { kind: 'renew' } => ({
  ...{ kind: 'renew', folder, terminal: 'lane-1', machine: MACHINE, floorMs: 0 },
});
export { ENROL_PATH };
