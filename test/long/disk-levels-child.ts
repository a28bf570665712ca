// A real agent on a disk of 50 MB that somebody else fills step by step, to the last byte, and then makes read-only:
// run by disk-levels.test.ts in a world of its own.

import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { DiskLevel } from '../../agent/low-disk.ts';
import { LEVEL_REASONS } from '../../agent/low-disk.ts';
import { fault, isAlive, Rig, until } from '../real/agent-rig.ts';
import { drain, eventsOf, fakeClock, open } from '../unit/outbox-rig.ts';
import { pause, tell } from './disk-world.ts';

const MEBIBYTE = 1024 * 1024;
const [world = ''] = process.argv.slice(2);

/** Its sockets are on another disk, as on a till: what it started is found by those. */
class WorldRig extends Rig {
  override marked(): number[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => {
        try {
          const environment = readFileSync(`/proc/${pid}/environ`, 'latin1');
          return environment.includes(`TILLWATCH_SOCKET=${world}/run/`) && isAlive(pid);
        } catch {
          return false;
        }
      });
  }
}
const rig = new WorldRig();
const disk = join(world, 'data');
const foreign = join(disk, 'foreign');
const reserve = join(rig.folder, 'data', 'reserve');
const runDir = join(world, 'run', 'agent');

const free = (): number => {
  const { bavail, bsize } = statfsSync(disk);
  return bavail * bsize;
};
/** Somebody else's file grows until so much is free. */
function fillTo(freeBytes: number): void {
  const block = Buffer.alloc(64 * 1024);
  while (free() > freeBytes + block.length) appendFileSync(foreign, block);
}
function fillUp(): void {
  for (const size of [64 * 1024, 4096, 1]) {
    try {
      for (;;) appendFileSync(foreign, Buffer.alloc(size));
    } catch {
      // No space is left in pieces of this size.
    }
  }
}
const said = (level: DiskLevel) =>
  until(
    `the level is ${level}`,
    () => rig.log().some(({ message }) => message === LEVEL_REASONS[level]),
    90_000,
  );
const outboxEvents = () => {
  const outbox = open(join(rig.folder, 'data'), fakeClock(), { bytesMax: 64 * MEBIBYTE });
  const batches = drain(outbox).filter(({ stream }) => stream === 'events');
  outbox.close();
  return batches.flatMap(eventsOf);
};
const pids = (): number[] => rig.copies('sale');
const onlyPid = () =>
  until('one sale runs', () => {
    const [pid, another] = pids();
    return another === undefined ? pid : undefined;
  });
/** kill(2): 0 and below are groups, our own among them. */
function end(pid: number): void {
  if (pid > 1) process.kill(pid, 'SIGKILL');
}
const otherThan = (pid: number) =>
  until('another sale runs', () => pids().find((found) => found !== pid), 30_000);

async function fills(): Promise<void> {
  await rig.ready('sale');
  await until('the reserve is made', () => existsSync(reserve), 20_000);
  tell('before', {
    free: free(),
    reserveBytes: execFileSync('stat', ['-c', '%s', reserve]).toString(),
  });
  fillTo(11 * MEBIBYTE);
  await said('journal');
  fillTo(8 * MEBIBYTE);
  await said('evidence');
  fillTo(6 * MEBIBYTE);
  await said('metrics');
  fillTo(4 * MEBIBYTE);
  await said('reserve');
  fillUp();
  tell('full', { free: free(), reserve: existsSync(reserve) });
  const pid = await onlyPid();
  const killedMs = Date.now();
  end(pid);
  const next = await otherThan(pid);
  await pause(7_000);
  tell('healed', {
    alive: pids().length,
    isNew: next !== pid,
    killedMs,
    reserve: existsSync(reserve),
  });
  rmSync(foreign);
  await said('normal');
  await until('the reserve is there again', () => existsSync(reserve), 20_000);
}

async function readOnly(): Promise<void> {
  const remount = (how: string) => execFileSync('mount', ['-o', `remount,${how}`, disk]);
  const backlog = outboxEvents().length;
  const before = open(join(rig.folder, 'data'), fakeClock());
  before.addEvent({ kind: 'agent_stopping', component: '', fields: { reason: 'kept', left: [] } });
  before.close();
  remount('ro');
  const ended = rig.start();
  const pid = await onlyPid();
  await pause(6_000);
  end(pid);
  await otherThan(pid);
  await pause(3_000);
  remount('rw');
  await until('it is back', () =>
    rig.log().some(({ message }) => message.includes('on disk again')),
  );
  await said('normal');
  rig.agent?.kill('SIGTERM');
  await ended;
  const files = readdirSync(join(rig.folder, 'data'));
  const events = outboxEvents();
  tell('read_only', {
    ...{ backlog, files, damaged: files.filter((name) => name.includes('damaged')) },
    kinds: events.map(({ kind, fields }) => [kind, fields['level'] ?? fields['reason']]),
  });
}

try {
  rig.configure([fault('sale', [])], { runDir });
  const ended = rig.start();
  await fills();
  rig.agent?.kill('SIGTERM');
  await ended;
  const events = outboxEvents();
  tell('levels', {
    levels: events.filter(({ kind }) => kind === 'disk').map(({ fields }) => fields['level']),
    incidents: events
      .filter(({ kind }) => kind.startsWith('incident'))
      .map(({ kind, timeMs }) => [kind, timeMs]),
    gaps: events.filter(({ kind }) => kind === 'gap').map(({ fields }) => fields),
  });
  pids().forEach(end);
  await until('nothing runs', () => rig.marked().length === 0);
  writeFileSync(join(rig.folder, 'data', 'agent.log'), '');
  await readOnly();
} finally {
  await rig.clean();
}
