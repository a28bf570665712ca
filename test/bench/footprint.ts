// What an agent with three real components costs a till at rest: memory, processor time and bytes
// written to flash, beside a bare Node process in the same run. Numbers come from /proc [proc(5)]: resident is
// split into pages of files (nearly all of the Node binary, shared with every other Node on the till) and the
// rest, because the two are made smaller by different means.

import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { type Report, round, sleep } from './harness.ts';
import { startRig } from './rig.ts';

const TICKS_PER_SECOND = 100;
const SETTLE_MS = 20_000;

const field = (text: string, name: string): number =>
  Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN);

function look(pid: number) {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return {
    residentMB: field(rollup, 'Rss') / 1024,
    privateMB: (field(rollup, 'Private_Clean') + field(rollup, 'Private_Dirty')) / 1024,
    filesMB: field(status, 'RssFile') / 1024,
    // What a till loses by it: shared pages are divided among those who share them.
    proportionalMB: field(rollup, 'Pss') / 1024,
    wakeUps: field(status, 'voluntary_ctxt_switches'),
    cpuSeconds: (Number(stat[11]) + Number(stat[12])) / TICKS_PER_SECOND,
    writtenBytes: field(readFileSync(`/proc/${pid}/io`, 'utf8'), 'write_bytes'),
    threads: readdirSync(`/proc/${pid}/task`).length,
  };
}

export async function run(options: { seconds: number | undefined }): Promise<Report> {
  const seconds = options.seconds ?? 60;
  const bare = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  const rig = await startRig(1);
  try {
    for (const name of ['hardware', 'sale', 'sync']) await rig.component(name);
    await sleep(SETTLE_MS);
    const pid = rig.agent.pid ?? 0;
    const before = look(pid);
    await sleep(seconds * 1000);
    const after = look(pid);
    const peer = look(bare.pid ?? 0);
    const agent = {
      residentMB: round(after.residentMB),
      filesMB: round(after.filesMB),
      privateMB: round(after.privateMB),
      proportionalMB: round(after.proportionalMB),
      wakeUpsPerSecond: round((after.wakeUps - before.wakeUps) / seconds),
      cpuPercent: round(((after.cpuSeconds - before.cpuSeconds) / seconds) * 100),
      writtenMBPerDay: round(((after.writtenBytes - before.writtenBytes) / seconds) * 0.0864),
      threads: after.threads,
    };
    const bareNode = {
      residentMB: round(peer.residentMB),
      filesMB: round(peer.filesMB),
      privateMB: round(peer.privateMB),
    };
    return {
      name: 'footprint',
      figures: {
        agent,
        bareNode,
        residentRatio: round(agent.residentMB / bareNode.residentMB),
        seconds,
      },
      targets: { 'agent.residentMB': 72, 'agent.privateMB': 30, 'agent.cpuPercent': 0.5 },
      notes: ['written: bytes that reached the block layer, extrapolated from the window to a day'],
    };
  } finally {
    bare.kill();
    await rig.close();
  }
}
