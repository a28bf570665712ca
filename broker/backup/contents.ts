// What is in a backup and what a broker's folders hold besides, by name: whoever adds a file to the data folder finds
// here where it belongs (a test looks at the folder of a broker that runs). The manifest comes first in the archive, so
// that a person sees at once what it is; the list of what is complete comes last, because only then it is known.

import { userInfo } from 'node:os';
import * as v from 'valibot';
import { fail, ok, type Result } from '../../protocol/result.ts';

/** Of the archive; a newer one is refused. */
export const FORMAT = 1;
/** In the order in which they are looked at: a ledger that is looked at last is newer than what follows it. */
export const DATABASES = ['registry', 'sinks', 'loki', 'history', 'ledger'] as const;
export type DatabaseName = (typeof DATABASES)[number];
/** Secrets of a broker in plain text, and what goes with them. */
export const PLAIN_FILES = [
  ...['api-token', 'command-key.pem', 'command-key.pub', 'audit-key.pem'],
  'audit-key.pub',
] as const;
/** What lies in a data folder and belongs to one run or one machine. */
export const NOT_WANTED = /^(broker\.json|broker\d*\.log|.*-(wal|shm|journal)|lock\.db|backup.*)$/;
/** Beside trust.json. `server.pem` is made anew by itself, and is for the names of before. */
export const KEY_FILE = /^((authority|command)-[1-9]\d{0,5}\.(pem|key)|audit\.key)$/;

export const MANIFEST = 'manifest.json';
export const COMPLETE = 'complete.json';

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const manifestSchema = v.object({
  format: v.number(),
  /** Of the program that wrote it. */
  version: v.string(),
  /** Of the data folder. */
  schema: count,
  /** To this moment it holds everything. */
  atMs: count,
  host: v.string(),
  by: v.string(),
  plainText: v.boolean(),
  names: v.array(v.string()),
  /** Of the ledger, in hex. */
  generation: v.string(),
  newestBatch: count,
  newestAudit: count,
  terminals: count,
  enrolled: count,
  without: v.array(v.picklist(['history', 'logs'])),
});
export type Manifest = v.InferOutput<typeof manifestSchema>;

const completeSchema = v.object({
  files: v.array(v.object({ name: v.string(), bytes: count })),
  /** Answers to requests for logs that were deleted meanwhile. */
  logsGone: count,
});
export type Complete = v.InferOutput<typeof completeSchema>;

function parse<T>(schema: v.GenericSchema<unknown, T>, text: string): Result<T> {
  try {
    const read = v.safeParse(schema, JSON.parse(text));
    if (read.success) return ok(read.output);
  } catch {
    // Told below.
  }
  return fail('is no backup of a broker');
}

export const parseComplete = (text: string): Result<Complete> => parse(completeSchema, text);

export function parseManifest(text: string): Result<Manifest> {
  const read = parse(manifestSchema, text);
  if (!read.ok || read.value.format === FORMAT) return read;
  return fail(
    `was written by Tillwatch ${read.value.version} in a form that this program does not know: restore it with that one`,
  );
}

/** Who asks for a backup on the machine itself. */
export function whoAsks(): string {
  try {
    return userInfo().username;
  } catch {
    // A user without a name, as containers have.
    return 'somebody';
  }
}
