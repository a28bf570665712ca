// How soon a death is heard: the same program dies under our process control, under our control after the one that
// started it was killed (adopted), and under a plain Node parent, in turns. Three moments on CLOCK_MONOTONIC: the
// program's own last act, the kernel has taken it down (death-clock.ts), our callback. Only the last stretch is
// ours; the first is the same whoever watches.

import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { realPorts } from '../../agent/system.ts';
import { createControl } from '../../agent/watchdog/control.ts';
import { type DeathClock, startDeathClock } from './death-clock.ts';
import { type Report, round, sleep, spread, until } from './harness.ts';
import type { Options } from './options.ts';
import * as tills from './peers/till.ts';
import { bundleProgram } from './peers/trial.ts';

const supervisor = resolve('test/real/control-supervisor.ts');
const SETTLE_MS = 250;
const quiet = { info: () => {}, warn: () => {}, error: () => {} };

/** Milliseconds: last act to death, death to callback. */
type Heard = { dyingMs: number; noticedMs: number };

const specOf = (till: tills.Till) => ({
  component: 'till',
  instance: randomUUID(),
  token: 'bench',
  command: [...till.command],
  env: { ...process.env, ...till.env } as Record<string, string>,
  logFile: join(till.dir, 'log'),
});
const controlIn = (till: tills.Till) =>
  createControl({ runDir: join(till.dir, 'run'), ports: realPorts(), log: quiet });

/** @param heard resolves with the moment of the callback. */
async function die(till: tills.Till, clock: DeathClock, heard: Promise<number>): Promise<Heard> {
  const pid = await until('the program', () => tills.ask(till));
  await sleep(SETTLE_MS);
  const { gone } = await clock.watch(pid);
  await tills.ask(till, '/fault?kind=crash');
  const [heardMs, goneMs] = await Promise.all([heard, gone]);
  const last = tills.told(till).findLast((said) => said.kind === 'last')?.atMs ?? Number.NaN;
  return { dyingMs: goneMs - last, noticedMs: heardMs - goneMs };
}

async function ours(till: tills.Till, clock: DeathClock): Promise<Heard> {
  const heard = Promise.withResolvers<number>();
  const control = controlIn(till);
  const life = await control.spawn(specOf(till), () => heard.resolve(tills.monotonicMs()));
  if (!life.ok) throw new Error(life.reason);
  return die(till, clock, heard.promise);
}

const ended = (child: ChildProcess): Promise<void> =>
  new Promise((done) => {
    child.once('exit', () => done());
  });

async function adopted(till: tills.Till, clock: DeathClock): Promise<Heard> {
  const report = join(till.dir, 'report');
  const order = { runDir: join(till.dir, 'run'), report, spec: specOf(till) };
  const first = spawn(process.execPath, [supervisor, JSON.stringify(order)], { stdio: 'ignore' });
  await until('the program', () => tills.ask(till));
  const firstEnded = ended(first);
  first.kill('SIGKILL');
  await firstEnded;
  const heard = Promise.withResolvers<number>();
  const taken = await controlIn(till).adopt('till', () => heard.resolve(tills.monotonicMs()));
  if (taken === undefined || 'exited' in taken) {
    throw new Error(`not adopted; the first said ${readFileSync(report, 'utf8')}`);
  }
  return die(till, clock, heard.promise);
}

function plain(till: tills.Till, clock: DeathClock): Promise<Heard> {
  const heard = Promise.withResolvers<number>();
  const [program, ...rest] = till.command;
  const env = { ...process.env, ...till.env };
  const child = spawn(program, rest, { env, stdio: 'ignore' });
  child.once('exit', () => heard.resolve(tills.monotonicMs()));
  return die(till, clock, heard.promise);
}

/** In milliseconds. */
export async function noticing(n: number) {
  const built = await bundleProgram();
  const clock = startDeathClock();
  const kinds = { ours, adopted, plainParent: plain };
  const times: Record<keyof typeof kinds, Heard[]> = { ours: [], adopted: [], plainParent: [] };
  // The control holds nothing open by itself: it is a guest in the agent's loop.
  const awake = setInterval(() => {}, 1_000);
  try {
    for (let i = 0; i < n; i += 1) {
      for (const kind of ['ours', 'adopted', 'plainParent'] as const) {
        const till = await tills.makeTill(built.root, `${kind}-${i}`, built.program);
        mkdirSync(join(till.dir, 'run'));
        times[kind].push(await kinds[kind](till, clock));
        await tills.endAll(till);
      }
    }
  } finally {
    clearInterval(awake);
    await clock.close();
    rmSync(built.root, { recursive: true, force: true });
  }
  const of = (heard: readonly Heard[]) => spread(heard.map((h) => h.noticedMs));
  const all = Object.values(times).flat();
  return {
    ours: of(times.ours),
    adopted: of(times.adopted),
    plainParent: of(times.plainParent),
    dying: spread(all.map((h) => round(h.dyingMs))),
  };
}

export const NOTICE_TARGETS = { 'noticed.ours.p50': 1, 'noticed.adopted.p50': 1 };
export const NOTICE_NOTE =
  'noticed: from when the kernel has taken the process down to the callback (0.1 ms); dying: last act to that';

const N = 50;
export async function run(options: Options): Promise<Report> {
  const noticed = await noticing(options.n ?? N);
  return {
    name: 'notice',
    figures: { noticed },
    targets: NOTICE_TARGETS,
    notes: [NOTICE_NOTE],
  };
}
