// The backups that a broker makes by itself, for real: its thread, from source and as it is built, reads the passphrase from
// its file, writes a whole file that only its owner may read, keeps so many of them, and all of it is in the audit log.

import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBackups } from '../../broker/backup/automatic.ts';
import { readLast } from '../../broker/backup/last.ts';
import { unpack } from '../../broker/backup/unpack.ts';
import { loadConfig } from '../../broker/config.ts';
import { workerUrl } from '../../broker/worker.ts';
import { type Bench, openBench } from '../real/broker-rig.ts';
import { until } from '../real/front-rig.ts';

const PASSPHRASE = 'correct horse battery staple';
const HOUR_MS = 3_600_000;

let bench: Bench;
const at = (...parts: string[]): string => join(bench.dir, ...parts);

beforeAll(async () => {
  bench = openBench();
  mkdirSync(at('to'));
  writeFileSync(at('pass'), `${PASSPHRASE}\n`, { mode: 0o600 });
  await bench.start(bench.configure());
}, 30_000);
afterAll(() => bench?.close());

test('the thread makes one each time, and as many as wanted are kept', async () => {
  const text = readFileSync(at('broker.yaml'), 'utf8');
  const own = `${text}\nbackup: { every: 10m, keep: 1, to: to, passphraseFile: pass }\n`;
  const loaded = loadConfig(own, bench.dir);
  if (!loaded.ok) throw new Error('bad configuration');
  const audited: { outcome: string }[] = [];
  let aheadMs = 0;
  let look = (): void => {};
  const stop = openBackups({
    ...{ config: loaded.config, configText: own },
    audit: { write: (entry) => ({ ok: true, value: void audited.push(entry) }) },
    metrics: { watch: () => {}, backups: () => {} },
    clock: { wallMs: () => Date.now() + aheadMs },
    timers: {
      after: () => () => {},
      every: (_ms, run) => {
        look = run;
        return () => {};
      },
    },
    log: { info: () => {}, warn: () => {}, error: () => {} },
  });
  const { dataDir } = loaded.config;
  for (const made of [1, 2]) {
    aheadMs += HOUR_MS;
    look();
    await until('a backup', () => readLast(dataDir).made === made && audited.length === made);
  }
  stop();
  expect(audited.map(({ outcome }) => outcome)).toEqual(['ok', 'ok']);
  const [name = '', ...others] = readdirSync(at('to'));
  expect([name, others]).toEqual([expect.stringMatching(/^tillwatch-.*\.age$/), []]);
  expect(statSync(at('to', name)).mode & 0o777).toBe(0o600);
  expect(await unpack(at('to', name), PASSPHRASE)).toMatchObject({ ok: true });
}, 30_000);

test('its thread is in the build under the name that a built broker looks for', async () => {
  const places = ['dist/broker.mjs', 'dist/parts/broker.mjs'].map((one) =>
    workerUrl('backup/worker-main.ts', pathToFileURL(resolve(one)).href),
  );
  expect(places.map((one) => existsSync(one))).toEqual([true, true]);
  const loaded = loadConfig(readFileSync(at('broker.yaml'), 'utf8'), bench.dir);
  if (!loaded.ok) throw new Error('bad configuration');
  const { dataDir, keysDir, plainText, names } = loaded.config;
  const worker = new Worker(places[0] as URL, {
    workerData: {
      config: { dataDir, keysDir, plainText, names },
      ...{ configText: '', file: at('built.age'), passphraseFile: at('pass') },
      ...{ without: [], verify: true, by: 'broker' },
    },
  });
  const done = await new Promise((settle, fails) => {
    worker.once('message', settle).once('error', fails);
  });
  expect(done).toMatchObject({ ok: true, value: { verified: true } });
}, 30_000);
