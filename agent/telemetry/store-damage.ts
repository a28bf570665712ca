// What happens to an outbox file that cannot be trusted: it is set aside beside the new one, never
// deleted at once, because a person may still want to read it; the newest few are kept. The old epoch
// is read from it if it still can be, so that the gap record names what was lost.

import {
  accessSync,
  constants,
  existsSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Stream } from '../../protocol/wire.ts';

/** Damaged files kept beside the outbox, newest first. */
export const DAMAGED_KEPT_MAX = 3;

export type Damage = {
  readonly reason: string;
  /** Of the damaged file, in hex; empty when it could not be read. */
  readonly epoch: string;
  /** Highest sealed seq by stream, as far as it could be read. */
  readonly sealed: Partial<Record<Stream, number>>;
};

const SIDES = ['', '-wal', '-shm', '-journal'] as const;

const stem = (path: string): string => basename(path).replace(/\.db$/, '');

/** Files and folders alike: whatever stands in the way is moved. */
export const inTheWay = (path: string): boolean => SIDES.some((side) => existsSync(path + side));

/** Of the file system that it is on [access(2): EROFS]. */
export function isReadOnly(path: string): boolean {
  try {
    accessSync(dirname(path), constants.W_OK);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EROFS';
  }
}

/**
 * A file of no bytes is a valid empty database to SQLite, which then also deletes its log; and a log
 * without its file is deleted just as silently. Both mean that something was lost.
 */
export function looksEmptied(path: string): boolean {
  if (!existsSync(path)) return existsSync(`${path}-wal`);
  const stat = statSync(path);
  return stat.isFile() && stat.size === 0;
}

/** Never throws: what cannot be read is simply not known. */
export function examine(path: string, reason: string): Damage {
  const sealed: Partial<Record<Stream, number>> = {};
  let epoch = '';
  try {
    const db = new DatabaseSync(path, { readOnly: true, timeout: 0 });
    try {
      const row = db.prepare("select value from meta where key = 'epoch'").get();
      if (row?.['value'] instanceof Uint8Array) epoch = Buffer.from(row['value']).toString('hex');
      for (const lane of db.prepare('select stream, seq from lane').all()) {
        sealed[String(lane['stream']) as Stream] = Number(lane['seq']);
      }
    } finally {
      db.close();
    }
  } catch {
    // That is why it is set aside.
  }
  return { reason, epoch, sealed };
}

/** Moves the outbox away. Throws what the file system throws (the caller then works in memory). */
export function setAside(path: string, wallMs: number): string {
  const folder = dirname(path);
  const prefix = `${stem(path)}.damaged-`;
  let stamp = Math.trunc(wallMs);
  while (existsSync(join(folder, `${prefix}${stamp}.db`))) stamp += 1;
  const aside = join(folder, `${prefix}${stamp}.db`);
  for (const side of SIDES) {
    if (existsSync(path + side)) renameSync(path + side, aside + side);
  }
  const stamps = new Set(
    readdirSync(folder)
      .filter((name) => name.startsWith(prefix))
      .map((name) => Number.parseInt(name.slice(prefix.length), 10))
      .filter(Number.isFinite),
  );
  const old = [...stamps].sort((a, b) => b - a).slice(DAMAGED_KEPT_MAX);
  for (const entry of old) {
    for (const side of SIDES) {
      rmSync(join(folder, `${prefix}${entry}.db${side}`), { force: true, recursive: true });
    }
  }
  return aside;
}
