// What became of backups, in a small file beside the data: whoever makes one writes it, the broker reads it, tells it to
// the audit log and shows its age. A file, because a backup made by hand is a process of its own, and works also while
// no broker runs; what is in it then is told at the next start.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { SECRET_MODE, writeWhole } from '../files.ts';
import { giveToOwner } from './owner.ts';

const FILE = 'backup.json';
/** How much of it the audit log has. */
const TOLD = 'backup-told.json';
const REASON_CHARS_MAX = 400;

const time = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const good = v.object({
  /** To this moment it holds everything. */
  atMs: time,
  endedMs: time,
  file: v.string(),
  bytes: time,
  by: v.string(),
  without: v.array(v.string()),
  /** It was read again from its first byte to its last. */
  verified: v.boolean(),
});
const schema = v.object({
  /** Made and failed since the folder began; what is new since somebody looked last. */
  made: time,
  failed: time,
  good: v.optional(good),
  bad: v.optional(
    v.object({ endedMs: time, file: v.string(), by: v.string(), reason: v.string() }),
  ),
});
export type GoodBackup = v.InferOutput<typeof good>;
export type BadBackup = { endedMs: number; file: string; by: string; reason: string };
export type LastBackups = v.InferOutput<typeof schema>;

const NONE: LastBackups = { made: 0, failed: 0 };

/** What cannot be read counts as nothing: backups go on. */
export function readLast(dataDir: string, file = FILE): LastBackups {
  try {
    const read = v.safeParse(schema, JSON.parse(readFileSync(join(dataDir, file), 'utf8')));
    return read.success ? read.output : NONE;
  } catch {
    return NONE;
  }
}

function write(dataDir: string, last: LastBackups, file = FILE): void {
  try {
    const path = join(dataDir, file);
    writeWhole(path, `${JSON.stringify(last)}\n`, SECRET_MODE);
    giveToOwner(dataDir, [path]);
  } catch {
    // A full disk: the backup itself is what counts, and whoever made it is told.
  }
}

export const readTold = (dataDir: string): LastBackups => readLast(dataDir, TOLD);
export const noteTold = (dataDir: string, { made, failed }: LastBackups): void =>
  write(dataDir, { made, failed }, TOLD);

export function noteGood(dataDir: string, backup: GoodBackup): void {
  const last = readLast(dataDir);
  write(dataDir, { ...last, made: last.made + 1, good: backup });
}

export function noteBad(dataDir: string, backup: BadBackup): void {
  const last = readLast(dataDir);
  const reason = backup.reason.slice(0, REASON_CHARS_MAX);
  write(dataDir, { ...last, failed: last.failed + 1, bad: { ...backup, reason } });
}
