// Lines are counted, and that is on the disk, before intake takes their bytes away from them.

import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { writeDurablyLater } from '../../agent/system/disk.ts';
import { realJournalDisk } from '../../agent/system/journal-files.ts';
import { realPorts } from '../../agent/system.ts';
import { Tallies } from '../../agent/telemetry/tallies.ts';
import { quietLog } from './outbox-rig.ts';

it('a counter has its lines on disk before their bytes go, and goes on behind them', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tw-tallies-'));
  const file = join(folder, 'a.log');
  const { clock, timers, files } = realPorts();
  const agent = (): Tallies => {
    const counters = [{ name: 'offline_total', pattern: 'offline', labels: [] }];
    const tallies = new Tallies({
      path: join(folder, 'tallies.json'),
      components: [{ name: 'sale', version: '1', counters }],
      ...{ disk: realJournalDisk, read: files.read, write: writeDurablyLater },
      ...{ log: quietLog(), timers, clock },
    });
    tallies.began('sale', file);
    return tallies;
  };
  try {
    writeFileSync(file, 'offline\noffline\nhalf');
    const first = agent();
    await first.reached('sale', file, 16);
    // Killed: what the next one knows is what was written.
    const text = readFileSync(file);
    writeFileSync(file, text.fill(0, 0, 16));
    appendFileSync(file, ' offline\n');
    const second = agent();
    await second.reached('sale', file, text.length + 9);
    expect(second.samples('sale').map(({ value }) => value)).toEqual([3]);
    expect(second.unreadBytes()).toEqual({ sale: 0 });
    await second.reached('sale', join(folder, 'unknown.log'), 5);
    first.stop();
    second.stop();
    await Promise.all([first.save(), second.save()]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
