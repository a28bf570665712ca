// Starts, loses, adopts and ends a component while its run directory has no byte left, and tells what came of it.

import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { realPorts } from '../../agent/system.ts';
import { createControl, type Exit } from '../../agent/watchdog/control.ts';
import { pause, tell } from './disk-world.ts';

const folder = process.argv[2] ?? '';
const runDir = join(folder, 'run');
const ports = realPorts();
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const exits: Exit[] = [];

function fill(): void {
  mkdirSync(join(runDir, 'components', 'sale'), { recursive: true });
  const file = openSync(join(runDir, 'somebody-elses'), 'a');
  for (const bytes of [65_536, 4_096, 1]) {
    try {
      for (;;) writeSync(file, Buffer.alloc(bytes));
    } catch {
      // No room for so many.
    }
  }
  closeSync(file);
}

const agent = () => createControl({ runDir, ports, log });
let lives = 0;
async function start(control = agent()) {
  fill();
  lives += 1;
  const spec = {
    ...{ component: 'sale', instance: `life-${lives}`, token: 't' },
    command: ['sh', '-c', 'trap "exit 7" TERM; while :; do sleep 0.05; done'],
    env: {
      PATH: process.env['PATH'] ?? '',
      TILLWATCH_COMPONENT: 'sale',
      TILLWATCH_SOCKET: join(runDir, 'channel.sock'),
    },
    logFile: join(folder, 'data', `${lives}.log`),
  };
  const began = performance.now();
  const spawned = await control.spawn(spec, (exit) => exits.push(exit));
  return { control, spawned, tookMs: performance.now() - began };
}
async function ended(count: number): Promise<Exit | undefined> {
  for (let n = 0; n < 200 && exits.length < count; n += 1) await pause(20);
  return exits[count - 1];
}

const one = await start();
const first = one.spawned.ok ? one.spawned.value : undefined;
const isSame = (pid: number | undefined) => pid === first?.pid;
tell('started', { ok: one.spawned.ok, reason: one.spawned, tookMs: one.tookMs });
if (first !== undefined) {
  fill();
  const copy = await start();
  tell('copy', { ok: copy.spawned.ok });
  const later = agent();
  const found = await later.adopt('sale', (exit) => exits.push(exit));
  tell('adopted', { same: found !== undefined && 'life' in found && isSame(found.life.pid) });
  await pause(100); // until its shell has its trap
  one.control.terminate(first);
  tell('ended', { ...(await ended(1)) });
  await one.control.killTree(first);
  // Another life by the same agent, whose own record of the first could not be written over.
  const two = await start(one.control);
  tell('again', { ok: two.spawned.ok, reason: two.spawned });
  const third = agent();
  const again = await third.adopt('sale', () => undefined);
  const pid = two.spawned.ok ? two.spawned.value.pid : 0;
  tell('again adopted', { same: again !== undefined && 'life' in again && again.life.pid === pid });
  if (two.spawned.ok) await two.control.killTree(two.spawned.value);
}
process.exit();
