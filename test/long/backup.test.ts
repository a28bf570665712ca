// What goes wrong with backups: the file, the disk, the folder, the program of another version, a broker in the middle of
// its work. Whatever it is, the file of before stays, nothing is half restored, and one sentence says why.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DATABASES, NOT_WANTED, PLAIN_FILES } from '../../broker/backup/contents.ts';
import { restoreBroker } from '../../broker/backup/restore.ts';
import { takeSnapshot } from '../../broker/backup/snapshot.ts';
import { unpack } from '../../broker/backup/unpack.ts';
import { writeBackup } from '../../broker/backup/write.ts';
import { type BrokerConfig, loadConfig } from '../../broker/config.ts';
import { type Bench, eventBatch, openBench, type Running } from '../real/broker-rig.ts';
import { connectTerminal, type Terminal, until } from '../real/front-rig.ts';

const CHILD = join(import.meta.dirname, 'backup-child.ts');
const CLI = join(import.meta.dirname, '../../cli/tillwatch.ts');
const PASSPHRASE = 'correct horse battery staple';

let bench: Bench;
let broker: Running;
let till: Terminal;
let text: string;
let config: BrokerConfig;
let whole: string;
const at = (...parts: string[]): string => join(bench.dir, ...parts);

const backup = (file: string, more: object = {}) =>
  writeBackup({
    ...{ config, configText: text, file, passphrase: PASSPHRASE, without: [], verify: false },
    ...{ by: 'eve', nowMs: Date.now, ...more },
  });
const restore = (file: string, name: string, more: object = {}) =>
  restoreBroker({
    ...{ file, passphrase: PASSPHRASE, names: [], revoked: [], nowMs: Date.now },
    ...{
      dataDir: at(name, 'data'),
      keysDir: at(name, 'data'),
      configFile: at(name, 'broker.yaml'),
    },
    ...more,
  });
const reasonOf = (done: { ok: boolean; reason?: string }): string =>
  done.ok ? 'ok' : (done.reason ?? '');
const numberIn = (path: string, sql: string): number => {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    return Number(Object.values(db.prepare(sql).get() ?? {})[0]);
  } finally {
    db.close();
  }
};

beforeAll(async () => {
  bench = openBench();
  broker = await bench.start(bench.configure());
  text = readFileSync(at('broker.yaml'), 'utf8');
  const loaded = loadConfig(text, bench.dir);
  if (!loaded.ok) throw new Error('bad configuration');
  config = loaded.config;
  till = await connectTerminal(broker.mqttPort, 'lane-1');
  await till.send(eventBatch(1, 'lane-1'));
  await until('an acknowledgement', () => till.acked(1));
  whole = at('whole.age');
  expect(await backup(whole)).toMatchObject({ ok: true });
}, 60_000);
afterAll(async () => {
  await till?.end();
  await bench?.close();
});

test('everything in the folder of a broker is in a backup, or is known not to be wanted', () => {
  const known = [...DATABASES.map((name) => `${name}.db`), ...PLAIN_FILES, 'logs', 'schema.json'];
  const rest = readdirSync(bench.data('.')).filter((name) => !NOT_WANTED.test(name));
  expect(rest.filter((name) => !known.includes(name))).toEqual([]);
});

test('a wrong passphrase, a file that is cut off or changed, and one that is none', async () => {
  const sealed = readFileSync(whole);
  const file = at('changed.age');
  for (const [change, sentence] of [
    [() => sealed.subarray(0, sealed.length - 1), 'cut off'],
    [() => sealed.subarray(0, 200), 'cut off'],
    [() => sealed.subarray(0, 20), 'within its beginning'],
    [() => Buffer.alloc(0), 'within its beginning'],
    [() => Buffer.from('backup of a broker'), 'within its beginning'],
    [() => Buffer.from(sealed).fill(sealed[5_000] === 0 ? 1 : 0, 5_000, 5_001), 'is damaged'],
  ] as const) {
    writeFileSync(file, change());
    expect(reasonOf(await restore(file, 'a'))).toMatch(new RegExp(`^${file}.*${sentence}`));
  }
  const wrong = await restore(whole, 'a', { passphrase: 'another passphrase' });
  expect(reasonOf(wrong)).toBe(`${whole} is not opened by this passphrase`);
  expect(reasonOf(await restore(at('nowhere'), 'a'))).toBe(
    `${at('nowhere')} cannot be read (ENOENT)`,
  );
  // Nothing is left that would stand in the way of the right one.
  expect(readdirSync(at('a', 'data')).filter((name) => name !== 'lock.db')).toEqual([]);
  expect(await restore(whole, 'a')).toMatchObject({ ok: true });
});

