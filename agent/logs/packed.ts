// An answer that lies in a file already, such as a diagnosis: the same as an answer that is made from the journal
// (answer.ts) to whoever sends it, byte by byte and with the digest running along. The file is redacted before
// it is written; here nothing is looked into.

import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { NO_COUNTS, stamp } from '../../redact/index.ts';
import type { Answering, Piece, Totals } from './answer.ts';
import { READ_PLAIN } from './holes.ts';

class PackedAnswer implements Answering {
  readonly #file: number;
  readonly #size: number;
  readonly #hash = createHash('sha256');
  #at = 0;

  constructor(file: number) {
    this.#file = file;
    this.#size = fstatSync(file).size;
  }

  offset(): number {
    return this.#at;
  }

  redactor(): string {
    return stamp();
  }

  peek(bytesMax: number): Piece {
    const body = Buffer.alloc(Math.min(bytesMax, this.#size - this.#at));
    const count = body.length === 0 ? 0 : readSync(this.#file, body, 0, body.length, this.#at);
    if (count < body.length) throw new Error('the file is shorter than it was');
    return { body, last: this.#at + count >= this.#size };
  }

  take({ body }: Piece): void {
    this.#hash.update(body);
    this.#at += body.length;
  }

  with(body: Buffer): { sha256: Buffer; lines: number } {
    return { sha256: this.#hash.copy().update(body).digest(), lines: 0 };
  }

  sha256(): Buffer {
    return this.#hash.copy().digest();
  }

  totals(): Totals {
    return { bytes: this.#at, lines: 0, redactions: 0, truncated: false };
  }

  counts(): typeof NO_COUNTS {
    return NO_COUNTS;
  }

  close(): void {
    closeSync(this.#file);
  }
}

export function openPacked(path: string): Result<Answering> {
  try {
    return ok(new PackedAnswer(openSync(path, READ_PLAIN)));
  } catch (error) {
    return fail(`what was packed cannot be read: ${(error as Error).message}`);
  }
}

/** One at a time: what an earlier one has left goes. @param isOpen still being sent. */
export async function savePacked(
  folder: string,
  name: string,
  bytes: Uint8Array,
  isOpen: (path: string) => boolean,
): Promise<Result<string>> {
  const path = join(folder, name);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const old of await readdir(folder)) {
      if (!isOpen(join(folder, old))) await rm(join(folder, old), { force: true });
    }
    await writeFile(path, bytes, { mode: 0o600 });
    return ok(path);
  } catch (error) {
    return fail(`it could not be written: ${(error as Error).message}`);
  }
}
