// A probe that watches a file which a component writes again and again, under clocks that jump.

import { statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { clocks, folder, pause, watchFile } from './watching-rig.ts';

describe('a file probe', () => {
  const stale = (path: string, seconds: number): void => {
    const then = statSync(path).mtimeMs / 1_000 - seconds;
    utimesSync(path, then, then);
  };

  it('fails when the file is missing or was not written for too long', async () => {
    const path = join(folder, 'alive');
    const watched = watchFile({ path, ageMsMax: 1_000_000 });
    expect(await watched.next()).toEqual({ ok: false, reason: `${path} is missing` });
    writeFileSync(path, '1');
    expect(await watched.next()).toEqual({ ok: true, reason: 'was written' });
    clocks.aheadMs = 1_000_001;
    const reason = `${path} was not written for 1000000 ms`;
    expect(await watched.next()).toEqual({ ok: false, reason });
    writeFileSync(path, '2');
    expect(await watched.next()).toEqual({ ok: true, reason: 'was written' });
  });

  it('is not misled by a clock that jumps, forward or back', async () => {
    const path = join(folder, 'alive');
    writeFileSync(path, '1');
    const watched = watchFile({ path, ageMsMax: 60_000 });
    expect(await watched.next()).toMatchObject({ ok: true });
    clocks.wallOffsetMs = 365 * 86_400_000;
    expect(await watched.next()).toMatchObject({ ok: true });
    stale(path, 86_400); // written by a clock that was set back a day
    expect(await watched.next()).toMatchObject({ ok: true });
    clocks.aheadMs = 60_001;
    expect(await watched.next()).toMatchObject({ ok: false });
  });

  it('waits for the first change of a file from an earlier day, and then judges', async () => {
    const path = join(folder, 'alive');
    writeFileSync(path, '1');
    stale(path, 86_400);
    const watched = watchFile({ path, ageMsMax: 60_000 });
    await pause(100);
    expect(watched.seen).toEqual([]);
    clocks.aheadMs = 60_001;
    expect(await watched.next()).toMatchObject({ ok: false });
    writeFileSync(path, '2');
    expect(await watched.next()).toMatchObject({ ok: true });
  });

  it('forgives while the agent itself stood still', async () => {
    const path = join(folder, 'alive');
    writeFileSync(path, '1');
    const watched = watchFile({ path, ageMsMax: 60_000 });
    expect(await watched.next()).toMatchObject({ ok: true });
    clocks.aheadMs = 60_001;
    watched.probe.dropInFlight();
    expect(await watched.next()).toMatchObject({ ok: true });
  });
});