test('a second restore, and one over anything, is refused; one that was killed is repeated', async () => {
  expect(await restore(whole, 'b')).toMatchObject({ ok: true });
  const before = statSync(at('b', 'data', 'registry.db')).mtimeMs;
  expect(reasonOf(await restore(whole, 'b'))).toContain('is not empty');
  expect(statSync(at('b', 'data', 'registry.db')).mtimeMs).toBe(before);
  expect(reasonOf(await restore(whole, 'c', { configFile: at('broker.yaml') }))).toContain(
    'there already',
  );
  expect(existsSync(at('c'))).toBe(false);
  const running = { dataDir: bench.data('.'), keysDir: bench.data('.') };
  expect(reasonOf(await restore(whole, 'd', running))).toContain('is not empty');

  const child = spawn(process.execPath, [CLI, 'broker', 'restore', whole, ...placesOf('e')], {
    stdio: 'ignore',
  });
  const mark = at('e', 'data', 'restoring.json');
  await until('a restore that began', () => existsSync(mark));
  child.kill('SIGKILL');
  await once(child, 'exit');
  if (existsSync(mark)) {
    const file = at('e', 'started.yaml');
    writeFileSync(file, text.replace('dataDir: data', `dataDir: ${at('e', 'data')}`));
    const { exit, said } = bench.launch(file);
    expect([await exit, said()]).toEqual([69, expect.stringContaining('was not finished')]);
    expect(reasonOf(await restore(whole, 'e', { configFile: at('e', 'other.yaml') }))).toContain(
      'not empty',
    );
  }
  expect(await restore(whole, 'e')).toMatchObject({ ok: true });
}, 30_000);

const placesOf = (name: string): string[] => [
  ...['--data', at(name, 'data'), '--keys', at(name, 'data'), '--config', at(name, 'broker.yaml')],
  ...['--passphrase-file', passphraseFile()],
];
function passphraseFile(): string {
  writeFileSync(at('passphrase'), `${PASSPHRASE}\n`, { mode: 0o600 });
  return at('passphrase');
}

test('while much arrives, a backup is of one moment', async () => {
  let seq = 1;
  let on = true;
  const load = (async () => {
    while (on) {
      const all = Array.from({ length: 40 }, () => till.send(eventBatch(++seq, 'lane-1')));
      await Promise.all(all);
    }
  })();
  await until('a load', () => seq > 400, 20_000);
  const before = seq;
  const file = at('busy.age');
  expect(await backup(file, { verify: true })).toMatchObject({ ok: true });
  on = false;
  await load;
  expect(seq).toBeGreaterThan(before);
  expect(await restore(file, 'busy')).toMatchObject({ ok: true });
  for (const name of ['ledger.db', 'registry.db']) {
    const found = numberIn(
      at('busy', 'data', name),
      "SELECT count(*) FROM pragma_quick_check WHERE quick_check <> 'ok'",
    );
    expect(found).toBe(0);
  }
  const cursor = numberIn(at('busy', 'data', 'registry.db'), 'SELECT ledger_id FROM cursor');
  const newest = numberIn(at('busy', 'data', 'ledger.db'), 'SELECT max(id) FROM batch');
  expect([cursor > 0, cursor <= newest]).toEqual([true, true]);
}, 60_000);

