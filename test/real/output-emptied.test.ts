// A component that empties its own output (`echo failed > /dev/stderr` does, when stderr is a file): what was noted
// about the old bytes says nothing about the new ones, and must not free them.

import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Capture, capture, MEBIBYTE, prove } from './output-rig.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tw-emptied-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const line = (n: number, laterMs: number): string =>
  `${new Date(1_795_000_000_000 + laterMs + n).toISOString()} begin ${n} ${'x'.repeat(160)} end ${n}\n`;
const fill = (file: string, from: number, to: number, laterMs = 0): void => {
  const lines = Array.from({ length: to - from }, (_, n) => line(from + n + 1, laterMs)).join('');
  writeFileSync(file, lines, { flag: 'a' });
};
const start = (more: object = {}): Capture =>
  capture(folder, { bytesMax: MEBIBYTE, bytesPerSecondMax: 1024 * MEBIBYTE, ...more });

/** 2 MB of output, of which the oldest half is freed and noted. */
async function withHole(): Promise<Capture> {
  const first = start();
  fill(first.file, 0, 10_000);
  await first.look();
  expect(prove(folder)).toMatchObject({ lastNumber: 10_000, holes: [{ reason: 'size' }] });
  return first;
}

it('frees nothing of it for an old note when the next agent finds one', async () => {
  const { file } = await withHole();
  truncateSync(file);
  fill(file, 0, 11_000, 60_000);
  const next = start({ bytesMax: 10 * MEBIBYTE });
  await next.look();
  expect(prove(folder)).toMatchObject({ lines: 11_000, holes: [] });
});

it('frees only what is too much of it while the agent runs', async () => {
  const { file, look } = await withHole();
  truncateSync(file);
  fill(file, 0, 11_000, 60_000);
  await look();
  const { lines, lastNumber, holes } = prove(folder);
  expect([lastNumber, holes.length]).toEqual([11_000, 1]);
  expect(lines).toBeGreaterThan(3_000);
});

it('is told and counted', async () => {
  const warned: string[] = [];
  const log = { info: () => {}, error: () => {}, warn: (text: string) => warned.push(text) };
  const { file, look, reading } = start({ log, bytesMax: 10 * MEBIBYTE });
  fill(file, 0, 1_000);
  await look();
  truncateSync(file);
  fill(file, 0, 10);
  await look();
  await look();
  expect(warned.filter((text) => text.includes('emptied'))).toHaveLength(1);
  expect(reading().dropped.truncated).toBeGreaterThan(150_000);
  expect(prove(folder)).toMatchObject({ lines: 10, holes: [] });
});
