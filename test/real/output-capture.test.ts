// Components print to files that we free behind them, with the real fallocate: what is kept is whole, what is not is
// told to the byte. The long version, on a small disk, is in test/long/output-flood.test.ts.

import { type ChildProcess, spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeHoles, sidecarOf } from '../../agent/logs/holes.ts';
import { createPuncher } from '../../agent/punch.ts';
import { realPorts } from '../../agent/system.ts';
import { allocatedIn, capture, MEBIBYTE, prove, startWriter } from './output-rig.ts';

let folder: string;
let writer: ChildProcess | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tw-capture-'));
});
afterEach(() => {
  writer?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));
const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);

describe('output that comes too fast', () => {
  it('is freed behind its writer, and everything that is missing is told', async () => {
    const { look, file, events, output, reading } = capture(folder);
    writeFileSync(file, '');
    await look();
    writer = startWriter(file, 30, 3);
    const ended = new Promise((done) => writer?.once('exit', done));
    let most = 0;
    while (writer.exitCode === null) {
      await pause(250);
      await look();
      most = Math.max(most, allocatedIn(join(folder, 'sale')));
    }
    await ended;
    await look();
    const { lines, lastNumber, holes, keptBytes, waitedMs } = prove(folder);
    const { size } = statSync(file);
    expect(lines).toBeLessThan(lastNumber / 4);
    expect(keptBytes + sum(holes.map(({ bytes }) => bytes))).toBe(size);
    expect(sum(Object.values(reading().dropped))).toBe(size - keptBytes);
    // All of it, and what came between two looks of a machine that has much else to do.
    expect(most).toBeLessThan(60 * MEBIBYTE);
    expect(reading().bytes).toBeLessThan(12 * MEBIBYTE);
    expect(waitedMs).toBeLessThan(2_000);
    output.stop();
    expect(events).toEqual([
      {
        ...{ kind: 'output_dropped', component: 'sale' },
        fields: {
          bytes: reading().dropped.rate,
          reason: 'it printed more than 1.0 MB a second',
        },
      },
    ]);
  });
});

describe('output that is more than is kept', () => {
  const line = (n: number): string =>
    `${new Date(1_795_000_000_000 + n).toISOString()} begin ${n} ${'x'.repeat(160)} end ${n}\n`;
  const fill = (file: string, from: number, to: number): void => {
    const lines = Array.from({ length: to - from }, (_, n) => line(from + n + 1)).join('');
    writeFileSync(file, lines, { flag: 'a' });
  };

  it('loses its oldest lines, and goes on where a killed agent had only noted what to free', async () => {
    const first = capture(folder, { bytesMax: MEBIBYTE, bytesPerSecondMax: 1024 * MEBIBYTE });
    fill(first.file, 0, 10_000);
    await first.look();
    expect(first.reading().bytes).toBeLessThan(MEBIBYTE);
    expect(prove(folder)).toMatchObject({ lastNumber: 10_000, holes: [{ reason: 'size' }] });
    fill(first.file, 10_000, 14_000);
    const { ino, size } = statSync(first.file);
    const hole = {
      from: 0,
      to: Math.floor(size / 2),
      firstMs: 1,
      lastMs: 1,
      reason: 'size',
    } as const;
    const to = readFileSync(first.file).indexOf('\n', hole.to) + 1;
    writeFileSync(sidecarOf(first.file), encodeHoles(ino, [{ ...hole, to, bytes: to }]));
    const before = statSync(first.file).blocks;
    const second = capture(folder, { bytesMax: 2 * MEBIBYTE });
    await second.look();
    expect(statSync(first.file).blocks).toBeLessThan(before);
    expect(prove(folder)).toMatchObject({ lastNumber: 14_000, holes: [{ bytes: to }] });
  });

  it('is cut only where nothing can be freed, and that is counted and said', async () => {
    writeFileSync(
      join(folder, 'fallocate'),
      '#!/bin/sh\necho "fallocate: fallocate failed: Operation not supported" >&2\nexit 1\n',
    );
    chmodSync(join(folder, 'fallocate'), 0o755);
    for (const path of [folder, '/nowhere']) {
      const warned: string[] = [];
      const puncher = createPuncher(realPorts(), join(folder, 'said'), `${path}:/bin`);
      const missing = createPuncher(realPorts(), join(folder, 'said'), '/nowhere');
      const log = { info: () => {}, error: () => {}, warn: (text: string) => warned.push(text) };
      const means = path === folder ? puncher : missing;
      const { file, look, reading } = capture(folder, { bytesMax: MEBIBYTE, puncher: means, log });
      rmSync(join(folder, 'sale'), { recursive: true });
      spawnSync('mkdir', [join(folder, 'sale')]);
      fill(file, 0, 10_000);
      const { size } = statSync(file);
      await look();
      expect(statSync(file).size).toBe(0);
      await look();
      const { lastNumber, keptBytes } = prove(folder, true);
      expect(lastNumber).toBe(10_000);
      expect(reading().dropped).toEqual({ truncated: size - keptBytes });
      expect(warned.filter((text) => text.includes('nothing else works'))).toHaveLength(1);
    }
  });

  it('is shortened in front before its size grows beyond what a file system takes', async () => {
    const { file, look } = capture(folder, {
      ...{ bytesMax: MEBIBYTE, bytesPerSecondMax: 2 ** 50, apparentBytesMax: 2 ** 30 },
    });
    fill(file, 0, 1);
    const end = statSync(file).size;
    truncateSync(file, 2 ** 31);
    fill(file, 1, 10_000);
    const { ino } = statSync(file);
    const gone = { from: end, to: 2 ** 31, bytes: 2 ** 31 - end, firstMs: 1, lastMs: 1 };
    writeFileSync(sidecarOf(file), encodeHoles(ino, [{ ...gone, reason: 'rate' }]));
    await look();
    expect(statSync(file).size).toBeLessThan(2 * MEBIBYTE);
    const { lastNumber } = prove(folder);
    expect(lastNumber).toBe(10_000);
    fill(file, 10_000, 10_100);
    await look();
    expect(prove(folder).lastNumber).toBe(10_100);
  });
});
