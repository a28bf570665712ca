// The number of the data folder, above the versions that each database has of its own: a program refuses a folder whose
// number it does not know before it opens anything in it, and brings an older one up to its own, step by step, once
// the databases were copied beside themselves. A folder without a number is from before there were any, which is 1. Who
// is killed in the middle puts the copies back and begins anew, so that no step ever sees half of itself.

import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { PUBLIC_MODE, writeWhole } from '../files.ts';
import type { Log } from '../ports.ts';

/** Of this program. */
export const SCHEMA = 1;
const FILE = 'schema.json';
/** Copies of older data that are kept. */
export const COPIES_MAX = 2;
const COPY = /^backup-schema-(\d{1,6})$/;
/** What SQLite keeps of one database. */
const TAILS = ['', '-wal'] as const;
const FREE_BYTES_MIN = 64 * 1024 * 1024;

const number = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const schema = v.object({
  schema: number,
  /** There while it is being brought up: the copies are whole and what is in place may be half done. */
  migratingTo: v.optional(number),
});
type Written = v.InferOutput<typeof schema>;

/** From its place's number to the next one; on files that nobody has open. */
export type Migration = (dataDir: string) => void;
export type FolderOptions = {
  readonly log: Pick<Log, 'info' | 'warn'>;
  /** Others in tests only: the step at place n leads from schema n + 1 to n + 2. */
  readonly migrations?: readonly Migration[];
};
const MIGRATIONS: readonly Migration[] = [];

function read(dataDir: string): Result<Written> {
  const path = join(dataDir, FILE);
  if (!existsSync(path)) return ok({ schema: 1 });
  try {
    const written = v.safeParse(schema, JSON.parse(readFileSync(path, 'utf8')));
    if (written.success) return ok(written.output);
  } catch {
    // Told below.
  }
  return fail(`${path} is damaged: it should say which form the data has, as {"schema":1}`);
}

/** Of a folder that a broker uses. */
export function folderSchema(dataDir: string): number {
  const written = read(dataDir);
  return written.ok ? written.value.schema : SCHEMA;
}

const write = (dataDir: string, written: Written): void =>
  writeWhole(join(dataDir, FILE), `${JSON.stringify(written)}\n`, PUBLIC_MODE);

export const writeSchema = (dataDir: string, number: number): void =>
  write(dataDir, { schema: number });

/** Databases and their logs; not the locks, which are empty. */
const filesIn = (folder: string): readonly string[] =>
  readdirSync(folder).filter(
    (name) => TAILS.some((tail) => name.endsWith(`.db${tail}`)) && !/lock\.db/.test(name),
  );

function copyAll(from: string, to: string): void {
  for (const name of filesIn(from)) {
    // Costs nothing on a file system that shares what is the same.
    copyFileSync(join(from, name), join(to, name), constants.COPYFILE_FICLONE);
    sync(join(to, name));
  }
  sync(to);
}

/** Else a power cut could leave a copy that is shorter than what it is said to hold. */
function sync(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function lackOfRoom(dataDir: string): string | undefined {
  const bytes = filesIn(dataDir).reduce((sum, name) => sum + statSync(join(dataDir, name)).size, 0);
  const { bavail, bsize } = statfsSync(dataDir);
  const free = bavail * bsize;
  if (free >= bytes + FREE_BYTES_MIN) return undefined;
  const mb = (size: number): number => Math.ceil(size / 1024 ** 2);
  return (
    `the data in ${dataDir} is of an older program and is copied before it is changed: that needs ` +
    `${mb(bytes + FREE_BYTES_MIN)} MB, and ${mb(free)} MB are free there`
  );
}

/** Copies are whole or not there. */
function makeCopy(dataDir: string, number: number): void {
  const to = join(dataDir, `backup-schema-${number}`);
  const draft = `${to}.draft`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { mode: 0o700 });
  copyAll(dataDir, draft);
  rmSync(to, { recursive: true, force: true });
  renameSync(draft, to);
  const numbers = readdirSync(dataDir).flatMap((name) => {
    const found = COPY.exec(name)?.[1];
    return found === undefined ? [] : [Number(found)];
  });
  for (const old of numbers.sort((a, b) => b - a).slice(COPIES_MAX)) {
    rmSync(join(dataDir, `backup-schema-${old}`), { recursive: true, force: true });
  }
}

/** What a step that was killed left is put away, and begun anew. */
function putBack(dataDir: string, number: number): Result<void> {
  const copy = join(dataDir, `backup-schema-${number}`);
  if (!existsSync(copy)) return fail(`${copy} is missing, and the data beside it is half changed`);
  for (const name of filesIn(dataDir)) rmSync(join(dataDir, name));
  copyAll(copy, dataDir);
  return ok(undefined);
}

/** Copies are whole and what lies in place is what they are of. */
function prepare(
  dataDir: string,
  { schema: before, migratingTo }: Written,
  known: number,
  log: FolderOptions['log'],
): Result<void> {
  if (migratingTo !== undefined) {
    log.warn('data that was half changed is put back', { schema: before });
    return putBack(dataDir, before);
  }
  const lack = lackOfRoom(dataDir);
  if (lack !== undefined) return fail(lack);
  makeCopy(dataDir, before);
  write(dataDir, { schema: before, migratingTo: known });
  return ok(undefined);
}

const tooNew = (dataDir: string, number: number, known: number): string =>
  `the data in ${dataDir} has schema ${number} and this program knows ${known} at most: it was used by a ` +
  'newer broker. Start that one, or restore a backup from before it';

/**
 * Before anything in the folder is opened, by whoever holds its lock.
 * @returns a sentence when it must not be used.
 */
export function openDataFolder(dataDir: string, options: FolderOptions): Result<void> {
  const { log, migrations = MIGRATIONS } = options;
  const known = migrations.length + 1;
  const found = read(dataDir);
  if (!found.ok) return found;
  const { schema: before, migratingTo } = found.value;
  if (Math.max(before, migratingTo ?? 0) > known) {
    return fail(tooNew(dataDir, Math.max(before, migratingTo ?? 0), known));
  }
  if (filesIn(dataDir).length === 0 && migratingTo === undefined) {
    write(dataDir, { schema: known });
    return ok(undefined);
  }
  if (before === known && existsSync(join(dataDir, FILE))) return ok(undefined);
  if (before < known) {
    const ready = prepare(dataDir, found.value, known, log);
    if (!ready.ok) return ready;
    log.info('the data is brought up to this program', { from: before, to: known });
    for (const step of migrations.slice(before - 1)) step(dataDir);
  }
  write(dataDir, { schema: known });
  return ok(undefined);
}
