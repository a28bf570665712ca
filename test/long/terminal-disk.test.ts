// What a bad disk does to a till: damage never takes committed sales with it, damage that shows only later
// ends the process so that the next one sets the file aside, a full log disk is no reason to stop selling.

import { spawn } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../../terminal/shared/database.ts';
import { silentLog } from '../../terminal/shared/log.ts';
import { Rig, until } from '../real/terminal-rig.ts';

let rig: Rig;
beforeEach(() => {
  rig = new Rig();
});
afterEach(() => rig.close());

const SKU = '2000000000015';

function scribble(path: string, from: number, bytes: number): void {
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(bytes, 0xa5), 0, bytes, from);
  closeSync(file);
}

describe('a damaged file', () => {
  it('is set aside together with the log that holds its last commits', () => {
    const [live, found] = [join(rig.dir, 'live.db'), join(rig.dir, 'found.db')];
    const schema = 'CREATE TABLE IF NOT EXISTS t (x TEXT)';
    const writer = new DatabaseSync(live);
    writer.exec(`PRAGMA journal_mode = WAL; ${schema}; INSERT INTO t VALUES ('a')`);
    writer.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    // Page 1 stays as it is: the commit is in the log alone.
    writer.exec("INSERT INTO t VALUES ('the last sale')");
    for (const part of ['', '-wal']) copyFileSync(live + part, found + part);
    writer.close();
    const log = readFileSync(`${found}-wal`);
    scribble(found, 0, 100);
    openDatabase({ path: found, schema, log: silentLog, nowMs: 7 }).close();
    expect(readFileSync(`${found}.damaged-7-wal`).equals(log)).toBe(true);
    expect(statSync(`${found}.damaged-7`).size).toBeGreaterThan(0);
  });

  it('ends a till that finds out later, and the next one sells on', async () => {
    const sale = await rig.start('sale');
    const item = { sku: SKU, quantity: 1 };
    expect((await rig.ask('sale', 'POST', '/basket/items', item))?.status).toBe(200);
    const path = join(rig.folder('sale'), 'sale.db');
    // Another connection's commit makes the till read its pages again.
    const other = new DatabaseSync(path);
    other.exec("INSERT INTO meta VALUES ('x', 1); PRAGMA wal_checkpoint(TRUNCATE)");
    scribble(path, 4096, statSync(path).size - 4096);
    other.exec("UPDATE meta SET value = 2 WHERE key = 'nobody'");
    await rig.ask('sale', 'POST', '/basket/items', item);
    expect(await sale.ended).toEqual({ code: 70, signal: null });
    other.close();
    await rig.start('sale');
    expect((await rig.ask('sale', 'POST', '/basket/items', item))?.status).toBe(200);
    const aside = readdirSync(rig.folder('sale')).filter((name) => name.includes('damaged'));
    expect(aside.length).toBeGreaterThan(0);
  });
});

describe('a component', () => {
  it('sells on when its log cannot be written', async () => {
    const full = openSync('/dev/full', 'w');
    const child = spawn(process.execPath, ['terminal/sale/main.ts'], {
      env: { POS_DATA_DIR: rig.folder('sale'), POS_SALE_PORT: '0' },
      stdio: ['ignore', full, full],
    });
    closeSync(full);
    const ended = new Promise((done) => child.once('exit', done));
    try {
      await until('the sale to be ready', () => {
        if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
        return rig.told('sale');
      });
      for (const [path, body] of [
        ['/basket/items', { sku: SKU, quantity: 1 }],
        ['/basket/tender', { kind: 'cash', amountMinor: 10_000 }],
        ['/basket/complete', {}],
      ] as const) {
        expect((await rig.ask('sale', 'POST', path, body))?.status).toBe(200);
      }
      expect(child.exitCode).toBe(null);
    } finally {
      child.kill('SIGKILL');
      await ended;
    }
  });

  it('that is given a folder which cannot be says so and ends', async () => {
    mkdirSync(rig.folder('sale'), { recursive: true });
    const program = rig.spawn('sale', { POS_DATA_DIR: '/proc/no/such' });
    const late = new Promise((done) => setTimeout(() => done('still there'), 15_000).unref());
    expect(await Promise.race([program.ended, late])).toEqual({ code: 69, signal: null });
    expect(program.output()).toContain('sale cannot start');
  });
});
