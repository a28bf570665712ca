// The hands of the watchdog: starts, adopts, looks at and ends components, and decides nothing. A component
// runs under a shell shim (shim.ts) in a session of its own with its output on files, so that the agent's
// death, restart or upgrade never stops a sale, and a record on tmpfs (record.ts) lets the next agent take
// it over. Node's own child handles are not enough for that: they end with the process that made them.

import { join } from 'node:path';
import type { Result } from '../../protocol/result.ts';
import type { Log, Ports } from '../ports.ts';
import { type Adopted, adopt, type Died, retire } from './adopt.ts';
import { Disturbances } from './disturbance.ts';
import type { Life } from './end-watch.ts';
import { collectEvidence, type Evidence } from './evidence.ts';
import { amend, type Context, type SpawnSpec } from './hands.ts';
import { askToEnd, signalIdentity } from './identity.ts';
import { Kindred } from './kin.ts';
import { endMarked, markedPids } from './marked.ts';
import type { ThreadSample } from './model.ts';
import { sweepProbes } from './probe-sweep.ts';
import { isDead, parseSchedstat, parseStat, parseStatus } from './proc.ts';
import type { Exit } from './shim.ts';
import { spawn } from './spawn.ts';
import { endStrays } from './strays.ts';
import { killTree } from './tree.ts';
import { createUsage, type Usage } from './usage.ts';

export type { Adopted, Evidence, Exit, Life, SpawnSpec };

/** What the next agent is to know of a life beside its identity. */
export type LifeFacts = { readonly ready: boolean; readonly turns?: boolean };

export type Control = {
  /** onExit comes once, after the promise was resolved. Refused while a copy runs. */
  readonly spawn: (spec: SpawnSpec, onExit: (exit: Exit) => void) => Promise<Result<Life>>;
  /** What an earlier agent of this boot started; `exited` when it ended unwatched, told once. */
  readonly adopt: (
    component: string,
    onExit: (exit: Exit) => void,
  ) => Promise<Adopted | Died | undefined>;
  readonly record: (life: Life, facts: LifeFacts) => void;
  /** The main thread; undefined when it is gone. */
  readonly sample: (life: Life) => ThreadSample | undefined;
  /** The agent has the main thread asked something: until the answer, samples say what was so before. */
  readonly disturb: (life: Life) => () => void;
  readonly usage: Usage['tree'];
  readonly descriptors: Usage['descriptors'];
  /**
   * Once, when an agent begins. Ends what runs under any other name (it was renamed or taken out, and nobody
   * watches it) and the probes that an agent before did not live to end.
   */
  readonly retireOthers: (configured: ReadonlySet<string>) => Promise<void>;
  readonly terminate: (life: Life) => void;
  /** SIGABRT to the main process alone: it is to leave a dump. */
  readonly abort: (life: Life) => void;
  readonly killTree: (life: Life) => Promise<{ survivors: number[] }>;
  /** A start that is under way is no longer waited for; only one of a process that we do not start ourselves. */
  readonly abandon: (component: string) => void;
  readonly evidence: (life: Life) => Evidence;
  /** For drills: stops the main process as anybody's SIGSTOP does, or lets it go on. */
  readonly freeze: (life: Life, on: boolean) => boolean;
  /** Processes that carry the marks of a component of this run directory, of whichever life but that one. */
  readonly marked: (component: string, exceptInstance?: string) => number[];
  /** Ends all of those. @returns who is left. */
  readonly endMarked: (component: string) => Promise<number[]>;
};

/** One look at the main thread, whose number is the pid [proc(5)]: three reads, about 20 us. */
function sampleThread({ files }: Ports, { main }: Life): ThreadSample | undefined {
  const thread = `/proc/${main.pid}/task/${main.pid}`;
  const stat = parseStat(files.reread(`${thread}/stat`));
  if (stat === undefined || stat.startTicks !== main.startTicks || isDead(stat)) return undefined;
  const status = parseStatus(files.reread(`${thread}/status`));
  if (status === undefined) return undefined;
  // Nanoseconds where the kernel keeps them, else ticks of 10 ms and no run delay.
  const exact = parseSchedstat(files.reread(`${thread}/schedstat`));
  const { cpuMs, runDelayMs } = exact ?? { cpuMs: stat.cpuMs, runDelayMs: 0 };
  return { state: stat.state, cpuMs, runDelayMs, voluntarySwitches: status.voluntarySwitches };
}

export type ControlOptions = {
  /** Must be locked by the caller (lockRunDir): two agents would each start every component. */
  readonly runDir: string;
  /** The agent's, and its alone: what it started is known by it wherever the run directory was. */
  readonly dataDir?: string | undefined;
  readonly ports: Ports;
  readonly log: Log;
};

export function createControl({ runDir, dataDir, ports, log }: ControlOptions): Control {
  const context: Context = {
    runDir,
    dataDir,
    ports,
    log,
    watches: new Map(),
    ended: new Map(),
    busy: new Set(),
    kindred: new Kindred(),
  };
  const usage = createUsage(context);
  const disturbances = new Disturbances(ports.timers);
  return {
    spawn: (spec, onExit) => spawn(context, spec, onExit),
    adopt: (component, onExit) => adopt(context, component, onExit),
    retireOthers: async (configured) => {
      const probes = sweepProbes(ports, runDir);
      if (probes.length > 0) log.warn('probes of an agent that was killed are ended', { probes });
      const names = ports.files.list(join(runDir, 'components'));
      const others = names.filter((name) => !configured.has(name));
      await Promise.all(others.map((name) => retire(context, name)));
      await endStrays(context);
    },
    record: (life, facts) => amend(context, life, facts),
    sample: (life) => {
      context.kindred.glance(ports, life);
      const sample = sampleThread(ports, life);
      const watching = context.watches.get(life.component);
      if (sample === undefined && watching?.life.instance === life.instance) watching.foundDead();
      return disturbances.undone(life.instance, sample);
    },
    disturb: (life) => disturbances.begin(life.instance, () => sampleThread(ports, life)),
    usage: usage.tree,
    descriptors: usage.descriptors,
    terminate: (life) => {
      amend(context, life, { asked: true });
      askToEnd(ports, life);
    },
    abort: (life) => {
      signalIdentity(ports, life.main, 'SIGABRT');
      // A stopped one cannot obey.
      signalIdentity(ports, life.main, 'SIGCONT');
    },
    killTree: (life) => {
      const watching = context.watches.get(life.component);
      if (watching?.life.instance === life.instance) watching.killing();
      return killTree(ports, life, context.kindred.of(life.instance));
    },
    abandon: () => undefined,
    evidence: (life) => collectEvidence(ports, life, context.kindred.of(life.instance)),
    freeze: (life, on) => signalIdentity(ports, life.main, on ? 'SIGSTOP' : 'SIGCONT'),
    marked: (component, except) => markedPids(context, component, except),
    endMarked: (component) => endMarked(context, component),
  };
}
