// The age file format, version 1, with one passphrase [age-encryption.org/v1]: whoever has the passphrase opens a
// backup with any age program, also when Tillwatch is not at hand. Written with node:crypto, because the library in
// JavaScript needs 9.5 s for a gigabyte and this 2.9 s (measured): so long it would keep a processor that the broker
// may need. A test holds it against that library, both ways. Streams in pieces of 64 KiB.

import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hkdfSync,
  randomBytes,
  scrypt,
  timingSafeEqual,
} from 'node:crypto';
import { promisify } from 'node:util';

const VERSION = 'age-encryption.org/v1';
const SCRYPT_LABEL = 'age-encryption.org/v1/scrypt';
/** 128 MB and 0.4 s for each guess; twice that would be much for a broker on a small machine. */
const WORK_LOG2 = 17;
/** Whoever wrote the file says how much memory reading takes: 1 GB at most. */
const WORK_LOG2_MAX = 20;
const CHUNK_BYTES = 64 * 1024;
const TAG_BYTES = 16;
const SEALED_BYTES = CHUNK_BYTES + TAG_BYTES;
const NONCE_BYTES = 16;
const HEADER_BYTES_MAX = 4_096;
const ALGORITHM = 'chacha20-poly1305';
const TAG = { authTagLength: TAG_BYTES } as const;

/** What a person should read: wrong passphrase, not such a file, cut off, changed. */
export class AgeError extends Error {}

type Bytes = AsyncIterable<Uint8Array>;
const scryptOf = promisify<string, Uint8Array, number, object, Buffer>(scrypt);

async function wrapKey(passphrase: string, salt: Uint8Array, log2: number): Promise<Buffer> {
  const cost = 2 ** log2;
  const labelled = Buffer.concat([Buffer.from(SCRYPT_LABEL), salt]);
  return await scryptOf(passphrase, labelled, 32, {
    ...{ cost, blockSize: 8, parallelization: 1 },
    maxmem: 128 * 8 * cost + 16 * 1024 * 1024,
  });
}

const derive = (key: Uint8Array, salt: Uint8Array, info: string): Buffer =>
  Buffer.from(hkdfSync('sha256', key, salt, info, 32));
const plain64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes).toString('base64').replace(/=+$/, '');
const macOf = (fileKey: Uint8Array, header: string): Buffer =>
  createHmac('sha256', derive(fileKey, Buffer.alloc(0), 'header'))
    .update(header)
    .digest();

function seal(key: Uint8Array, nonce: Uint8Array, plain: Uint8Array): Buffer {
  const cipher = createCipheriv(ALGORITHM, key, nonce, TAG);
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** @returns undefined when it was not sealed with this key and nonce, or changed since. */
function unseal(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array): Buffer | undefined {
  if (sealed.length < TAG_BYTES) return undefined;
  const end = sealed.length - TAG_BYTES;
  const decipher = createDecipheriv(ALGORITHM, key, nonce, TAG);
  decipher.setAuthTag(sealed.subarray(end));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(0, end)), decipher.final()]);
  } catch {
    return undefined;
  }
}

/** Eleven bytes count the pieces, the last one says whether it is the last piece. */
function nonceOf(count: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUIntBE(count, 5, 6);
  nonce[11] = isLast ? 1 : 0;
  return nonce;
}

/** Pieces of `size` bytes; the last one, which may be shorter and is empty only if all is, is marked. */
async function* pieces(source: Bytes, size: number) {
  let held: Buffer[] = [];
  let length = 0;
  for await (const part of source) {
    held.push(Buffer.from(part.buffer, part.byteOffset, part.byteLength));
    length += part.length;
    if (length <= size) continue;
    const all = Buffer.concat(held);
    let at = 0;
    // One that is full stays: whether it is the last one is not known yet.
    for (; all.length - at > size; at += size) {
      yield { bytes: all.subarray(at, at + size), isLast: false };
    }
    held = [all.subarray(at)];
    length = all.length - at;
  }
  yield { bytes: Buffer.concat(held), isLast: true };
}

