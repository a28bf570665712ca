// `tillwatch broker backup`: one encrypted file with everything that a broker needs to be itself again, while it runs. It
// is written beside its name and renamed when it is on the disk, so that whatever happens (a full disk, a kill) the file
// of before is as it was. What is copied for it lies in the data folder, which holds the same in plain anyway.

import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { type FileHandle, open, rename, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { BrokerConfig } from '../config.ts';
import { lockFile, SECRET_MODE } from '../files.ts';
import { PASSPHRASE_CHARS_MIN } from '../trust/passphrase.ts';
import { encryptAge } from './age.ts';
import type { DatabaseName, Manifest } from './contents.ts';
import { folderSchema } from './data-schema.ts';
import { type GoodBackup, noteBad, noteGood } from './last.ts';
import { giveToOwner } from './owner.ts';
import { logsIn, manifestOf, type PackOptions, pack, readKeys, readPlainFiles } from './pack.ts';
import { lackOfRoom, type Snapshot, takeSnapshot } from './snapshot.ts';
import { unpack } from './unpack.ts';

const WORK = 'backup.work';
const LOCK = 'backup-lock.db';
/** The disk gets it in such pieces, so that whoever commits meanwhile does not wait for all of it at the end. */
const SYNC_BYTES = 8 * 1024 * 1024;

export type BackupOptions = {
  readonly config: Pick<BrokerConfig, 'dataDir' | 'keysDir' | 'plainText' | 'names'>;
  /** The configuration as it was read. */
  readonly configText: string;
  readonly file: string;
  readonly passphrase: string;
  readonly without: Manifest['without'];
  /** It is read again to its last byte. */
  readonly verify: boolean;
  readonly by: string;
  readonly nowMs: () => number;
};

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function writeAll(to: FileHandle, source: AsyncIterable<Buffer>): Promise<number> {
  let [bytes, unsynced] = [0, 0];
  for await (const part of source) {
    await to.writeFile(part);
    bytes += part.length;
    unsynced += part.length;
    if (unsynced < SYNC_BYTES) continue;
    await to.datasync();
    unsynced = 0;
  }
  await to.sync();
  return bytes;
}

/** Those of a process that was killed. */
function sweepDrafts(file: string): void {
  const start = `${basename(file)}.`;
  for (const name of readdirSync(dirname(file))) {
    const isDraft = name.startsWith(start) && /^\d+\.part$/.test(name.slice(start.length));
    if (isDraft) rmSync(join(dirname(file), name), { force: true });
  }
}

/** @param keep is asked once the draft is on disk, before it gets its name. */
async function writeFile(
  file: string,
  source: AsyncIterable<Buffer>,
  keep: (draft: string) => Promise<Result<unknown>>,
): Promise<Result<number>> {
  const draft = `${file}.${process.pid}.part`;
  sweepDrafts(file);
  const to = await open(draft, 'wx', SECRET_MODE);
  let named = false;
  try {
    const bytes = await writeAll(to, source);
    const kept = await keep(draft);
    if (!kept.ok) return kept;
    await rename(draft, file);
    named = true;
    await syncFolder(dirname(file));
    return ok(bytes);
  } finally {
    await to.close();
    if (!named) rmSync(draft, { force: true });
  }
}

/** The two that every acknowledgement writes are copied at once, the others when their turn comes. */
async function copiesOf(snapshot: Snapshot, work: string): Promise<PackOptions['copies']> {
  const make = (name: DatabaseName) => async (): Promise<string> => {
    const to = join(work, `${name}.db`);
    await snapshot.copy(name, to);
    return to;
  };
  const hot = [];
  for (const name of ['ledger', 'registry'] as const) {
    const path = await make(name)();
    hot.push({ name, make: async () => path });
  }
  const others = (['sinks', 'loki', 'history'] as const).filter(snapshot.has);
  return [...hot, ...others.map((name) => ({ name, make: make(name) }))];
}

function roomFor(snapshot: Snapshot, dataDir: string): string | undefined {
  const most = (names: readonly DatabaseName[]): number =>
    names.filter(snapshot.has).reduce((sum, name) => sum + snapshot.bytes(name), 0);
  return lackOfRoom(dataDir, most(['ledger', 'registry', 'sinks', 'loki']) + most(['history']));
}

async function make(options: BackupOptions, work: string): Promise<Result<GoodBackup>> {
  const { config, file, passphrase, without, by, nowMs } = options;
  const { dataDir, keysDir, plainText, names } = config;
  const keys = plainText ? ok([]) : readKeys(keysDir);
  if (!keys.ok) return keys;
  const databases: DatabaseName[] = ['registry', 'sinks', 'loki', 'ledger'];
  if (!without.includes('history')) databases.push('history');
  const taken = await takeSnapshot(dataDir, databases, nowMs);
  if (!taken.ok) return taken;
  const { snapshot, atMs } = taken.value;
  try {
    const lack = roomFor(snapshot, dataDir);
    if (lack !== undefined) return fail(lack);
    const schema = folderSchema(dataDir);
    const facts = { atMs, by, plainText, names: [...names], schema, without: [...without] };
    const source = pack({
      manifest: manifestOf(snapshot, facts),
      small: [
        { name: 'config/broker.yaml', body: Buffer.from(options.configText) },
        ...keys.value,
        ...readPlainFiles(dataDir),
      ],
      logs: without.includes('logs') ? [] : logsIn(snapshot),
      logsDir: join(dataDir, 'logs'),
      copies: await copiesOf(snapshot, work),
    });
    const written = await writeFile(file, encryptAge(source, passphrase), async (draft) => {
      const read = options.verify ? await unpack(draft, passphrase) : ok(undefined);
      return read.ok ? read : fail(`what was written cannot be read again: ${read.reason}`);
    });
    if (!written.ok) return written;
    const { value: bytes } = written;
    const done = { atMs, endedMs: nowMs(), file, bytes, by, verified: options.verify };
    return ok({ ...done, without: [...without] });
  } finally {
    snapshot.close();
  }
}

const FULL = ['ENOSPC', 'EDQUOT'];
/** SQLITE_FULL [sqlite.org/rescode]. */
const isFull = (cause: unknown): boolean =>
  FULL.includes(String((cause as NodeJS.ErrnoException).code)) ||
  (cause as { errcode?: number }).errcode === 13;

function sentenceOf(cause: unknown, file: string, dataDir: string): string {
  const kept = 'a backup of before is as it was';
  const { code, path, message } = cause as NodeJS.ErrnoException;
  const where = (cause as { errcode?: number }).errcode === undefined ? dirname(file) : dataDir;
  if (isFull(cause)) return `the disk of ${where} is full: no backup was made, ${kept}`;
  if (code === undefined || path === undefined) return `${message}; ${kept}`;
  return `${path.replace(/\.\d+\.part$/, '')} cannot be used (${code}): ${kept}`;
}

async function checkTarget(file: string): Promise<Result<void>> {
  const there = await stat(file).catch(() => undefined);
  if (there?.isDirectory() === true) return fail(`${file} is a folder: name a file in it`);
  const folder = await stat(dirname(file)).catch(() => undefined);
  return folder?.isDirectory() === true ? ok(undefined) : fail(`${dirname(file)} is no folder`);
}

function lockBackups(dataDir: string): Result<() => void> {
  const path = join(dataDir, LOCK);
  const lock = lockFile(path, `another backup of ${dataDir} is being made`);
  if (lock.ok) giveToOwner(dataDir, [path]);
  return lock;
}

/** Copies that a backup left which was killed; not those of one that runs. */
export function sweepWork(dataDir: string): void {
  if (!existsSync(join(dataDir, WORK))) return;
  const lock = lockBackups(dataDir);
  if (!lock.ok) return;
  rmSync(join(dataDir, WORK), { recursive: true, force: true });
  lock.value();
}

async function guarded(options: BackupOptions, file: string): Promise<Result<GoodBackup>> {
  const { dataDir } = options.config;
  const lock = lockBackups(dataDir);
  if (!lock.ok) return lock;
  const work = join(dataDir, WORK);
  try {
    rmSync(work, { recursive: true, force: true });
    mkdirSync(work, { mode: 0o700 });
    return await make({ ...options, file }, work);
  } catch (cause) {
    return fail(sentenceOf(cause, file, dataDir));
  } finally {
    rmSync(work, { recursive: true, force: true });
    lock.value();
  }
}

/** @returns what was made, or a sentence; then the file is what it was before. */
export async function writeBackup(options: BackupOptions): Promise<Result<GoodBackup>> {
  const { passphrase, config, by, nowMs } = options;
  const file = resolve(options.file);
  if (passphrase.length < PASSPHRASE_CHARS_MIN) {
    return fail(`the passphrase of a backup has at least ${PASSPHRASE_CHARS_MIN} characters`);
  }
  const target = await checkTarget(file);
  if (!target.ok) return target;
  const done = await guarded(options, file);
  if (done.ok) noteGood(config.dataDir, done.value);
  else noteBad(config.dataDir, { endedMs: nowMs(), file, by, reason: done.reason });
  return done;
}
