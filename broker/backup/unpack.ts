// Reads a backup from its first byte to its last, piece by piece, and hands out the files in it. What comes out of it was
// proven piece by piece; that it is whole is known at its end only, so nobody uses a file before this returns.

import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { createZstdDecompress } from 'node:zlib';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { AgeError, decryptAge } from './age.ts';
import {
  COMPLETE,
  type Complete,
  MANIFEST,
  type Manifest,
  parseComplete,
  parseManifest,
} from './contents.ts';
import { type Entry, readTar } from './tar.ts';

const SMALL_BYTES_MAX = 64 * 1024 * 1024;

export type Unpacked = { readonly manifest: Manifest; readonly complete: Complete };
/** Is asked to take each file but manifest and list. */
export type Taker = (
  entry: Entry,
  body: AsyncIterable<Uint8Array>,
  manifest: Manifest,
) => Promise<void>;

/** What is wrong with the file itself: it ends a sentence that begins with its name. */
class WrongBackup extends Error {}

async function textOf({ bytes }: Entry, body: AsyncIterable<Uint8Array>): Promise<string> {
  if (bytes > SMALL_BYTES_MAX) throw new WrongBackup('is no backup of a broker');
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}

function must<T>(read: Result<T>): T {
  if (!read.ok) throw new WrongBackup(read.reason);
  return read.value;
}

function isAsListed(files: readonly Entry[], { files: listed }: Complete): boolean {
  const seen = new Map(files.map(({ name, bytes }) => [name, bytes]));
  const rest = listed.filter(({ name, bytes }) => name !== MANIFEST && seen.get(name) !== bytes);
  return rest.length === 0 && files.length === listed.length - 1;
}

async function readAll(file: string, passphrase: string, take: Taker): Promise<Unpacked> {
  let manifest: Manifest | undefined;
  let complete: Complete | undefined;
  const files: Entry[] = [];
  const sealed = createReadStream(file, { highWaterMark: 1024 * 1024 });
  const plain = Readable.from(decryptAge(sealed, passphrase), { objectMode: false });
  const open = createZstdDecompress();
  plain.on('error', (error) => open.destroy(error));
  open.on('close', () => plain.destroy());
  await readTar(plain.pipe(open), async (entry, body) => {
    if (manifest === undefined) {
      if (entry.name !== MANIFEST) throw new WrongBackup('is no backup of a broker');
      manifest = must(parseManifest(await textOf(entry, body)));
    } else if (entry.name === COMPLETE) complete = must(parseComplete(await textOf(entry, body)));
    else {
      files.push(entry);
      await take(entry, body, manifest);
    }
  });
  if (manifest === undefined || complete === undefined || !isAsListed(files, complete)) {
    throw new WrongBackup('is not complete');
  }
  return { manifest, complete };
}

/** Node says of its own errors which call of the system failed; those of a damaged stream have no such. */
const isOfSystem = (cause: unknown): cause is NodeJS.ErrnoException =>
  cause instanceof Error && 'syscall' in cause;

/** @returns a sentence about the file where something is wrong with it; what `take` throws goes on. */
export async function unpack(
  file: string,
  passphrase: string,
  take: Taker = async () => {},
): Promise<Result<Unpacked>> {
  let foreign: unknown;
  const taking: Taker = async (entry, body, manifest) => {
    try {
      await take(entry, body, manifest);
    } catch (cause) {
      if (!(cause instanceof AgeError)) foreign = cause;
      throw cause;
    }
  };
  try {
    return ok(await readAll(file, passphrase, taking));
  } catch (cause) {
    if (cause instanceof AgeError || cause instanceof WrongBackup) {
      return fail(`${file} ${cause.message}`);
    }
    if (foreign !== undefined && foreign === cause) throw cause;
    if (isOfSystem(cause)) return fail(`${file} cannot be read (${cause.code})`);
    return fail(`${file} is no backup of a broker, or is damaged: ${(cause as Error).message}`);
  }
}
