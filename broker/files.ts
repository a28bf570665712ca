// Small files in the broker's data folder: written whole or not at all, secrets readable by their
// owner only, and one broker per folder. The lock is a SQLite lock on an empty file, because the
// kernel releases it at any death, also kill -9, which a pid file does not survive correctly.

import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fail, ok, type Result } from '../protocol/result.ts';

export const SECRET_MODE = 0o600;
export const PUBLIC_MODE = 0o644;

/** After a crash the file holds either the old text or the new one, and no other process reads less. */
export function writeWhole(path: string, text: string, mode: number): void {
  const draft = `${path}.${process.pid}.draft`;
  rmSync(draft, { force: true });
  // `wx`: never write a secret into a file that somebody else put there with their own rights.
  const file = openSync(draft, 'wx', mode);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(draft, path);
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/**
 * @param busy what to say when another process holds it.
 * @returns a function that releases it.
 */
export function lockFile(path: string, busy: string): Result<() => void> {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { timeout: 0 });
    db.exec('PRAGMA journal_mode = DELETE; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (cause) {
    const isBusy = (cause as { errcode?: number }).errcode === 5; // SQLITE_BUSY
    if (db?.isOpen) db.close();
    return fail(isBusy ? busy : `${path} cannot be used: ${(cause as Error).message}`);
  }
  const held = db;
  return ok(() => held.close());
}

export const lockFolder = (dataDir: string): Result<() => void> =>
  lockFile(join(dataDir, 'lock.db'), `the folder ${dataDir} is in use by another broker`);
