// `tillwatch broker restore`: from a backup to folders that a broker starts on. They must be empty, so nothing is ever
// overwritten; a mark lies in the data folder until everything is there, and no broker starts on a folder with it. Who
// is killed in the middle repeats it whole; what fails takes away what it made.

import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { BrokerConfig } from '../config.ts';
import { lockFolder, PUBLIC_MODE, SECRET_MODE, writeWhole } from '../files.ts';
import { DATABASES, KEY_FILE, type Manifest, PLAIN_FILES } from './contents.ts';
import { SCHEMA, writeSchema } from './data-schema.ts';
import { giveToOwner } from './owner.ts';
import { restoredConfig } from './restore-config.ts';
import { type Changes, changeTables } from './restore-tables.ts';
import { type Restored, UNFINISHED, writeRestored } from './restored.ts';
import type { Entry } from './tar.ts';
import { unpack } from './unpack.ts';

const FOLDER_MODE = 0o700;
const SMALL_BYTES_MAX = 2 * 1024 * 1024;

export type RestoreOptions = {
  readonly file: string;
  readonly passphrase: string;
  readonly dataDir: string;
  readonly keysDir: string;
  readonly configFile: string;
  readonly names: readonly string[];
  /** Terminals. */
  readonly revoked: readonly string[];
  /** Commands that stop a till go out again, too. */
  readonly resumeCommands?: boolean;
  readonly nowMs: () => number;
};
export type RestoreDone = {
  readonly manifest: Manifest;
  readonly restored: Restored;
  readonly changes: Changes;
  readonly config: BrokerConfig;
};

type Places = Pick<RestoreOptions, 'dataDir' | 'keysDir' | 'configFile'>;
type Body = AsyncIterable<Uint8Array>;

/** Nothing, or what a restore left that was killed. */
function isFree(folder: string, isMarked: boolean): boolean {
  if (!existsSync(folder)) return true;
  return isMarked || readdirSync(folder).every((name) => name === 'lost+found');
}

function checkFree({ dataDir, keysDir, configFile }: Places): Result<void> {
  const mark = join(dataDir, UNFINISHED);
  const unfinished = existsSync(mark) ? readFileSync(mark, 'utf8') : undefined;
  // Only what the mark names was made by the restore that did not come to its end.
  const isSame = unfinished === markText({ dataDir, keysDir, configFile });
  if (!isFree(dataDir, isSame)) {
    return fail(
      `${dataDir} is not empty: a backup is restored into empty folders only, so that nothing is overwritten`,
    );
  }
  if (!isFree(keysDir, isSame)) {
    return fail(`${keysDir} is not empty: the keys in it may be the only ones of a fleet`);
  }
  if (existsSync(configFile) && !isSame) {
    return fail(`${configFile} is there already: name another file, or move it away`);
  }
  return ok(undefined);
}

const markText = (places: Places): string =>
  `${JSON.stringify([places.dataDir, places.keysDir, places.configFile])}\n`;

/** What was in folders that were empty. */
function clear({ dataDir, keysDir, configFile }: Places): void {
  rmSync(configFile, { force: true });
  for (const folder of new Set([keysDir, dataDir])) {
    if (!existsSync(folder)) continue;
    // The mark goes last: until then it can be repeated.
    const names = readdirSync(folder).filter((name) => name !== 'lost+found');
    for (const name of names.filter((one) => one !== UNFINISHED)) {
      rmSync(join(folder, name), { recursive: true, force: true });
    }
  }
  rmSync(join(dataDir, UNFINISHED), { force: true });
}

async function readSmall({ name, bytes }: Entry, body: Body): Promise<Buffer> {
  if (bytes > SMALL_BYTES_MAX) throw new Error(`${name} in it is too large`);
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  return Buffer.concat(parts);
}

async function writeLarge(path: string, { bytes }: Entry, body: Body): Promise<void> {
  const { bavail, bsize } = statfsSync(dirname(path));
  if (bavail * bsize < bytes) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
  const file = await open(path, 'w', SECRET_MODE);
  try {
    for await (const part of body) await file.writeFile(part);
    await file.sync();
  } finally {
    await file.close();
  }
}

const partOf = (dataDir: string, name: string): string => join(dataDir, `${name}.db.part`);
const databaseIn = (name: string): string | undefined =>
  DATABASES.find((one) => name === `data/${one}.db`);
const logIn = (name: string): string | undefined => /^data\/logs\/([\w-]+\.log)$/.exec(name)?.[1];

/** Large files go to the disk as they come, small ones are used at the end. */
function createTaker(dataDir: string) {
  const small = new Map<string, Buffer>();
  const logsDir = join(dataDir, 'logs');
  mkdirSync(logsDir, { recursive: true, mode: FOLDER_MODE });
  return {
    small,
    take: async (entry: Entry, body: Body, manifest: Manifest): Promise<void> => {
      if (manifest.schema > SCHEMA) throw new TooNew(manifest.version);
      const database = databaseIn(entry.name);
      const log = logIn(entry.name);
      if (database !== undefined) await writeLarge(partOf(dataDir, database), entry, body);
      else if (log !== undefined) await writeLarge(join(logsDir, log), entry, body);
      else small.set(entry.name, await readSmall(entry, body));
    },
  };
}

