// The inside of a backup as one stream: an archive of plain files, compressed. Databases come from their copies, answers
// to requests for logs as far as the registry knows them, keys and small files as they are. Nothing is held in memory
// but a piece at a time.

import { createReadStream, existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { constants, createZstdCompress } from 'node:zlib';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { hasState, paths } from '../trust/state.ts';
import { BROKER_VERSION } from '../version.ts';
import {
  COMPLETE,
  type DatabaseName,
  FORMAT,
  KEY_FILE,
  MANIFEST,
  type Manifest,
  PLAIN_FILES,
} from './contents.ts';
import type { Snapshot } from './snapshot.ts';
import { type Entry, tarEnd, tarHeader, tarPadding } from './tar.ts';

const SMALL_BYTES_MAX = 2 * 1024 * 1024;
const READ_BYTES = 256 * 1024;
const TRIES_MAX = 5;

export type Small = { readonly name: string; readonly body: Buffer };
export type LogFile = { readonly id: string; readonly bytes: number };

function readSmall(name: string, path: string): Small {
  const { size } = statSync(path);
  if (size > SMALL_BYTES_MAX) throw new Error(`${path} is no file of a broker: ${size} bytes`);
  return { name, body: readFileSync(path) };
}

/** Keys of one moment: somebody may be rotating them. */
export function readKeys(keysDir: string): Result<readonly Small[]> {
  if (!hasState(keysDir)) return fail(`there is no authority in ${keysDir}`);
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const state = readSmall('keys/trust.json', paths.state(keysDir));
    const names = readdirSync(keysDir).filter((name) => KEY_FILE.test(name));
    const keys = names.map((name) => readSmall(`keys/${name}`, join(keysDir, name)));
    if (readFileSync(paths.state(keysDir)).equals(state.body)) return ok([...keys, state]);
  }
  return fail(`the keys in ${keysDir} are being changed: try again in a moment`);
}

export function readPlainFiles(dataDir: string): readonly Small[] {
  return PLAIN_FILES.filter((name) => existsSync(join(dataDir, name))).map((name) =>
    readSmall(`data/${name}`, join(dataDir, name)),
  );
}

const one = (snapshot: Snapshot, name: DatabaseName, sql: string): number =>
  Number(Object.values(snapshot.all(name, sql)[0] ?? {})[0] ?? 0);

/** Whether a registry of an older broker has the table. */
const hasTable = (snapshot: Snapshot, table: string): boolean =>
  one(snapshot, 'registry', `SELECT count(*) FROM sqlite_schema WHERE name = '${table}'`) > 0;

export function manifestOf(
  snapshot: Snapshot,
  facts: Pick<Manifest, 'atMs' | 'by' | 'plainText' | 'names' | 'schema' | 'without'>,
): Manifest {
  const [row] = snapshot.all('ledger', "SELECT value FROM meta WHERE key = 'generation'");
  const generation = Buffer.from((row?.['value'] ?? []) as Uint8Array).toString('hex');
  const enrolled = "SELECT count(*) FROM identities WHERE state = 'enrolled'";
  return {
    ...{ format: FORMAT, version: BROKER_VERSION, host: hostname(), ...facts, generation },
    newestBatch: one(snapshot, 'ledger', 'SELECT max(id) FROM batch'),
    newestAudit: one(snapshot, 'registry', 'SELECT max(id) FROM audit'),
    terminals: one(snapshot, 'registry', 'SELECT count(*) FROM terminals'),
    enrolled: hasTable(snapshot, 'identities') ? one(snapshot, 'registry', enrolled) : 0,
  };
}

/** Answers to requests for logs, as far as they are acknowledged. */
export function logsIn(snapshot: Snapshot): readonly LogFile[] {
  if (!hasTable(snapshot, 'log_requests')) return [];
  const sql = `SELECT id, json_extract(model, '$.bytes') AS bytes FROM log_requests
    WHERE json_extract(model, '$.bytes') > 0 AND json_extract(model, '$.goneMs') IS NULL`;
  return snapshot
    .all('registry', sql)
    .map((row) => ({ id: String(row['id']), bytes: Number(row['bytes']) }));
}

export type PackOptions = {
  readonly manifest: Manifest;
  readonly small: readonly Small[];
  /** Copies that are there, and those that are made when their turn comes; each is deleted when it was read. */
  readonly copies: readonly { readonly name: DatabaseName; readonly make: () => Promise<string> }[];
  readonly logsDir: string;
  readonly logs: readonly LogFile[];
};

const read = (path: string, bytes: number): AsyncIterable<Buffer> =>
  createReadStream(path, { end: Math.max(0, bytes - 1), highWaterMark: READ_BYTES });

async function* archive({ manifest, small, copies, logsDir, logs }: PackOptions) {
  const files: Entry[] = [];
  let logsGone = 0;
  async function* file(entry: Entry, body: AsyncIterable<Buffer> | Iterable<Buffer>) {
    yield tarHeader(entry, manifest.atMs);
    if (entry.bytes > 0) yield* body;
    yield tarPadding(entry.bytes);
    files.push(entry);
  }
  const text = (name: string, value: object) => {
    const body = Buffer.from(`${JSON.stringify(value, undefined, 2)}\n`);
    return file({ name, bytes: body.length }, [body]);
  };
  yield* text(MANIFEST, manifest);
  for (const { name, body } of small) yield* file({ name, bytes: body.length }, [body]);
  for (const { name, make } of copies) {
    const path = await make();
    const bytes = statSync(path).size;
    yield* file({ name: `data/${name}.db`, bytes }, read(path, bytes));
    rmSync(path);
  }
  for (const { id, bytes } of logs) {
    const path = join(logsDir, `${id}.log`);
    // Open before its size is told: what is deleted from now on can still be read.
    const opened = await open(path).catch(() => undefined);
    if (opened === undefined || (await opened.stat()).size < bytes) {
      await opened?.close();
      logsGone += 1;
      continue;
    }
    const body = opened.createReadStream({ end: bytes - 1, highWaterMark: READ_BYTES });
    yield* file({ name: `data/logs/${id}.log`, bytes }, body);
  }
  yield* text(COMPLETE, { files: [...files], logsGone });
  yield tarEnd();
}

/** Level 1: bodies are compressed already, and the broker next door wants the processor. */
export function pack(options: PackOptions): AsyncIterable<Buffer> {
  const compress = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 1 } });
  const source = Readable.from(archive(options), { objectMode: false, highWaterMark: READ_BYTES });
  source.on('error', (error) => compress.destroy(error));
  compress.on('close', () => source.destroy());
  return source.pipe(compress);
}
