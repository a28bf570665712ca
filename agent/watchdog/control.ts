// The hands of the watchdog: starts, adopts, looks at and ends components, and decides nothing. A component
// runs under a shell shim (shim.ts) in a session of its own with its output on files, so that the agent's
// death, restart or upgrade never stops a sale, and a record on tmpfs (record.ts) lets the next agent take
// it over. Node's own child handles are not enough for that: they end with the process that made them.

import { join } from 'node:path';
import type { Result } from '../../protocol/result.ts';
import type { Log, Ports } from '../ports.ts';
import { type Adopted, adopt, retire } from './adopt.ts';
import type { Life } from './end-watch.ts';
import { collectEvidence, type Evidence } from './evidence.ts';
import { amend, type Context, type SpawnSpec } from './hands.ts';
import { askToEnd, isAlive } from './identity.ts';
import type { ThreadSample } from './model.ts';
import { isDead, parseSchedstat, parseStat, parseStatus, type Stat } from './proc.ts';
import type { Exit } from './shim.ts';
import { spawn } from './spawn.ts';
import { killTree, quickMembers, scan } from './tree.ts';

export type { Adopted, Evidence, Exit, Life, SpawnSpec };

export type Control = {
  /** onExit comes once, after the promise was resolved. Refused while a copy runs. */
  readonly spawn: (spec: SpawnSpec, onExit: (exit: Exit) => void) => Promise<Result<Life>>;
  /** What an earlier agent of this boot started; `exited` when it ended unwatched, told once. */
  readonly adopt: (
    component: string,
    onExit: (exit: Exit) => void,
  ) => Promise<Adopted | { readonly exited: Exit } | undefined>;
  readonly record: (life: Life, facts: { readonly ready: boolean }) => void;
  /** The main thread; undefined when it is gone. */
  readonly sample: (life: Life) => ThreadSample | undefined;
  /** Of the whole tree, the shim left out. CPU time never falls. */
  readonly usage: (life: Life) => { residentBytes: number; cpuSeconds: number } | undefined;
  /** Ends what runs under any other name: it was renamed or taken out, and nobody watches it. */
  readonly retireOthers: (configured: ReadonlySet<string>) => Promise<void>;
  readonly terminate: (life: Life) => void;
  readonly killTree: (life: Life) => Promise<{ survivors: number[] }>;
  readonly evidence: (life: Life) => Evidence;
};

/** One look at the main thread, whose number is the pid [proc(5)]: three reads, about 40 us. */
function sampleThread({ files }: Ports, { main }: Life): ThreadSample | undefined {
  const thread = `/proc/${main.pid}/task/${main.pid}`;
  const stat = parseStat(files.read(`${thread}/stat`));
  if (stat === undefined || stat.startTicks !== main.startTicks || isDead(stat)) return undefined;
  const status = parseStatus(files.read(`${thread}/status`));
  if (status === undefined) return undefined;
  // Nanoseconds where the kernel keeps them, else ticks of 10 ms and no run delay.
  const exact = parseSchedstat(files.read(`${thread}/schedstat`));
  const { cpuMs, runDelayMs } = exact ?? { cpuMs: stat.cpuMs, runDelayMs: 0 };
  return { state: stat.state, cpuMs, runDelayMs, voluntarySwitches: status.voluntarySwitches };
}

/** All components are measured at one moment: one look at /proc, 5 ms for 100 processes, serves them all. */
const SCAN_FRESH_MS = 100;

function freshScan(ports: Ports): () => readonly Stat[] {
  let at = Number.NEGATIVE_INFINITY;
  let all: readonly Stat[] = [];
  return () => {
    const now = ports.clock.monotonicMs();
    if (now - at > SCAN_FRESH_MS) {
      all = scan(ports.files);
      at = now;
    }
    return all;
  };
}

function measureTree(
  { ports, watches }: Context,
  life: Life,
  all: () => readonly Stat[],
): { residentBytes: number; cpuSeconds: number } | undefined {
  if (!isAlive(ports, life.main)) return undefined;
  let residentBytes = 0;
  let cpuMs = 0;
  for (const stat of quickMembers(ports, life, all())) {
    residentBytes += parseStatus(ports.files.read(`/proc/${stat.pid}/status`))?.residentBytes ?? 0;
    cpuMs += stat.cpuMs + stat.childrenCpuMs;
  }
  const watching = watches.get(life.component);
  const cpuSeconds = Math.max(cpuMs / 1000, watching?.cpuSecondsMax ?? 0);
  if (watching !== undefined) watching.cpuSecondsMax = cpuSeconds;
  return { residentBytes, cpuSeconds };
}

export type ControlOptions = {
  /** Must be locked by the caller (lockRunDir): two agents would each start every component. */
  readonly runDir: string;
  readonly ports: Ports;
  readonly log: Log;
};

export function createControl({ runDir, ports, log }: ControlOptions): Control {
  const scanned = freshScan(ports);
  const context: Context = {
    runDir,
    ports,
    log,
    watches: new Map(),
    ended: new Map(),
    busy: new Set(),
  };
  return {
    spawn: (spec, onExit) => spawn(context, spec, onExit),
    adopt: (component, onExit) => adopt(context, component, onExit),
    retireOthers: async (configured) => {
      const names = ports.files.list(join(runDir, 'components'));
      const others = names.filter((name) => !configured.has(name));
      await Promise.all(others.map((name) => retire(context, name)));
    },
    record: (life, { ready }) => amend(context, life, { ready }),
    sample: (life) => sampleThread(ports, life),
    usage: (life) => measureTree(context, life, scanned),
    terminate: (life) => {
      amend(context, life, { asked: true });
      askToEnd(ports, life);
    },
    killTree: (life) => {
      const watching = context.watches.get(life.component);
      if (watching?.life.instance === life.instance) watching.killing();
      return killTree(ports, life);
    },
    evidence: (life) => collectEvidence(ports, life),
  };
}