class TooNew extends Error {
  constructor(version: string) {
    super(`was written by Tillwatch ${version}, whose data this older program does not know`);
  }
}

function writeKeys(keysDir: string, small: ReadonlyMap<string, Buffer>): void {
  const keys = [...small].flatMap(([path, body]) => {
    const name = path.startsWith('keys/') ? path.slice('keys/'.length) : '';
    return KEY_FILE.test(name) || name === 'trust.json' ? [{ name, body }] : [];
  });
  // trust.json names them, and comes last.
  keys.sort((a, b) => Number(a.name === 'trust.json') - Number(b.name === 'trust.json'));
  for (const { name, body } of keys) {
    const mode = name.endsWith('.pem') ? PUBLIC_MODE : SECRET_MODE;
    writeWhole(join(keysDir, name), body.toString('utf8'), mode);
  }
}

function writePlain(dataDir: string, small: ReadonlyMap<string, Buffer>): void {
  for (const name of PLAIN_FILES) {
    const body = small.get(`data/${name}`);
    const mode = name.endsWith('.pub') ? PUBLIC_MODE : SECRET_MODE;
    if (body !== undefined) writeWhole(join(dataDir, name), body.toString('utf8'), mode);
  }
}

function putInPlace(dataDir: string): void {
  for (const name of DATABASES.toReversed()) {
    const part = partOf(dataDir, name);
    if (existsSync(part)) renameSync(part, join(dataDir, `${name}.db`));
  }
  const folder = openSync(dataDir, 'r');
  fsyncSync(folder);
  closeSync(folder);
}

function giveAll(folders: readonly string[]): void {
  for (const folder of folders) {
    const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    giveToOwner(
      folder,
      names.map((name) => join(folder, name)),
    );
  }
}

async function fill(options: RestoreOptions): Promise<Result<RestoreDone>> {
  const { dataDir, keysDir, configFile, file, nowMs } = options;
  const { small, take } = createTaker(dataDir);
  const read = await unpack(file, options.passphrase, take);
  if (!read.ok) return read;
  const { manifest } = read.value;
  const text = small.get('config/broker.yaml')?.toString('utf8') ?? '';
  const config = restoredConfig(text, options);
  if (!config.ok) return config;
  const restoredMs = nowMs();
  const { atMs: backupMs, host, version, newestAudit, without } = manifest;
  const changes = changeTables({
    ...{ pathOf: (name) => partOf(dataDir, name), logsDir: join(dataDir, 'logs') },
    ...{ revoked: options.revoked, resumeCommands: options.resumeCommands === true },
    ...{ nowMs: restoredMs, backupMs },
  });
  writeKeys(keysDir, small);
  writePlain(dataDir, small);
  putInPlace(dataDir);
  writeSchema(dataDir, manifest.schema);
  const { revoked, bulksPaused, tokensEnded, commandsEnded } = changes;
  const restored: Restored = {
    ...{ backupMs, restoredMs, from: `${host}, Tillwatch ${version}`, newestAudit, without },
    ...{ revoked: [...revoked], bulksPaused, tokensEnded, commandsEnded: [...commandsEnded] },
  };
  writeRestored(dataDir, restored);
  mkdirSync(dirname(configFile), { recursive: true });
  writeWhole(configFile, config.value.text, PUBLIC_MODE);
  giveAll([...new Set([dataDir, keysDir])]);
  return ok({ manifest, restored, changes, config: config.value.config });
}

function sentenceOf(cause: unknown, { file, dataDir }: RestoreOptions): string {
  const { code, path, message } = cause as NodeJS.ErrnoException;
  if (cause instanceof TooNew) return `${file} ${message}`;
  const isFull = code === 'ENOSPC' || (cause as { errcode?: number }).errcode === 13;
  if (isFull) return `the disk of ${dataDir} is full: nothing was restored`;
  return code === undefined || path === undefined ? message : `${path} cannot be used (${code})`;
}

function openFolders(places: Places): Result<() => void> {
  const free = checkFree(places);
  if (!free.ok) return free;
  for (const folder of [places.dataDir, places.keysDir]) {
    mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
  }
  const lock = lockFolder(places.dataDir);
  if (!lock.ok) return lock;
  writeWhole(join(places.dataDir, UNFINISHED), markText(places), SECRET_MODE);
  return lock;
}

/** @returns what was restored, or a sentence; then the folders are as empty as they were. */
export async function restoreBroker(given: RestoreOptions): Promise<Result<RestoreDone>> {
  const dataDir = resolve(given.dataDir);
  const keysDir = resolve(given.keysDir);
  const options = { ...given, dataDir, keysDir, configFile: resolve(given.configFile) };
  try {
    const lock = openFolders(options);
    if (!lock.ok) return lock;
    let done: Result<RestoreDone>;
    try {
      done = await fill(options);
    } catch (cause) {
      done = fail(sentenceOf(cause, options));
    }
    lock.value();
    if (done.ok) rmSync(join(dataDir, UNFINISHED));
    else clear(options);
    return done;
  } catch (cause) {
    return fail(sentenceOf(cause, options));
  }
}
