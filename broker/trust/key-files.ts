// Private keys on disk: PKCS#8, readable by their owner alone, with a passphrase or without. Node would encrypt with
// 2 048 rounds of PBKDF2, which a stolen disk does not survive; here it is scrypt [RFC 7914 7], in the standard form
// that every openssl reads. A file that others may read is refused, not repaired: only a person knows who read it.

import {
  createCipheriv,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  scryptSync,
} from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { SECRET_MODE, writeWhole } from '../files.ts';

/** 16 MB and five rounds of it, about 0.2 s: as strong as 128 MB once, within what openssl reads by default (32 MB). */
const SCRYPT = { cost: 16_384, blockSize: 8, parallelization: 5 } as const;
const SALT_BYTES = 16;
const AES_KEY_BYTES = 32;
const AES_BLOCK_BYTES = 16;
/** Rights of group and others. */
const OTHERS = 0o077;
const KEY_BYTES_MAX = 16 * 1024;

/** Object identifiers, as they stand in DER: PBES2, scrypt, aes256-CBC-PAD. */
const OID = {
  pbes2: '06092a864886f70d01050d',
  scrypt: '06092b06010401da47040b',
  aes256: '060960864801650304012a',
} as const;

/** DER by hand: one structure, always the same. */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const { length } = body;
  const size =
    length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length];
  return Buffer.concat([Buffer.from([tag, ...size.map((byte) => byte & 0xff)]), body]);
}
const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts);
const octets = (bytes: Uint8Array): Buffer => der(0x04, bytes);
const oid = (hex: string): Buffer => Buffer.from(hex, 'hex');
const integer = (value: number): Buffer =>
  value > 127 ? der(0x02, Buffer.from([value >> 8, value & 0xff])) : der(0x02, Buffer.of(value));

/** EncryptedPrivateKeyInfo [RFC 5958 3] with PBES2 [RFC 8018 A.4] and scrypt [RFC 7914 7.1]. */
function encrypted(key: KeyObject, passphrase: string): string {
  const salt = randomBytes(SALT_BYTES);
  const iv = randomBytes(AES_BLOCK_BYTES);
  const secret = scryptSync(passphrase, salt, AES_KEY_BYTES, SCRYPT);
  const cipher = createCipheriv('aes-256-cbc', secret, iv);
  const plain = key.export({ type: 'pkcs8', format: 'der' });
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
  const { cost, blockSize, parallelization } = SCRYPT;
  const numbers = [cost, blockSize, parallelization, AES_KEY_BYTES].map(integer);
  const derivation = sequence(oid(OID.scrypt), sequence(octets(salt), ...numbers));
  const scheme = sequence(oid(OID.aes256), octets(iv));
  const algorithm = sequence(oid(OID.pbes2), sequence(derivation, scheme));
  const text = sequence(algorithm, octets(sealed)).toString('base64');
  const lines = (text.match(/.{1,64}/g) ?? []).join('\n');
  return `-----BEGIN ENCRYPTED PRIVATE KEY-----\n${lines}\n-----END ENCRYPTED PRIVATE KEY-----\n`;
}

export const newKey = (kind: 'p256' | 'ed25519'): KeyObject =>
  kind === 'p256'
    ? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    : generateKeyPairSync('ed25519').privateKey;

export function keyText(key: KeyObject, passphrase: string | undefined): string {
  if (passphrase !== undefined) return encrypted(key, passphrase);
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

export const writeKey = (path: string, key: KeyObject, passphrase: string | undefined): void =>
  writeWhole(path, keyText(key, passphrase), SECRET_MODE);

export const isEncrypted = (pem: string): boolean =>
  /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(pem);

/** @param path for the sentence. Nothing of the text is ever in it. */
export function parseKey(
  pem: string,
  path: string,
  passphrase: string | undefined,
): Result<KeyObject> {
  const closed = isEncrypted(pem);
  if (closed && passphrase === undefined) {
    return fail(
      `${path} is encrypted: put its passphrase into a file and name that in TILLWATCH_PASSPHRASE_FILE`,
    );
  }
  try {
    return ok(createPrivateKey(closed ? { key: pem, passphrase } : pem));
  } catch {
    // A wrong passphrase shows as bad padding or, one time in 256, as garbage: both read the same.
    return fail(
      closed ? `the passphrase does not open ${path}` : `${path} holds no private key in PEM form`,
    );
  }
}

/** @returns a sentence when a file or folder is open to others. */
export function checkMode(path: string): Result<void> {
  const stats = statSync(path);
  if ((stats.mode & OTHERS) === 0) return ok(undefined);
  const shown = (stats.mode & 0o777).toString(8);
  const right = stats.isDirectory() ? '700' : '600';
  const what = stats.isDirectory() ? 'is open to others' : 'may be read by others';
  return fail(
    `${path} ${what} (mode ${shown}): run chmod ${right} on it if you know that nobody read it, ` +
      'else rotate what is in it',
  );
}

/** A private file's text, when it is ours alone. */
export function readSecret(path: string): Result<string> {
  try {
    if (!existsSync(path)) return fail(`${path} is missing`);
    const mode = checkMode(path);
    if (!mode.ok) return mode;
    if (statSync(path).size > KEY_BYTES_MAX) return fail(`${path} is no file of ours: too large`);
    return ok(readFileSync(path, 'utf8'));
  } catch (cause) {
    return fail(`${path} cannot be read: ${(cause as NodeJS.ErrnoException).code ?? 'no reason'}`);
  }
}

export function readKey(path: string, passphrase: string | undefined): Result<KeyObject> {
  const text = readSecret(path);
  return text.ok ? parseKey(text.value, path, passphrase) : text;
}
