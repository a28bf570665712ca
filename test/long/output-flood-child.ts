// A real agent on a disk of 200 MB, with a component that prints 50 MB/s for half a minute: run by
// output-flood.test.ts in a world of its own.

import { statfsSync } from 'node:fs';
import { join } from 'node:path';
import { Rig, until } from '../real/agent-rig.ts';
import { allocatedIn, MEBIBYTE } from '../real/output-rig.ts';
import { drain, eventsOf, fakeClock, open } from '../unit/outbox-rig.ts';
import { pause, tell } from './disk-world.ts';
import { recordsIn } from './intake-rig.ts';

const RATE = 50;
const SECONDS = 30;
const WRITER = new URL('../real/flood-writer.ts', import.meta.url).pathname;

const rig = new Rig();
const UNITS: Record<string, number> = { KB: 1024, MB: MEBIBYTE, GB: 1024 * MEBIBYTE };

/** Throws at the first record that is broken, doubled, or missing without a word. */
function proveJournal() {
  let [lines, lastNumber, waitedMs, keptBytes, gone, isBehindHole] = [0, 0, -1, 0, 0, false];
  for (const { text } of recordsIn(join(rig.folder, 'data'))) {
    const [, size, unit = ''] = /^\[tillwatch: ([\d.]+) ([KMG]B) not kept here/.exec(text) ?? [];
    if (size !== undefined) {
      gone += Number(size) * (UNITS[unit] ?? 0);
      isBehindHole = true;
      continue;
    }
    const last = /^\S+ last (\d+) waited (\d+)$/.exec(text);
    const found = /^\S+ begin (\d+) x{160} end (\d+)$/.exec(text);
    const number = Number(last?.[1] ?? found?.[1]);
    if (last !== null) waitedMs = Number(last[2]);
    // Where no line ends near, a hole ends within one.
    else if (found === null ? !isBehindHole : found[1] !== found[2]) throw new Error(text);
    if (Number.isNaN(number)) continue;
    const expected = last === null ? lastNumber + 1 : lastNumber;
    if (isBehindHole ? number < expected : number !== expected) {
      throw new Error(`${number} follows ${lastNumber}`);
    }
    [lastNumber, isBehindHole] = [number, false];
    lines += 1;
    keptBytes += text.length + 1;
  }
  return { lines, lastNumber, waitedMs, gone, keptBytes };
}

try {
  rig.configure([
    {
      ...{ name: 'sale', restart: 'temporary', channel: false },
      command: [process.execPath, WRITER, `${RATE}`, `${SECONDS}`],
    },
  ]);
  const ended = rig.start();
  await rig.ready('sale');
  const logs = join(rig.folder, 'data', 'logs');
  let [freeLeast, most] = [Infinity, 0];
  const isOver = (): boolean => rig.lines('sale').some(({ to }) => to === 'stopped');
  const untilMs = performance.now() + 120_000;
  while (!isOver() && performance.now() < untilMs) {
    const { bavail, bsize } = statfsSync(rig.folder);
    freeLeast = Math.min(freeLeast, bavail * bsize);
    most = Math.max(most, allocatedIn(join(logs, 'sale')));
    await pause(50);
  }
  await until('all is freed', () => allocatedIn(join(logs, 'sale')) < 12 * MEBIBYTE);
  await pause(12_000);
  const { lines, lastNumber, waitedMs, gone, keptBytes } = proveJournal();
  tell('flood', { freeLeast, most, lines, lastNumber, waitedMs, gone, keptBytes });
  rig.agent?.kill('SIGTERM');
  await ended;
  const outbox = open(join(rig.folder, 'data'), fakeClock(), { bytesMax: 64 * MEBIBYTE });
  const batches = drain(outbox).filter(({ stream }) => stream === 'events');
  const told = batches.flatMap(eventsOf).filter(({ kind }) => kind === 'output_dropped');
  tell('events', { bytes: told.map(({ fields }) => fields['bytes']) });
  outbox.close();
} finally {
  await rig.clean();
}
