// Whether a text may leave the centre: read by the reader that the till has, its patterns by the engine that runs them
// there, and packed as it travels. What a till would refuse is refused here, before somebody has typed a number. A
// text of the largest size takes seconds to read, and acknowledgements must not wait for that: what is longer than a
// few thousand bytes is read in a thread of its own, one text at a time.

import { createHash } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { deflateRawSync } from 'node:zlib';
import { CONFIGURATION_BYTES_MAX, CONFIGURATION_PACKED_CHARS_MAX } from '../../protocol/limits.ts';
import { workerUrl } from '../worker.ts';
import { problemsIn } from './problems.ts';

/** Read at once: a thread would cost more. */
const AT_ONCE_BYTES_MAX = 4 * 1024;
const HEAP_MB_MAX = 256;
/** Nobody waits longer for an answer; the thread ends. */
const READ_MS_MAX = 30_000;
const WAITING_MAX = 8;

export type ReadText =
  | {
      readonly ok: true;
      readonly sha256: string;
      readonly bytes: number;
      readonly packed: string;
    }
  | { readonly ok: false; readonly problems: readonly string[] };

const refused = (...problems: readonly string[]): ReadText => ({ ok: false, problems });

export const sha256Of = (text: string): string => createHash('sha256').update(text).digest('hex');
export const packOf = (text: string): string =>
  deflateRawSync(Buffer.from(text), { level: 9 }).toString('base64');

async function readApart(text: string): Promise<readonly string[]> {
  const worker = new Worker(workerUrl('configurations/worker-main.ts'), {
    ...{ name: 'configuration', workerData: text },
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX },
  });
  const ended = (why: string): string[] => [`the document could not be read: ${why}`];
  try {
    return await new Promise((resolve) => {
      const late = AbortSignal.timeout(READ_MS_MAX);
      late.addEventListener('abort', () => resolve(ended('it takes too long')), { once: true });
      worker.once('message', resolve);
      worker.once('error', (error) => resolve(ended(String(error).slice(0, 200))));
      worker.once('exit', () => resolve(ended('its reader ended')));
    });
  } finally {
    void worker.terminate();
  }
}

let waiting = 0;
let last: Promise<unknown> = Promise.resolve();

/** One after the other: many at once would take the cores from what acknowledges. */
async function readInTurn(text: string): Promise<readonly string[]> {
  if (waiting >= WAITING_MAX) return [`${waiting} others are being read: try again in a minute`];
  waiting += 1;
  const mine = last.then(() => readApart(text));
  last = mine.catch(() => undefined);
  try {
    return await mine;
  } finally {
    waiting -= 1;
  }
}

export async function readText(text: string): Promise<ReadText> {
  const bytes = Buffer.byteLength(text);
  if (bytes > CONFIGURATION_BYTES_MAX) {
    return refused(`the document has ${bytes} bytes, at most ${CONFIGURATION_BYTES_MAX} are read`);
  }
  const packed = packOf(text);
  if (packed.length > CONFIGURATION_PACKED_CHARS_MAX) {
    const most = `at most ${CONFIGURATION_PACKED_CHARS_MAX} characters travel in one command`;
    return refused(`the document is too large: packed it has ${packed.length} characters, ${most}`);
  }
  const problems = await (bytes > AT_ONCE_BYTES_MAX ? readInTurn(text) : problemsIn(text));
  if (problems.length > 0) return refused(...problems);
  return { ok: true, sha256: sha256Of(text), bytes, packed };
}
