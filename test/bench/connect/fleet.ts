// The certificates of a fleet for the connect benchmark: one authority, one broker, and as many terminals as asked
// for. All terminals share one key, which nobody else should do: making thousands of them would measure that.

import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { issueTerminal, makeAuthority, makeServer } from '../../../broker/trust/certificates.ts';
import { loadX509 } from '../../../broker/trust/x509.ts';
import type { Result } from '../../../protocol/result.ts';

export type BenchFleet = {
  readonly authority: string;
  readonly cert: string;
  readonly key: string;
  readonly terminalKey: string;
  /** Of terminal `sim-N`. */
  readonly terminals: readonly string[];
};

export const idOf = (n: number): string => `sim-${n}`;

function must<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.reason);
  return result.value;
}

/** A new pair, its private half as PEM. */
function newPair() {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { privateKey: createPrivateKey(pem), publicKey: createPublicKey(pem), pem };
}

export async function makeFleet(count: number): Promise<BenchFleet> {
  const [own, broker, terminal] = [newPair(), newPair(), newPair()];
  const nowMs = Date.now();
  const authority = await makeAuthority(own.privateKey, nowMs);
  const issuer = { certificate: authority, key: own.privateKey };
  const server = must(await makeServer(issuer, broker.publicKey, [], nowMs));
  const x509 = await loadX509();
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({
    name: 'CN=sim',
    keys: {
      publicKey: terminal.publicKey.toCryptoKey(algorithm, true, ['verify']),
      privateKey: terminal.privateKey.toCryptoKey(algorithm, true, ['sign']),
    },
    signingAlgorithm: { ...algorithm, hash: 'SHA-256' },
  });
  const csrPem = csr.toString('pem');
  const terminals: string[] = [];
  for (let n = 0; n < count; n += 1) {
    const wanted = { terminal: idOf(n), csrPem, days: 1 };
    terminals.push(must(await issueTerminal(issuer, wanted, nowMs)).certificate);
  }
  const shown = { cert: server.certificate, key: broker.pem };
  return { authority, ...shown, terminalKey: terminal.pem, terminals };
}
