// What the outbox writes to a till's flash memory while nothing happens but a sample every 15 seconds: counted as
// the pages of the file system that its log touches, because those are what wears out.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Outbox } from '../../agent/telemetry/types.ts';
import { ackFor, fakeClock, makeFolder, open, snapshotAt } from './outbox-rig.ts';

const FRAME_HEAD_BYTES = 24;
const LOG_HEAD_BYTES = 32;
const FLASH_PAGE_BYTES = 4096;

let folder: ReturnType<typeof makeFolder>;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => folder.remove());

/** @returns how many frames of the log are of its present life [sqlite.org/fileformat2.html#walformat]. */
function logOf(path: string): { readonly frames: number; readonly frameBytes: number } {
  const log = readFileSync(`${path}-wal`);
  const frameBytes = FRAME_HEAD_BYTES + log.readUInt32BE(8);
  const salt = log.subarray(16, 24);
  let frames = 0;
  for (let at = LOG_HEAD_BYTES; at + frameBytes <= log.length; at += frameBytes) {
    if (!log.subarray(at + 8, at + 16).equals(salt)) break;
    frames += 1;
  }
  return { frames, frameBytes };
}

/** Flash pages that one commit touches, and commits. */
function meter(path: string) {
  let seen = 0;
  const told = { pages: 0, commits: 0 };
  return {
    told,
    look: () => {
      const { frames, frameBytes } = logOf(path);
      if (frames < seen) seen = 0;
      if (frames === seen) return;
      const pageOf = (byte: number): number => Math.floor(byte / FLASH_PAGE_BYTES);
      const first = pageOf(LOG_HEAD_BYTES + seen * frameBytes);
      told.pages += pageOf(LOG_HEAD_BYTES + frames * frameBytes - 1) - first + 1;
      told.commits += 1;
      seen = frames;
    },
  };
}

describe('an outbox at rest', () => {
  it('wears the flash little: one commit a sample and one a batch, each of a page or two', () => {
    const clock = fakeClock();
    const outbox: Outbox = open(folder.path, clock);
    const { told, look } = meter(join(folder.path, 'outbox.db'));
    const minute = (): void => {
      for (let n = 0; n < 4; n += 1) {
        outbox.stats();
        outbox.addSnapshot(snapshotAt(clock.wallMs(), 200, Math.random()));
        look();
        clock.pass(15_000);
      }
      const batches = outbox.takeBatches(16);
      look();
      outbox.acknowledge(ackFor(outbox.epoch, batches, { brokerTimeMs: clock.wallMs() }));
      look();
    };
    for (let n = 0; n < 5; n += 1) minute();
    Object.assign(told, { pages: 0, commits: 0 });
    for (let n = 0; n < 20; n += 1) minute();
    expect(told.commits / 20).toBeLessThanOrEqual(5);
    expect(told.pages / 20).toBeLessThanOrEqual(13);
    expect(outbox.stats()).toMatchObject({ batches: { metrics: 0 }, waiting: { samples: 0 } });
    outbox.close();
  });

  it('forgets what was acknowledged, also when it ends before it writes again', () => {
    const clock = fakeClock();
    const first = open(folder.path, clock);
    first.addSnapshot(snapshotAt(clock.wallMs()));
    clock.pass(60_000);
    const batches = first.takeBatches(16);
    expect(batches).toHaveLength(1);
    first.acknowledge(ackFor(first.epoch, batches));
    first.close();
    const second = open(folder.path, clock);
    clock.pass(600_000);
    expect(second.takeBatches(16)).toEqual([]);
    second.close();
  });

  it('gives nothing up for lost that was acknowledged and is only not removed yet', () => {
    const clock = fakeClock();
    const outbox = open(folder.path, clock, { bytesMax: 256 * 1024 });
    for (let n = 0; n < 60; n += 1) {
      outbox.addSnapshot(snapshotAt(clock.wallMs(), 200, Math.random()));
      clock.pass(15_000);
      const batches = outbox.takeBatches(16);
      outbox.acknowledge(ackFor(outbox.epoch, batches, { brokerTimeMs: clock.wallMs() }));
    }
    expect(outbox.stats().drops).toEqual([]);
    outbox.close();
  });
});