test('while rows of the ledger go all the time, a registry is never beyond it nor behind its first row', async () => {
  mkdirSync(at('rows'));
  const child = spawn(process.execPath, [CHILD, at('rows')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  bench.children.push(child);
  await once(child.stdout, 'data');
  const seen = { moments: 0, trimmed: 0 };
  const untilMs = performance.now() + 2_000;
  while (performance.now() < untilMs || seen.trimmed === 0) {
    const taken = await takeSnapshot(at('rows'), ['registry', 'ledger'], Date.now);
    if (!taken.ok) continue;
    const { snapshot } = taken.value;
    const [edges = {}] = snapshot.all(
      'ledger',
      'SELECT min(id) AS oldest, max(id) AS newest FROM batch',
    );
    const cursor = Number(
      snapshot.all('registry', 'SELECT ledger_id AS id FROM cursor')[0]?.['id'],
    );
    snapshot.close();
    const [oldest, newest] = [Number(edges['oldest']), Number(edges['newest'])];
    expect({
      oldest,
      cursor,
      newest,
      good: cursor <= newest && oldest <= cursor + 1,
    }).toMatchObject({ good: true });
    seen.moments += 1;
    if (oldest > 1) seen.trimmed += 1;
  }
  child.kill('SIGKILL');
  expect(seen.moments).toBeGreaterThan(20);
}, 60_000);

test('a full disk and a kill leave the file of before; what is left behind is swept', async () => {
  const file = at('kept.age');
  copyFileSync(whole, file);
  const before = readFileSync(file);
  // What a process may write is bounded, as a full disk bounds it.
  const asked = [
    'broker',
    'backup',
    file,
    '--config',
    at('broker.yaml'),
    '--passphrase-file',
    passphraseFile(),
  ];
  const full = await new Promise<string>((done) => {
    execFile(
      '/bin/sh',
      ['-c', `trap '' XFSZ; ulimit -f 600; exec "$@"`, 'sh', process.execPath, CLI, ...asked],
      (_e, _o, err) => done(err),
    );
  });
  expect(full).toContain('a backup of before is as it was');
  expect(readFileSync(file).equals(before)).toBe(true);
  const child = spawn(process.execPath, [CLI, ...asked], { stdio: 'ignore' });
  await until('copies', () => existsSync(bench.data('backup.work')));
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(readFileSync(file).equals(before)).toBe(true);
  writeFileSync(`${file}.99999.part`, 'half');
  expect(await backup(file)).toMatchObject({ ok: true });
  expect(existsSync(bench.data('backup.work'))).toBe(false);
  expect(readdirSync(bench.dir).filter((name) => name.endsWith('.part'))).toEqual([]);
  expect(reasonOf(await backup(bench.dir))).toContain('is a folder');
  expect(reasonOf(await backup(at('nowhere', 'x.age')))).toContain('is no folder');
  expect(reasonOf(await backup(file, { passphrase: 'short' }))).toContain('at least 12');
}, 30_000);

test('a restored broker in plain text starts, without its history and logs, and knows its token', async () => {
  const file = at('small.age');
  expect(await backup(file, { without: ['history', 'logs'] })).toMatchObject({ ok: true });
  const read = await unpack(file, PASSPHRASE);
  const names = read.ok ? read.value.complete.files.map(({ name }) => name) : [];
  expect(names).not.toContain('data/history.db');
  const done = await restore(file, 'plain');
  expect(done).toMatchObject({ ok: true });
  const token = (dir: string): string => readFileSync(join(dir, 'api-token'), 'utf8');
  expect(token(at('plain', 'data'))).toBe(token(bench.data('.')));
  const generation = (path: string): string => {
    const db = new DatabaseSync(path, { readOnly: true });
    const row = db.prepare("SELECT hex(value) AS hex FROM meta WHERE key = 'generation'").get();
    db.close();
    return String(row?.['hex']);
  };
  expect(generation(at('plain', 'data', 'ledger.db'))).not.toBe(
    generation(bench.data('ledger.db')),
  );
  const { child, said } = bench.launch(at('plain', 'broker.yaml'));
  const started = at('plain', 'data', 'broker.json');
  await until(
    'the restored broker',
    () => {
      if (child.exitCode !== null) throw new Error(said());
      return existsSync(started);
    },
    20_000,
  );
  child.kill('SIGTERM');
  await once(child, 'exit');
  const audited = "SELECT count(*) FROM audit WHERE action = 'broker.restore'";
  expect(numberIn(at('plain', 'data', 'registry.db'), audited)).toBe(1);
}, 30_000);

test('what a newer program wrote is refused by an older one', async () => {
  writeFileSync(bench.data('schema.json'), '{"schema":7}');
  const file = at('newer.age');
  expect(await backup(file)).toMatchObject({ ok: true });
  expect(reasonOf(await restore(file, 'newer'))).toContain(
    'whose data this older program does not know',
  );
  expect(existsSync(at('newer', 'broker.yaml'))).toBe(false);
});
