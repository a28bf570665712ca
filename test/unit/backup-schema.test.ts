// The number of a data folder: what is newer is refused, what is older is copied and brought up, and a kill at any
// moment costs a repetition and nothing else.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import { type Migration, openDataFolder } from '../../broker/backup/data-schema.ts';
import { folder } from './fleet-rig.ts';

const log = { info: () => {}, warn: () => {} };
const open = (dir: string, migrations: readonly Migration[] = []) =>
  openDataFolder(dir, { log, migrations });
const schemaOf = (dir: string): unknown =>
  JSON.parse(readFileSync(join(dir, 'schema.json'), 'utf8'));

function within<T>(dir: string, work: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(join(dir, 'registry.db'));
  try {
    return work(db);
  } finally {
    db.close();
  }
}
/** As a broker of today leaves it. */
function oldFolder(): string {
  const dir = folder();
  within(dir, (db) =>
    db.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (v); INSERT INTO t VALUES (1)'),
  );
  return dir;
}
const valueIn = (dir: string): unknown =>
  within(dir, (db) => db.prepare('SELECT v FROM t').get()?.['v']);
const add =
  (by: number): Migration =>
  (dir) =>
    within(dir, (db) => db.exec(`UPDATE t SET v = v * 10 + ${by}`));
const fails: Migration = (dir) => {
  within(dir, (db) => db.exec('UPDATE t SET v = v * 10 + 9'));
  throw new Error('killed');
};

it('a new folder gets the number of the program, one without a number is 1', () => {
  const fresh = folder();
  expect(open(fresh, [add(1)])).toMatchObject({ ok: true });
  expect(schemaOf(fresh)).toEqual({ schema: 2 });
  const old = oldFolder();
  expect(open(old)).toMatchObject({ ok: true });
  expect(schemaOf(old)).toEqual({ schema: 1 });
  expect(readdirSync(old).filter((name) => name.startsWith('backup-'))).toEqual([]);
});

it('refuses a newer one, and a number that nobody can read, and changes nothing', () => {
  const dir = oldFolder();
  writeFileSync(join(dir, 'schema.json'), '{"schema":3}');
  const refused = open(dir, [add(1)]);
  expect(refused).toMatchObject({
    ok: false,
    reason: expect.stringContaining('used by a newer broker'),
  });
  expect([valueIn(dir), schemaOf(dir)]).toEqual([1, { schema: 3 }]);
  writeFileSync(join(dir, 'schema.json'), '{"schema":"two"}');
  expect(open(dir)).toMatchObject({ ok: false, reason: expect.stringContaining('is damaged') });
});

it('an older one is copied first and then brought up, step by step', () => {
  const dir = oldFolder();
  expect(open(dir, [add(1), add(2)])).toMatchObject({ ok: true });
  expect([valueIn(dir), schemaOf(dir)]).toEqual([112, { schema: 3 }]);
  expect(valueIn(join(dir, 'backup-schema-1'))).toBe(1);
  expect(open(dir, [add(1), add(2)])).toMatchObject({ ok: true });
  expect(valueIn(dir)).toBe(112);
});

it('whoever is killed in the middle begins anew from the copies', () => {
  const dir = oldFolder();
  expect(() => open(dir, [add(1), fails])).toThrow('killed');
  expect(valueIn(dir)).toBe(119);
  // Not by a program that knows less.
  expect(open(dir, [add(1)])).toMatchObject({ ok: false });
  expect(open(dir, [add(1), add(2)])).toMatchObject({ ok: true });
  expect([valueIn(dir), schemaOf(dir)]).toEqual([112, { schema: 3 }]);
});

it('copies that are not whole are made again, and of older ones two are kept', () => {
  const dir = oldFolder();
  mkdirSync(join(dir, 'backup-schema-1.draft'));
  writeFileSync(join(dir, 'backup-schema-1.draft', 'registry.db'), 'half');
  const steps = [add(1), add(2), add(3)];
  for (let known = 1; known <= 3; known += 1) open(dir, steps.slice(0, known));
  expect([valueIn(dir), schemaOf(dir)]).toEqual([1123, { schema: 4 }]);
  const kept = readdirSync(dir).filter((name) => name.startsWith('backup-'));
  expect(kept.sort()).toEqual(['backup-schema-2', 'backup-schema-3']);
});