/** @param workLog2 less in tests only. */
export async function* encryptAge(
  source: Bytes,
  passphrase: string,
  workLog2 = WORK_LOG2,
): AsyncGenerator<Buffer> {
  const fileKey = randomBytes(16);
  const salt = randomBytes(16);
  const wrapped = seal(await wrapKey(passphrase, salt, workLog2), Buffer.alloc(12), fileKey);
  const stanza = `-> scrypt ${plain64(salt)} ${workLog2}\n${plain64(wrapped)}\n`;
  const header = `${VERSION}\n${stanza}---`;
  const nonce = randomBytes(NONCE_BYTES);
  yield Buffer.concat([Buffer.from(`${header} ${plain64(macOf(fileKey, header))}\n`), nonce]);
  const key = derive(fileKey, nonce, 'payload');
  let count = 0;
  for await (const { bytes, isLast } of pieces(source, CHUNK_BYTES)) {
    yield seal(key, nonceOf(count, isLast), bytes);
    count += 1;
  }
}

const HEADER =
  /^(age-encryption\.org\/v1\n-> scrypt ([A-Za-z0-9+/]{22}) ([1-9]\d?)\n([A-Za-z0-9+/]{43})\n---) ([A-Za-z0-9+/]{43})\n/;

async function openHeader(text: string, passphrase: string): Promise<Buffer> {
  const [, header = '', salt = '', log2 = '', body = '', mac = ''] = HEADER.exec(text) ?? [];
  if (header === '') throw new AgeError('is no file that was encrypted with a passphrase by age');
  if (Number(log2) > WORK_LOG2_MAX) throw new AgeError('asks for more memory than it should');
  const key = await wrapKey(passphrase, Buffer.from(salt, 'base64'), Number(log2));
  const fileKey = unseal(key, Buffer.alloc(12), Buffer.from(body, 'base64'));
  if (fileKey === undefined) throw new AgeError('is not opened by this passphrase');
  const isWhole = timingSafeEqual(macOf(fileKey, header), Buffer.from(mac, 'base64'));
  if (!isWhole) throw new AgeError('was changed: its beginning is not what was written');
  return fileKey;
}

/** What stands in front of the pieces, and everything after it. */
async function splitHeader(source: Bytes): Promise<{ text: string; nonce: Buffer; rest: Bytes }> {
  const parts = source[Symbol.asyncIterator]();
  let held = Buffer.alloc(0);
  let end = -1;
  while (end < 0 || held.length < end + NONCE_BYTES) {
    const part = await parts.next();
    if (part.done === true)
      throw new AgeError('ends within its beginning: it was cut off, or is none');
    held = Buffer.concat([held, part.value]);
    const mark = held.indexOf('\n---');
    end = mark < 0 ? -1 : held.indexOf('\n', mark + 4) + 1 || -1;
    if (end < 0 && held.length > HEADER_BYTES_MAX) throw new AgeError('is no file of age');
  }
  async function* rest() {
    yield held.subarray(end + NONCE_BYTES);
    for (let part = await parts.next(); part.done !== true; part = await parts.next()) {
      yield part.value;
    }
  }
  const nonce = held.subarray(end, end + NONCE_BYTES);
  return { text: held.toString('latin1', 0, end), nonce, rest: rest() };
}

/** Every piece is proven before it is handed out. @throws AgeError with the end of a sentence about the file. */
export async function* decryptAge(source: Bytes, passphrase: string): AsyncGenerator<Buffer> {
  const { text, nonce, rest } = await splitHeader(source);
  const key = derive(await openHeader(text, passphrase), nonce, 'payload');
  let count = 0;
  for await (const { bytes, isLast } of pieces(rest, SEALED_BYTES)) {
    const plain = unseal(key, nonceOf(count, isLast), bytes);
    if (plain === undefined) {
      const isCut = isLast && unseal(key, nonceOf(count, false), bytes) !== undefined;
      throw new AgeError(isCut ? 'was cut off' : 'is damaged: a part of it was changed or cut off');
    }
    if (plain.length > 0) yield plain;
    count += 1;
  }
}
