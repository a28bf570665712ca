// What a component's tree takes of the machine, and how many descriptors its main process has open. A look through
// all of /proc finds every member, and costs 5 ms where 100 processes run; so it is done when the numbers leave the
// terminal (each 15 s), and for the ceilings in between the members found then are asked again: two reads each.
// A leak takes minutes, so a child born in between may wait for the next look.

import type { Files, Ports } from '../ports.ts';
import type { Life } from './end-watch.ts';
import type { Context } from './hands.ts';
import { isAlive, readStat } from './identity.ts';
import { parseStatus, type Stat } from './proc.ts';
import { quickMembers, scan } from './tree.ts';

export type TreeUsage = { readonly residentBytes: number; readonly cpuSeconds: number };
export type Descriptors = {
  readonly descriptors?: number | undefined;
  /** The process's own soft limit. */
  readonly descriptorsMax?: number | undefined;
};

/** All components are measured at one moment: one look at /proc serves them all. */
const SCAN_FRESH_MS = 100;
/** Members of more than this are not asked one by one. */
const MEMBERS_MAX = 64;

type Member = { readonly pid: number; readonly startTicks: number };
type Known = { readonly instance: string; readonly members: readonly Member[] };

export type Usage = {
  /** Of the whole tree, the shim left out. CPU time never falls. `quick`: of the members known already. */
  readonly tree: (life: Life, quick?: boolean) => TreeUsage | undefined;
  readonly descriptors: (life: Life) => Descriptors;
};

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

/** `Max open files   1024   1048576   files` [proc(5)]. */
export function parseDescriptorLimit(limits: string | undefined): number | undefined {
  const soft = /^Max open files\s+(\d+)/m.exec(limits ?? '')?.[1];
  return soft === undefined ? undefined : Number(soft);
}

function readDescriptors(files: Files, { main }: Life): Descriptors {
  const descriptors = files.count(`/proc/${main.pid}/fd`);
  // Nothing runs without a single descriptor, so none means denied.
  if (descriptors === undefined || descriptors === 0) return {};
  return {
    descriptors,
    descriptorsMax: parseDescriptorLimit(files.read(`/proc/${main.pid}/limits`, 4_096)),
  };
}

export function createUsage({ ports, watches, kindred }: Context): Usage {
  const scanned = freshScan(ports);
  /** By component: who belonged to it at the last look through all of /proc. */
  const known = new Map<string, Known>();

  function membersOf(life: Life, quick: boolean): readonly Stat[] {
    const before = known.get(life.component);
    if (!quick || before?.instance !== life.instance) {
      const found = quickMembers(ports, life, scanned(), kindred.of(life.instance));
      kindred.remember(life.instance, found);
      known.set(life.component, { instance: life.instance, members: found.slice(0, MEMBERS_MAX) });
      return found;
    }
    return before.members.flatMap(({ pid, startTicks }) => {
      const stat = readStat(ports.files, pid);
      return stat?.startTicks === startTicks ? [stat] : [];
    });
  }

  return {
    tree: (life, quick = false) => {
      if (!isAlive(ports, life.main)) return undefined;
      let residentBytes = 0;
      let cpuMs = 0;
      for (const stat of membersOf(life, quick)) {
        const status = parseStatus(ports.files.read(`/proc/${stat.pid}/status`));
        residentBytes += status?.residentBytes ?? 0;
        cpuMs += stat.cpuMs + stat.childrenCpuMs;
      }
      const watching = watches.get(life.component);
      const cpuSeconds = Math.max(cpuMs / 1000, watching?.cpuSecondsMax ?? 0);
      if (watching !== undefined) watching.cpuSecondsMax = cpuSeconds;
      return { residentBytes, cpuSeconds };
    },
    descriptors: (life) => (isAlive(ports, life.main) ? readDescriptors(ports.files, life) : {}),
  };
}
