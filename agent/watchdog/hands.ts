// What spawning and adopting share: the place of a component on tmpfs, its record, the watch over its end and
// the sweep of what an earlier life left behind. Kept apart from control.ts so that starting, adopting and
// looking can each be read on its own.

import { join } from 'node:path';
import type { Log, Ports, RunAs } from '../ports.ts';
import { EndWatch, type Life } from './end-watch.ts';
import { type Identity, UNKNOWN_START } from './identity.ts';
import type { Kindred } from './kin.ts';
import type { Place } from './locate.ts';
import { type ComponentRecord, readRecord, writeRecord } from './record.ts';
import type { Exit } from './shim.ts';
import { killTree, type Target } from './tree.ts';

export type SpawnSpec = {
  readonly component: string;
  /** New for each start; also the mark by which escaped children are found. */
  readonly instance: string;
  readonly token: string;
  readonly command: readonly string[];
  readonly cwd?: string | undefined;
  readonly as?: RunAs | undefined;
  /** Whole; TILLWATCH_INSTANCE is set by control itself. */
  readonly env: Readonly<Record<string, string>>;
  readonly logFile: string;
  /** Runs when nothing is left of an earlier life and before this one begins; it must end by itself. */
  readonly beforeStart?: (() => Promise<unknown>) | undefined;
  readonly version?: string | undefined;
  readonly launch?: string | undefined;
};

export type Context = {
  readonly ports: Ports;
  readonly log: Log;
  readonly runDir: string;
  /** Marks what is started here; without it, copies under another run directory are not found. */
  readonly dataDir?: string | undefined;
  /** What lives now, by component. */
  readonly watches: Map<string, EndWatch>;
  /** The last that ended, by component: should its record be gone, its leftovers are known from here. */
  readonly ended: Map<string, Life>;
  /** Components whose spawn or adoption is under way. */
  readonly busy: Set<string>;
  /** Who was seen as a child of each life. */
  readonly kindred: Kindred;
};

export const placeOf = ({ runDir }: Pick<Context, 'runDir'>, component: string): Place => ({
  component,
  dir: join(runDir, 'components', component),
  socketPath: join(runDir, 'channel.sock'),
});

export const delay = (ports: Pick<Ports, 'timers'>, ms: number): Promise<void> =>
  new Promise((resolve) => {
    ports.timers.after(ms, resolve);
  });

export const pidsOf = ({ main, shim }: Target): ComponentRecord['pids'] => ({
  main: main.pid,
  mainStartTicks: main.startTicks,
  shim: shim.pid,
  shimStartTicks: shim.startTicks,
});

export function newRecord(spec: Omit<SpawnSpec, 'env' | 'command'>, ports: Ports): ComponentRecord {
  const { component, instance, token, logFile, version, launch } = spec;
  const { bootId, wallMs } = ports.clock;
  const facts = { bootId: bootId(), startedMs: wallMs(), ready: false };
  const about = { component, instance, token, logFile, version, launch };
  return { v: 1, phase: 'spawning', ...about, ...facts };
}

/** Writes only over a record of the same instance: a late word of an old life must not hide a new one. */
export function amend(context: Context, life: Life, change: Partial<ComponentRecord>): void {
  const { dir } = placeOf(context, life.component);
  const record = readRecord(context.ports.files, dir);
  if (record === undefined || record === 'damaged' || record.instance !== life.instance) return;
  const written = writeRecord(context.ports.files, dir, { ...record, ...change });
  if (!written.ok) context.log.error(`control: ${written.reason}`, { component: life.component });
}

/** From now on its end is heard; the first word of it comes after the caller's promise has resolved. */
export function watch(context: Context, life: Life, onExit: (exit: Exit) => void): EndWatch {
  const { dir } = placeOf(context, life.component);
  const watching = new EndWatch(context.ports, context.log, dir, life, (exit) => {
    context.watches.delete(life.component);
    context.ended.set(life.component, life);
    // Told first, noted then: after a crash in between it is told twice rather than never.
    onExit(exit);
    amend(context, life, { phase: 'ended' });
  });
  context.watches.set(life.component, watching);
  context.ports.timers.after(0, () => watching.begin());
  return watching;
}

function targetOf({ bootId, instance, pids }: ComponentRecord): Target {
  const of = (pid = 0, startTicks = UNKNOWN_START): Identity => ({ bootId, pid, startTicks });
  const main = of(pids?.main, pids?.mainStartTicks);
  return { instance, main, shim: of(pids?.shim, pids?.shimStartTicks) };
}

/** Whatever the last instance left behind (children that outlived it) would hold its ports and files. */
export async function sweepLeftovers(context: Context, place: Place): Promise<void> {
  const record = readRecord(context.ports.files, place.dir);
  const target = typeof record === 'object' ? targetOf(record) : context.ended.get(place.component);
  if (target === undefined) return;
  const { survivors } = await killTree(context.ports, target, context.kindred.of(target.instance));
  if (survivors.length > 0) {
    const { component } = place;
    context.log.warn('control: leftovers of an earlier life do not die', { component, survivors });
  }
}
