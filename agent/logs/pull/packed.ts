// An answer that lies in a file already, such as a diagnosis: cut into chunks as it is, with the digest running along. The
// file is redacted before it is written; here nothing is looked into. An agent that was killed begins again at its
// first byte, and goes on behind what the broker says it has.

import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LOG_CHUNK_BYTES_MAX } from '../../../protocol/limits.ts';
import { epochOfRequest } from '../../../protocol/logs.ts';
import { fail, ok, type Result } from '../../../protocol/result.ts';
import { stamp } from '../../../redact/index.ts';
import type { Supply } from './delivery.ts';
import type { FileEntry } from './entry.ts';
import { type PackedChunk, packChunk, QUICK } from './pack.ts';
import type { Ended } from './pull.ts';

/** It is packed already, and the envelope needs some. */
const PIECE_BYTES = LOG_CHUNK_BYTES_MAX - 1024;
/** Never a link that somebody put there, and never one that waits for a writer [open(2)]. */
const READ_PLAIN = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export type PackedOptions = {
  readonly time: { readonly nowMs: () => number; readonly offsetMs: () => number };
  readonly changed: () => void;
};

export class PackedFile implements Supply {
  readonly request: string;
  readonly entry: FileEntry;
  readonly #o: PackedOptions;
  readonly #hash = createHash('sha256');
  #file: number | undefined;
  #at = 0;
  #reached = 0;
  #isAllSent = false;
  #ended: Ended | undefined;

  constructor(entry: FileEntry, options: PackedOptions) {
    this.request = entry.request;
    this.entry = entry;
    this.#o = options;
  }

  ended(): Ended | undefined {
    return this.#ended;
  }

  next(): PackedChunk | undefined {
    if (this.#isAllSent || this.#ended !== undefined) return undefined;
    try {
      return this.#next();
    } catch (error) {
      this.fail(`what was packed cannot be read: ${(error as Error).message}`);
      return undefined;
    }
  }

  word(): undefined {
    return undefined;
  }

  reached(lastSeq: number): void {
    this.#reached = Math.max(this.#reached, lastSeq);
  }

  delivered(): void {
    const sha256 = this.#hash.copy().digest('hex');
    const detail = { bytes: this.#at, records: 0, lines: 0, redactions: 0, truncated: false };
    this.#finish({ ok: true, detail: { ...detail, sha256 } });
  }

  refused(reason: string): void {
    this.fail(`the broker refused it: ${reason}`);
  }

  cancel(): void {
    this.fail('it was cancelled');
  }

  fail(reason: string): void {
    this.#finish({ ok: false, reason });
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #next(): PackedChunk | undefined {
    this.#file ??= openSync(this.entry.file, READ_PLAIN);
    const { size } = fstatSync(this.#file);
    for (;;) {
      const body = Buffer.alloc(Math.min(PIECE_BYTES, size - this.#at));
      const count = body.length === 0 ? 0 : readSync(this.#file, body, 0, body.length, this.#at);
      if (count < body.length) throw new Error('the file is shorter than it was');
      const offset = this.#at;
      this.#hash.update(body);
      this.#at += count;
      const last = this.#at >= size;
      if (!last && this.#at <= this.#reached) continue;
      this.#isAllSent = last;
      return this.#pack(body, offset, last);
    }
  }

  #pack(body: Buffer, offset: number, last: boolean): PackedChunk | undefined {
    const { request } = this.entry;
    const sha256 = last ? this.#hash.copy().digest() : Buffer.alloc(0);
    const { time } = this.#o;
    return packChunk(
      {
        ...{ request, component: '', offset, body, last, sha256, redactor: stamp() },
        ...{ lines: 0, redactions: 0, truncated: false, fromMs: 0 },
      },
      epochOfRequest(request),
      { createdMs: time.nowMs(), clockOffsetMs: time.offsetMs() },
      QUICK,
    );
  }

  #finish(ended: Ended): void {
    this.#ended ??= ended;
    this.close();
    this.#o.changed();
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
