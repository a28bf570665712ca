// What is no hang, for minutes on end, with the very settings under which test/long/hangs.test.ts finds every one:
// a machine with twice the work that it can do, an agent that is stopped, wall clocks that jump, a long computation,
// a queue of quick requests, a remote party that is away. Not one component may be killed. TILLWATCH_CALM_MS
// shortens it while one works on it.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fault, Rig, until } from '../real/agent-rig.ts';
import { ward } from './patients/ward.ts';

const CALM_MS = Number(process.env['TILLWATCH_CALM_MS'] ?? 300_000);
const FAKETIME = [
  '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1',
  '/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1',
].find((path) => existsSync(path));
const QUICK_REQUESTS = 10_000;
const TOGETHER = 100;

const sleep = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));
const program = (name: string, file: string) => {
  return { name, version: '1.0.0', command: [process.execPath, resolve(file)] };
};

let rig: Rig;
let clock: string;
let url: string;
const spinners: ChildProcess[] = [];

beforeAll(async () => {
  if (FAKETIME === undefined && process.env['TILLWATCH_REQUIRE'] === 'all') {
    throw new Error('libfaketime is needed: the Debian package faketime');
  }
  rig = new Rig();
  const patients = await ward(
    [
      { name: 'node-well', language: 'node', mode: 'well', afterMs: 0 },
      { name: 'python-well', language: 'python', mode: 'well', afterMs: 0 },
      { name: 'shell-well', language: 'shell', mode: 'well', afterMs: 0 },
      { name: 'node-computes', language: 'node', mode: 'computation', afterMs: CALM_MS / 4 },
      { name: 'python-computes', language: 'python', mode: 'computation', afterMs: CALM_MS / 2 },
    ],
    rig.folder,
  );
  const probe = patients[0]?.probes[0];
  url = probe !== undefined && 'url' in probe ? String(probe.url) : '';
  rig.configure([
    ...patients,
    fault('beats'),
    fault('collects', ['--gc-ms', '4000']),
    program('toils', 'test/real/agent-toiler.ts'),
    program('uploads', 'test/long/patients/uplink.ts'),
  ]);
  clock = join(rig.folder, 'clock');
  writeFileSync(clock, '+0');
  const faked = {
    LD_PRELOAD: FAKETIME,
    FAKETIME_TIMESTAMP_FILE: clock,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
  void rig.start(FAKETIME === undefined ? {} : faked);
});
afterAll(async () => {
  for (const spinner of spinners) spinner.kill('SIGKILL');
  await rig.clean();
});

const NAMES = [
  ...['node-well', 'python-well', 'shell-well', 'node-computes', 'python-computes'],
  ...['beats', 'collects', 'toils', 'uploads'],
];

/** Twice as many threads that want a whole core as there are cores. */
function starve(): void {
  for (let n = 0; n < 2 * cpus().length; n += 1) {
    spinners.push(spawn('/bin/sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' }));
  }
}

/** Percent of the last ten seconds in which somebody waited for a processor [PSI]. */
function pressure(): number | undefined {
  try {
    const text = readFileSync('/proc/pressure/cpu', 'utf8');
    return Number(/some avg10=([\d.]+)/.exec(text)?.[1]);
  } catch {
    return undefined;
  }
}

const ask = (): Promise<number> =>
  new Promise((done) => {
    const asked = request(url, { agent: false }, (response) => {
      response.resume();
      response.once('end', () => done(1));
    });
    asked.once('error', () => done(0));
    asked.end();
  });

async function manyQuickRequests(): Promise<number> {
  let answered = 0;
  let left = QUICK_REQUESTS;
  const customer = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const one = await ask();
      answered += one;
    }
  };
  await Promise.all(Array.from({ length: TOGETHER }, customer));
  return answered;
}

async function pauseAgent(ms: number): Promise<void> {
  const pid = rig.agent?.pid;
  if (pid === undefined) throw new Error('no agent');
  process.kill(pid, 'SIGSTOP');
  await sleep(ms);
  process.kill(pid, 'SIGCONT');
}

describe('five minutes in which everything is slow and nothing hangs', () => {
  it('kill nobody', async () => {
    for (const name of NAMES) await rig.ready(name);
    starve();
    const begin = performance.now();
    const at = (share: number) => sleep(Math.max(0, begin + share * CALM_MS - performance.now()));
    let pressed = 0;
    const watching = setInterval(() => {
      pressed = Math.max(pressed, pressure() ?? 100);
    }, 1_000);
    await at(0.1);
    await pauseAgent(5_000);
    await at(0.2);
    writeFileSync(clock, '-1d');
    await at(0.35);
    writeFileSync(clock, '+366d');
    await at(0.5);
    const answered = await manyQuickRequests();
    await at(0.75);
    writeFileSync(clock, '+0');
    await pauseAgent(5_000);
    await at(1);
    clearInterval(watching);
    expect(answered).toBe(QUICK_REQUESTS);
    expect(pressed, 'the machine was starved').toBeGreaterThan(50);
    for (const name of NAMES) {
      const told = rig.lines(name).map(({ message }) => message);
      const harm = told.filter((line) => /is killed|incident opened|is asked to stop/.test(line));
      expect([name, ...harm]).toEqual([name]);
      expect(rig.lines(name).filter(({ to }) => to === 'starting')).toHaveLength(1);
    }
    const paused = rig.log().filter(({ message }) => message.includes('itself did not run'));
    expect(paused.length).toBeGreaterThanOrEqual(2);
    if (FAKETIME !== undefined) {
      const days = new Set(rig.log().map(({ timestamp }) => String(timestamp).slice(0, 10)));
      expect(days.size, 'the clock was moved').toBeGreaterThanOrEqual(3);
    }
  });

  it('and with the machine still starved, a hang is found all the same', async () => {
    const pid = await rig.ready('beats');
    process.kill(pid, 'SIGSTOP');
    const { opened } = await rig.healed('beats');
    expect(opened.cause).toBe('hang');
    await until('the next life is ready', () => rig.copies('beats').length === 1);
  });
});
