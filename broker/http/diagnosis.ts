// A received diagnosis as a JSON document: it is kept packed as the terminal sent it, and unpacked while it is
// read, up to a bound, because what a terminal packs may become anything. The broker does not interpret it.

import type { Readable } from 'node:stream';
import { gunzip } from 'node:zlib';
import { DIAGNOSIS_BYTES_MAX } from '../../protocol/limits.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';

/** Unpacked: JSON packs to about a tenth. */
export const DIAGNOSIS_JSON_BYTES_MAX = 8 * DIAGNOSIS_BYTES_MAX;
const NO_DOCUMENT = 'what the terminal sent is no packed document, or is too large unpacked';

export async function readDiagnosis(packed: Readable): Promise<Result<Buffer>> {
  const parts: Buffer[] = [];
  for await (const part of packed) parts.push(part as Buffer);
  const maxOutputLength = DIAGNOSIS_JSON_BYTES_MAX;
  return await new Promise((resolve) => {
    // Not the synchronous one: terminals are answered in between.
    gunzip(Buffer.concat(parts), { maxOutputLength }, (error, bytes) => {
      resolve(error === null ? ok(bytes) : fail(NO_DOCUMENT));
    });
  });
}
