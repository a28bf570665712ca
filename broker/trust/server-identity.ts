// The broker's own certificate: made from the fleet's authority, kept in one file with its key, and made anew when two
// thirds of its life are over, when the broker got other names or when the authority changed. Ninety days, because
// nothing has to be done by hand for it: what is short-lived is known to be renewed before it matters.

import { createPublicKey, X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { isIP } from 'node:net';
import { ok, type Result } from '../../protocol/result.ts';
import { SECRET_MODE, writeWhole } from '../files.ts';
import { makeServer, SERVER_DAYS, serverNames } from './certificates.ts';
import type { Held } from './held.ts';
import { keyText, newKey, parseKey, readSecret } from './key-files.ts';
import { paths } from './state.ts';
import type { ServerIdentity } from './types.ts';

const DAY_MS = 24 * 3_600_000;
/** A third of its life is left to find out why renewing fails. */
export const RENEW_BEFORE_MS = (SERVER_DAYS / 3) * DAY_MS;

export type HeldServer = ServerIdentity & { readonly notAfterMs: number };

/** Whoever enrols knows the authority by its fingerprint alone, so it travels along, behind the broker's own. */
const shown = (leaf: string, key: string, held: Held): HeldServer => ({
  cert: leaf + held.issuer.certificate,
  key,
  authorities: held.document.authorities,
  notAfterMs: Date.parse(new X509Certificate(leaf).validTo),
});

function covers(leaf: X509Certificate, names: readonly string[]): boolean {
  const wanted = serverNames(names);
  const count = (leaf.subjectAltName ?? '').split(', ').length;
  const isThere = (name: string): boolean =>
    (isIP(name) === 0
      ? leaf.checkHost(name, { subject: 'never', wildcards: false })
      : leaf.checkIP(name)) !== undefined;
  return count === wanted.length && wanted.every(isThere);
}

/** What lies there, if it is as it should be; why not is of no interest, it is simply made anew. */
function readServer(
  keysDir: string,
  held: Held,
  names: readonly string[],
  passphrase: string | undefined,
  nowMs: number,
): Result<HeldServer | undefined> {
  const path = paths.server(keysDir);
  if (!existsSync(path)) return ok(undefined);
  const text = readSecret(path);
  if (!text.ok) return text;
  try {
    const key = parseKey(text.value, path, passphrase);
    const leaf = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/.exec(
      text.value,
    )?.[0];
    if (!key.ok || leaf === undefined) return ok(undefined);
    const certificate = new X509Certificate(leaf);
    const issuer = new X509Certificate(held.issuer.certificate);
    const isOurs = certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
    const isItsKey = createPublicKey(key.value).equals(certificate.publicKey);
    if (!isOurs || !isItsKey || !covers(certificate, names)) return ok(undefined);
    const server = shown(leaf, keyText(key.value, undefined), held);
    return ok(isDue(server, held, nowMs) ? undefined : server);
  } catch {
    return ok(undefined);
  }
}

/** An authority that ends soon can give no longer certificate than it has itself: renewing would not help. */
export function isDue({ notAfterMs }: HeldServer, held: Held, nowMs: number): boolean {
  const authorityMs = Date.parse(new X509Certificate(held.issuer.certificate).validTo);
  // Made while the clock was ahead: whoever looks at it now may find it not valid yet.
  if (notAfterMs - nowMs > (SERVER_DAYS + 1) * DAY_MS) return true;
  return notAfterMs - nowMs < RENEW_BEFORE_MS && notAfterMs < authorityMs;
}

export type ServerOptions = {
  readonly keysDir: string;
  readonly names: readonly string[];
  readonly passphrase: string | undefined;
};

export async function openServer(
  { keysDir, names, passphrase }: ServerOptions,
  held: Held,
  nowMs: number,
): Promise<Result<HeldServer>> {
  const there = readServer(keysDir, held, names, passphrase, nowMs);
  if (!there.ok) return there;
  if (there.value !== undefined) return ok(there.value);
  // A new key each time: an old one that leaked ends with its certificate.
  const key = newKey('p256');
  const made = await makeServer(held.issuer, createPublicKey(key), names, nowMs);
  if (!made.ok) return made;
  const { certificate } = made.value;
  writeWhole(paths.server(keysDir), keyText(key, passphrase) + certificate, SECRET_MODE);
  return ok(shown(certificate, keyText(key, undefined), held));
}
