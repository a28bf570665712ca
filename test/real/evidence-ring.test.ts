// The ring of evidence on a real disk: bounded in number and bytes, oldest first, whole files only, and silent about a
// disk that does not play along.

import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Bundle } from '../../agent/evidence/bundle.ts';
import { BUNDLE_BYTES_MAX, openRing, type Ring } from '../../agent/evidence/ring.ts';

let folder: string;
let now: number;
const warnings: string[] = [];
const log = {
  info: () => undefined,
  warn: (message: string) => void warnings.push(message),
  error: () => undefined,
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tw-ring-'));
  now = 0;
  warnings.length = 0;
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = (change: { bundlesMax?: number; bytesMax?: number; folder?: string } = {}): Ring =>
  openRing({
    folder: join(folder, 'evidence'),
    bundlesMax: 3,
    bytesMax: 1_000_000,
    clock: { monotonicMs: () => now, wallMs: () => 0 },
    log,
    ...change,
  });

const bundle = (wallMs: number, component = 'sale', line = 'x'): Bundle => ({
  ...{
    v: 1,
    component,
    instance: 'i',
    incident: 'n',
    phase: 'confirmed',
    wallMs,
    state: 'suspect',
  },
  ...{ status: '', exit: undefined, system: undefined, js: undefined, inFlight: [], probes: [] },
  logLines: [line],
});
const files = (component = 'sale'): string[] => {
  try {
    return readdirSync(join(folder, 'evidence', component)).sort();
  } catch {
    return [];
  }
};
const times = (component = 'sale'): number[] =>
  files(component).map((name) => Number.parseInt(name, 10));

describe('the ring of evidence', () => {
  it('keeps the newest of each component, whole and readable by their owner alone', async () => {
    const ring = open();
    for (let n = 1; n <= 5; n += 1) {
      expect(ring.write(bundle(n), `s${n}`)).toMatch(/^sale\/\d{14}-\d+-confirmed\.json$/);
      ring.write(bundle(n, 'sync'), `t${n}`);
      await ring.settled();
    }
    expect([times('sale'), times('sync')]).toEqual([
      [3, 4, 5],
      [3, 4, 5],
    ]);
    const [oldest = ''] = files();
    const text = readFileSync(join(folder, 'evidence', 'sale', oldest), 'utf8');
    expect(JSON.parse(text)).toMatchObject({ component: 'sale', wallMs: 3 });
    expect(ring.stats()).toMatchObject({ bundles: 6, dropped: 4 });
    expect(ring.stats().bytes).toBeGreaterThan(text.length);
  });

  it('keeps to its bytes over all components, the oldest first, also after a restart', async () => {
    const first = open({ bundlesMax: 100 });
    for (let n = 1; n <= 4; n += 1) first.write(bundle(n, n % 2 ? 'sale' : 'sync'), `s${n}`);
    await first.settled();
    const each = first.stats().bytes / 4;
    writeFileSync(join(folder, 'evidence', 'sale', '00000000000009-1-exit.json.new'), 'half');
    const ring = open({ bundlesMax: 100, bytesMax: Math.round(each * 3.5) });
    ring.write(bundle(5), 's5');
    await ring.settled();
    expect([times('sale'), times('sync')]).toEqual([[3, 5], [4]]);
    await ring.shed(each * 1.5);
    expect([times('sale'), times('sync')]).toEqual([[5], []]);
    ring.write(bundle(6), 's6');
    await ring.settled();
    expect(times('sale')).toEqual([6]);
    await ring.shed(Number.POSITIVE_INFINITY);
    for (let n = 7; n <= 9; n += 1) ring.write(bundle(n), `s${n}`);
    await ring.settled();
    expect(times('sale')).toEqual([7, 8, 9]);
    await ring.shed(0);
    expect(ring.stats()).toMatchObject({ bytes: 0, bundles: 0 });
    expect(ring.write(bundle(10), 's10')).toBeUndefined();
  });

  it('takes new for new after the clock was set back a year', async () => {
    const ring = open();
    for (const at of [9_000, 9_001, 9_002, 5, 6]) {
      ring.write(bundle(at), `s${at}`);
      await ring.settled();
    }
    expect(times()).toEqual([5, 6, 9_002]);
  });

  it('writes the same story once an hour, and counts it meanwhile', async () => {
    const ring = open();
    expect(ring.write(bundle(1), 'same')).toBeDefined();
    now = 3_599_000;
    expect(ring.write(bundle(2), 'same')).toBeUndefined();
    now = 3_600_000;
    expect(ring.write(bundle(3), 'same')).toBeDefined();
    await ring.settled();
    expect(times()).toEqual([1, 3]);
    expect(ring.stats().dropped).toBe(1);
  });

  it('removes nothing that it has not written, and follows no link out of its folder', async () => {
    const elsewhere = join(folder, 'elsewhere');
    for (const path of [elsewhere, join(folder, 'evidence', 'sale')]) {
      mkdirSync(path, { recursive: true });
      for (let n = 0; n < 5; n += 1) writeFileSync(join(path, `prices-${n}.json`), '{}');
      writeFileSync(join(path, 'upload.new'), '{}');
    }
    symlinkSync(elsewhere, join(folder, 'evidence', 'sync'));
    const ring = open();
    for (let n = 1; n <= 5; n += 1) {
      ring.write(bundle(n), `s${n}`);
      ring.write(bundle(n, 'sync'), `t${n}`);
    }
    await ring.settled();
    await ring.shed(0);
    expect(readdirSync(elsewhere)).toHaveLength(6);
    expect(files('sale')).toHaveLength(6);
    expect(ring.stats()).toMatchObject({ bundles: 0, bytes: 0 });
  });

  it('refuses a bundle beyond its size', async () => {
    const ring = open();
    expect(ring.write(bundle(1, 'sale', 'x'.repeat(BUNDLE_BYTES_MAX)), 's')).toBeUndefined();
    await ring.settled();
    expect(ring.stats()).toMatchObject({ bundles: 0, dropped: 1 });
  });

  it('never throws where it cannot write, says so once, and goes on when it can', async () => {
    mkdirSync(join(folder, 'evidence'));
    writeFileSync(join(folder, 'evidence', 'sale'), 'a file in the way');
    const ring = open();
    for (let n = 1; n <= 3; n += 1) {
      ring.write(bundle(n), 'same'); // what was not written is not the same as before
      await ring.settled();
    }
    expect(ring.stats()).toMatchObject({ bundles: 0, dropped: 3 });
    expect(warnings).toHaveLength(1);
    rmSync(join(folder, 'evidence', 'sale'));
    ring.write(bundle(4), 'same');
    await ring.settled();
    expect(ring.stats().bundles).toBe(1);
  });

  it('keeps only so many waiting for a slow disk', async () => {
    const ring = open();
    const written = Array.from({ length: 20 }, (_, n) => ring.write(bundle(n), `s${n}`));
    expect(written.filter((name) => name !== undefined).length).toBeLessThanOrEqual(8);
    await ring.settled();
    expect(files()).toHaveLength(3);
  });
});
