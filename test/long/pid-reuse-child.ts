// In a pid namespace of its own with few numbers: a component dies, a stranger gets its number or that of its shim, and
// everything that the agent does to a life is done to the dead one. Tells who lived and what was believed.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { realPorts } from '../../agent/system.ts';
import { createControl, type Exit } from '../../agent/watchdog/control.ts';
import { readStat } from '../../agent/watchdog/identity.ts';
import { pause, tell } from './disk-world.ts';

const ports = realPorts();
const runDir = mkdtempSync(join(tmpdir(), 'tw-reuse-'));
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** A leader of its own session and group, as the shim was. */
async function strangerAs(pid: number): Promise<ChildProcess> {
  for (let n = 0; n < 50; n += 1) {
    writeFileSync('/proc/sys/kernel/ns_last_pid', String(pid - 1));
    const child = spawn('sleep', ['1000'], { stdio: 'ignore', detached: true });
    if (child.pid === pid) return child;
    child.kill('SIGKILL');
    await pause(10);
  }
  throw new Error(`${pid} was not given to anybody`);
}

async function attack(whose: 'main' | 'shim'): Promise<void> {
  const exits: Exit[] = [];
  const control = createControl({ runDir, ports, log });
  const spec = {
    ...{ component: 'sale', token: 't', command: ['sleep', '1000'] },
    ...{ env: { PATH: process.env['PATH'] ?? '' }, logFile: join(runDir, 'log') },
  };
  const one = { ...spec, instance: `one-${whose}` };
  const spawned = await control.spawn(one, (exit) => exits.push(exit));
  if (!spawned.ok) throw new Error(spawned.reason);
  const life = spawned.value;
  control.usage(life);
  control.sample(life); // what stays open of it from now on is of the dead
  process.kill(life.shimPid, 'SIGKILL');
  process.kill(life.pid, 'SIGKILL');
  for (let n = 0; n < 100 && exits.length === 0; n += 1) await pause(20);
  const pid = whose === 'main' ? life.pid : life.shimPid;
  const stranger = await strangerAs(pid);
  const believed = [control.sample(life), control.usage(life), control.descriptors(life)];
  const { processes } = control.evidence(life);
  control.terminate(life);
  control.abort(life);
  const frozen = control.freeze(life, true);
  await control.killTree(life);
  const found = await createControl({ runDir, ports, log }).adopt('sale', () => undefined);
  const again = await control.spawn({ ...spec, instance: `two-${whose}` }, () => undefined);
  await pause(50);
  const state = readStat(ports.files, pid)?.state;
  const isAdopted = found !== undefined && 'life' in found;
  tell(whose, {
    exits: exits.length,
    believed,
    processes,
    frozen,
    isAdopted,
    again: again.ok,
    state,
  });
  if (again.ok) await control.killTree(again.value);
  stranger.kill('SIGKILL');
}

await attack('main');
await attack('shim');
rmSync(runDir, { recursive: true });
process.exit();
