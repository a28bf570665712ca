// One peer from its start to what it leaves behind: n of each fault, then its own death by SIGKILL, its return, one
// more crash, and its end in good order. The clock is the bench's (CLOCK_MONOTONIC); a crash counts from the
// program's own last act, the others from the signal or the request that causes them.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { sleep, until } from '../harness.ts';
import type { Fault, Peer, Supervisor } from './peer.ts';
import * as tills from './till.ts';

/** A hang that was not found by then is told as never. */
export const NEVER_MS = 30_000;
const FIRST_START_MS = 30_000;
/** Longer than the slowest start window of a peer: supervisord's is 1 s, monit's is set to 2 s. */
const SETTLE_MS = 3_000;
/** Four seconds of work and what a slow supervisor may need to act on them. */
const COMPUTE_WATCHED_MS = 8_000;
const ALONE_MS = 3_000;
const RETURN_MS = 6_000;
/** Until what was printed last is on the disk of whoever reads it through a pipe. */
const FLUSH_MS = 500;

export type Times = {
  readonly detectedMs: number | undefined;
  readonly readyMs: number | undefined;
};
export type Running = { readonly till: tills.Till; readonly supervisor: Supervisor };
export type Lost = { lines: number; printed: number };

/** The program of all peers as one file: type stripping would cost each start 100 ms. */
export async function bundleProgram(): Promise<{ root: string; program: string }> {
  const root = mkdtempSync(join(tmpdir(), 'tw-'));
  const program = join(root, 'program.mjs');
  await build({
    entryPoints: [join(import.meta.dirname, 'program.ts')],
    outfile: program,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    logLevel: 'error',
  });
  return { root, program };
}

let count = 0;
export async function begin(peer: Peer, root: string, program: string): Promise<Running> {
  count += 1;
  const till = await tills.makeTill(root, `${peer.key}-${count}`, program);
  const supervisor = await peer.start(till);
  if ((await tills.served(till, [], FIRST_START_MS)) === undefined) {
    await supervisor.stop();
    await tills.endAll(till);
    throw new Error(`${peer.name} did not start the program within ${FIRST_START_MS} ms`);
  }
  return { till, supervisor };
}

export async function finish({ till, supervisor }: Running): Promise<void> {
  await supervisor.stop().catch(() => undefined);
  await tills.endAll(till);
  rmSync(till.dir, { recursive: true, force: true });
}

async function inject(fault: Fault, till: tills.Till, pid: number): Promise<number> {
  const atMs = tills.monotonicMs();
  if (fault === 'stop') process.kill(pid, 'SIGSTOP');
  else await tills.ask(till, `/fault?kind=${fault}`);
  if (fault !== 'crash') return atMs;
  return until('the last act', () => {
    const said = tills.told(till).findLast((s) => s.kind === 'last' && s.pid === pid);
    return said?.atMs;
  });
}

/** Causes a fault and waits for the next life; both undefined when none came in time. */
export async function trial(
  running: Running,
  fault: Fault,
  lost: Lost,
  { withinMs, phaseMs }: { readonly withinMs: number; readonly phaseMs: number },
): Promise<Times> {
  const { till, supervisor } = running;
  await sleep(SETTLE_MS + phaseMs);
  const pid = await until('the program', async () => tills.ask(till));
  const before = tills.lives(till).map((life) => life.pid);
  let over = false;
  const { record } = supervisor;
  const found = record && tills.lineAdded(record, () => over);
  const startMs = await inject(fault, till, pid);
  const next = await tills.served(till, before, withinMs);
  over = true;
  const foundMs = await found;
  if (next !== undefined) {
    await sleep(FLUSH_MS);
    lost.lines += tills.lostLines(till, pid, supervisor.output());
    lost.printed += tills.printedBy(till, pid);
  }
  return {
    detectedMs: foundMs === undefined ? undefined : foundMs - startMs,
    readyMs: next && next.atMs - startMs,
  };
}

/** A computation of four seconds is no hang. @returns whether it was killed for it. */
export async function computes(running: Running, phaseMs: number): Promise<boolean> {
  const { till } = running;
  await sleep(SETTLE_MS + phaseMs);
  const before = tills.lives(till).map((life) => life.pid);
  await tills.ask(till, '/fault?kind=compute');
  return (await tills.served(till, before, COMPUTE_WATCHED_MS)) !== undefined;
}

export type Death = {
  /** Three seconds after its SIGKILL the till still answers. */
  readonly sellsOn: boolean;
  /** After its return: what became of the program that it had started. */
  readonly after: 'adopted' | 'copies' | 'anew' | 'down';
  /** Further copies that its return started while the first ran. */
  readonly copies: number;
  /** Of the life that it left alone, as far as the peer keeps output. */
  readonly lostLines: number;
  /** A crash after its return; undefined: nobody noticed within 30 s. */
  readonly crashReadyMs: number | undefined;
};

/** The supervisor itself is killed, is away for three seconds and comes back. */
export async function killSupervisor(running: Running): Promise<Death | undefined> {
  const { till, supervisor } = running;
  const supervisorPid = supervisor.pid();
  if (supervisorPid === undefined) return undefined;
  await sleep(SETTLE_MS);
  const pid = await until('the program', async () => tills.ask(till));
  const before = tills.lives(till).length;
  process.kill(supervisorPid, 'SIGKILL');
  await sleep(ALONE_MS);
  const sellsOn = (await tills.ask(till)) === pid;
  await supervisor.again().catch(() => undefined);
  await sleep(RETURN_MS);
  const copies = tills.lives(till).length - before;
  const answers = await tills.ask(till);
  const isSame = answers === pid;
  const after = isSame ? (copies === 0 ? 'adopted' : 'copies') : answers ? 'anew' : 'down';
  const ignored = { lines: 0, printed: 0 };
  const once = { withinMs: NEVER_MS, phaseMs: 0 };
  const crash = answers === undefined ? undefined : await trial(running, 'crash', ignored, once);
  return {
    sellsOn,
    after,
    copies: isSame ? copies : 0,
    lostLines: tills.lostLines(till, pid, supervisor.output()),
    crashReadyMs: crash?.readyMs,
  };
}
