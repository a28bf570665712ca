// Writes the three kinds of certificate that a fleet needs: its authority, the broker's own, and those of terminals.
// Each has exactly one use, so that a stolen terminal's certificate can never stand for a broker and the broker's
// never for a terminal. What a request says of itself is ignored: only its key is taken over.

import {
  createHash,
  createPublicKey,
  type KeyObject,
  randomBytes,
  type webcrypto,
  X509Certificate,
} from 'node:crypto';
import { isIP } from 'node:net';
import { isId } from '../../protocol/ids.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Issued } from './types.ts';
import { isP256, loadX509, signingOf, type X509 } from './x509.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** Ten years with their leap days. */
export const AUTHORITY_DAYS = 3_653;
export const SERVER_DAYS = 90;
/**
 * A till judges these two by its own clock, which is never believed (design.md section 3): one that lags must not
 * lose its broker because the broker's certificate was renewed.
 */
const AUTHORITY_BACK_MS = 365 * DAY_MS;
const SERVER_BACK_MS = 30 * DAY_MS;
/** Judged by the broker alone, and the agent's floor for commands begins here: not far back. */
const TERMINAL_BACK_MS = 5 * MINUTE_MS;
export const DAYS_MAX = 825;
const CSR_CHARS_MAX = 4_000;
const NO_REQUEST = 'this is no certificate request in PEM form';

/** Whoever signs. */
export type Issuer = { readonly certificate: string; readonly key: KeyObject };

/** 128 bits; the first two are fixed, so that it is positive and its hex always has 32 digits [RFC 5280 4.1.2.2]. */
function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString('hex');
}

/** Certificates count in seconds. */
const seconds = (ms: number): number => Math.floor(ms / 1000) * 1000;
const endOf = (certificate: string): number => Date.parse(new X509Certificate(certificate).validTo);

/** SHA-256 of the DER form in lower-case hex: how people and tokens name an authority. */
export const fingerprintOf = (certificate: string | Buffer): string =>
  createHash('sha256').update(new X509Certificate(certificate).raw).digest('hex');

const importPublic = (key: KeyObject): webcrypto.CryptoKey =>
  key.toCryptoKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['verify']);

/** The fleet's own authority, signed by itself. It issues certificates of terminals and brokers, never of authorities. */
export async function makeAuthority(key: KeyObject, nowMs: number): Promise<string> {
  const x509 = await loadX509();
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const publicKey = importPublic(createPublicKey(key));
  const privateKey = key.toCryptoKey(algorithm, true, ['sign']);
  // Two authorities of one fleet must not have one name: chains are looked up by it.
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const short = createHash('sha256').update(spki).digest('hex').slice(0, 8);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: [{ O: ['Tillwatch'] }, { CN: [`Fleet authority ${short}`] }],
    notBefore: new Date(seconds(nowMs - AUTHORITY_BACK_MS)),
    notAfter: new Date(seconds(nowMs + AUTHORITY_DAYS * DAY_MS)),
    signingAlgorithm: algorithm,
    keys: { publicKey, privateKey },
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}

type Wanted = {
  readonly name: string;
  readonly key: KeyObject;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly use: 'serverAuth' | 'clientAuth';
  readonly alternativeNames?: readonly string[];
};

const alternatives = (x509: X509, names: readonly string[]) =>
  new x509.SubjectAlternativeNameExtension(
    names.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })),
  );

async function write(issuer: Issuer, wanted: Wanted): Promise<Result<Issued>> {
  const signing = signingOf(issuer.key);
  if (!signing.ok) return signing;
  const x509 = await loadX509();
  const authority = new x509.X509Certificate(issuer.certificate);
  const publicKey = importPublic(wanted.key);
  // The identifier that the authority gave itself; a company's own may be made otherwise than ours.
  const own = authority.getExtension(x509.SubjectKeyIdentifierExtension);
  const serial = newSerial();
  // Nothing outlives who vouches for it.
  const notAfterMs = Math.min(seconds(wanted.notAfterMs), endOf(issuer.certificate));
  const notBeforeMs = Math.max(seconds(wanted.notBeforeMs), authority.notBefore.getTime());
  if (notAfterMs <= notBeforeMs) return fail('the authority of this fleet is over');
  const { ExtendedKeyUsage } = x509;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial,
    subject: [{ CN: [wanted.name] }],
    issuer: authority.subjectName,
    notBefore: new Date(notBeforeMs),
    notAfter: new Date(notAfterMs),
    signingAlgorithm: signing.value,
    publicKey,
    signingKey: issuer.key.toCryptoKey(signing.value, true, ['sign']),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([ExtendedKeyUsage[wanted.use]], false),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      ...(own === null ? [] : [new x509.AuthorityKeyIdentifierExtension(own.keyId)]),
      ...(wanted.alternativeNames === undefined
        ? []
        : [alternatives(x509, wanted.alternativeNames)]),
    ],
  });
  return ok({ certificate: `${certificate.toString('pem')}\n`, serial, notBeforeMs, notAfterMs });
}

const ALWAYS = ['localhost', '127.0.0.1', '::1'] as const;
/** What the broker's certificate is for, each once, in the order in which they were given. */
export const serverNames = (names: readonly string[]): readonly string[] => [
  ...new Set([...names.map((name) => name.toLowerCase()), ...ALWAYS]),
];

export function makeServer(
  issuer: Issuer,
  key: KeyObject,
  names: readonly string[],
  nowMs: number,
): Promise<Result<Issued>> {
  return write(issuer, {
    name: 'Tillwatch broker',
    key,
    notBeforeMs: nowMs - SERVER_BACK_MS,
    notAfterMs: nowMs + SERVER_DAYS * DAY_MS,
    use: 'serverAuth',
    alternativeNames: serverNames(names),
  });
}

/** The key of a request that is signed with it. */
async function keyOfRequest(csrPem: string): Promise<Result<KeyObject>> {
  if (csrPem.length > CSR_CHARS_MAX) return fail(NO_REQUEST);
  const x509 = await loadX509();
  try {
    const request = new x509.Pkcs10CertificateRequest(csrPem);
    const der = Buffer.from(request.publicKey.rawData);
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
    if (!isP256(key)) return fail('a certificate request must be for an ECDSA P-256 key');
    if (request.signatureAlgorithm.hash?.name !== 'SHA-256') {
      return fail('a certificate request must be signed with SHA-256');
    }
    if (!(await request.verify())) return fail('the request is not signed with its own key');
    return ok(key);
  } catch {
    return fail(NO_REQUEST);
  }
}

export async function issueTerminal(
  issuer: Issuer,
  wanted: { terminal: string; csrPem: string; days: number },
  nowMs: number,
): Promise<Result<Issued>> {
  const { terminal, csrPem, days } = wanted;
  if (!isId(terminal)) return fail('a certificate is for a terminal of this fleet');
  if (!(days > 0 && days <= DAYS_MAX)) return fail(`a certificate lasts 1 to ${DAYS_MAX} days`);
  const key = await keyOfRequest(csrPem);
  if (!key.ok) return key;
  return write(issuer, {
    name: terminal,
    key: key.value,
    notBeforeMs: nowMs - TERMINAL_BACK_MS,
    notAfterMs: nowMs + days * DAY_MS,
    use: 'clientAuth',
  });
}
