// Makes what a fleet's trust begins with: an authority (or takes a company's own), a key for commands and one for the
// audit log, and trust.json last. What lies there already is used, so an interrupted run is simply repeated; nothing
// is ever overwritten, because a key that is gone is a fleet that must be enrolled anew.

import { createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { publicKeyText } from '../../protocol/commands.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { PUBLIC_MODE, writeWhole } from '../files.ts';
import { fingerprintOf, makeAuthority } from './certificates.ts';
import { checkMode, isEncrypted, newKey, parseKey, readKey, writeKey } from './key-files.ts';
import { AUDIT, hasState, paths, readState, writeState } from './state.ts';
import { signingOf } from './x509.ts';

export const KEYS_FOLDER_MODE = 0o700;
const CERTIFICATE_BYTES_MAX = 16 * 1024;
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

export type GivenAuthority = { readonly certificate: string; readonly key: string };
export type Taken = { readonly certificate: string; readonly key: KeyObject };

function readText(path: string): Result<string> {
  try {
    if (statSync(path).size > CERTIFICATE_BYTES_MAX) return fail(`${path} is too large`);
    return ok(readFileSync(path, 'utf8'));
  } catch (cause) {
    return fail(`${path} cannot be read (${(cause as NodeJS.ErrnoException).code})`);
  }
}

/** An existing authority, when it can do what a fleet needs of it. Its key may have the same passphrase as ours. */
export function takeAuthority(
  { certificate: file, key: keyFile }: GivenAuthority,
  passphrase: string | undefined,
  nowMs: number,
): Result<Taken> {
  const pem = readText(file);
  if (!pem.ok) return pem;
  const text = readText(keyFile);
  if (!text.ok) return text;
  const key = parseKey(text.value, keyFile, isEncrypted(text.value) ? passphrase : undefined);
  if (!key.ok) return key;
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(pem.value);
  } catch {
    return fail(`${file} holds no certificate in PEM form`);
  }
  const signing = signingOf(key.value);
  if (!signing.ok) return signing;
  if (!createPublicKey(key.value).equals(certificate.publicKey)) {
    return fail(`${keyFile} is not the key of ${file}`);
  }
  // OpenSSL's word for both: CA:TRUE and, where the usages are said at all, keyCertSign among them.
  if (!certificate.ca) {
    return fail(`${file} is no certificate of an authority (it needs CA:TRUE and keyCertSign)`);
  }
  if (Date.parse(certificate.validTo) <= nowMs) return fail(`${file} is over`);
  const uses = certificate.keyUsage;
  if (uses !== undefined && !(uses.includes(SERVER_AUTH) && uses.includes(CLIENT_AUTH))) {
    return fail(`${file} may not issue certificates for both servers and clients`);
  }
  // The first certificate alone: what stands behind it in a chain is not ours to trust.
  return ok({ certificate: certificate.toString(), key: key.value });
}

/** The key in a file; made when there is none. */
function keepKey(
  path: string,
  passphrase: string | undefined,
  make: () => KeyObject,
): Result<KeyObject> {
  if (existsSync(path)) return readKey(path, passphrase);
  const key = make();
  writeKey(path, key, passphrase);
  return ok(key);
}

export type Making = {
  readonly keysDir: string;
  readonly passphrase: string | undefined;
  readonly nowMs: number;
};

/** Key first: a certificate without its key is nothing, a key without a certificate gets one. */
export async function makeNamedAuthority(
  { keysDir, passphrase, nowMs }: Making,
  name: string,
  taken?: Taken,
): Promise<Result<string>> {
  const key = keepKey(paths.key(keysDir, name), passphrase, () => taken?.key ?? newKey('p256'));
  if (!key.ok) return key;
  const path = paths.certificate(keysDir, name);
  if (taken !== undefined && !createPublicKey(taken.key).equals(createPublicKey(key.value))) {
    return fail(`${keysDir} holds another authority already: take another --keys-dir`);
  }
  if (!existsSync(path)) {
    const pem = taken?.certificate ?? (await makeAuthority(key.value, nowMs));
    writeWhole(path, pem, PUBLIC_MODE);
  }
  return ok(readFileSync(path, 'utf8'));
}

export function makeNamedCommandKey(
  { keysDir, passphrase }: Making,
  name: string,
): Result<KeyObject> {
  return keepKey(paths.key(keysDir, name), passphrase, () => newKey('ed25519'));
}

export function openKeysDir(keysDir: string): Result<void> {
  if (mkdirSync(keysDir, { recursive: true, mode: KEYS_FOLDER_MODE }) !== undefined) {
    // Against a umask that takes more than it should.
    chmodSync(keysDir, KEYS_FOLDER_MODE);
  }
  return checkMode(keysDir);
}

/** @returns the authority (PEM) and its fingerprint, made now or by an earlier run. */
export async function makeTrust(
  making: Making,
  given?: GivenAuthority,
): Promise<Result<{ fingerprint: string; authority: string; made: boolean }>> {
  const { keysDir, passphrase, nowMs } = making;
  const folder = openKeysDir(keysDir);
  if (!folder.ok) return folder;
  const taken = given && takeAuthority(given, passphrase, nowMs);
  if (taken?.ok === false) return taken;
  const made = !hasState(keysDir);
  const state = made ? undefined : readState(keysDir);
  if (state?.ok === false) return state;
  const name = state?.value.authorities[0]?.name ?? 'authority-1';
  const pem = await makeNamedAuthority(making, name, taken?.value);
  if (!pem.ok) return pem;
  const fingerprint = fingerprintOf(pem.value);
  const told = { fingerprint, authority: pem.value, made };
  if (!made) return ok(told);
  const command = makeNamedCommandKey(making, 'command-1');
  if (!command.ok) return command;
  const audit = keepKey(paths.key(keysDir, AUDIT), passphrase, () => newKey('ed25519'));
  if (!audit.ok) return audit;
  writeState(keysDir, {
    format: 1,
    version: 1,
    authorities: [{ name, stage: 'used' }],
    commandKeys: [{ name: 'command-1', stage: 'used', key: publicKeyText(command.value) }],
    since: { authority: 1, command: 1 },
  });
  return ok(told);
}
