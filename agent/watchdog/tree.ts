// Everything a component has started, found and ended. Its group is found by number and dies at one stroke,
// which no fork can outrun; children that left it with setsid are found by the instance mark that they
// inherited in their environment, or as children of what is known. Walking the tree with ps and signalling
// as one goes (tree-kill, PM2) races with every fork, so here it is look, kill, look again until none is left.

import type { Files, Ports } from '../ports.ts';
import { type Identity, isAlive, readStat, signalIdentity } from './identity.ts';
import type { Kin } from './kin.ts';
import { environValue, isDead, parseStat, type Stat } from './proc.ts';

/** The variable that every process of an instance has inherited. */
export const INSTANCE_MARK = 'TILLWATCH_INSTANCE';

/** An environment of more than this is not searched to its end; arguments and it share 2 MiB [execve(2)]. */
const ENVIRON_BYTES_MAX = 256 * 1024;

export type Target = {
  readonly instance: string;
  readonly main: Identity;
  /** Leader of the session and group of the component. */
  readonly shim: Identity;
};

/** Every process that is alive. One stat each, about 15 us. */
export function scan(files: Files): Stat[] {
  const found: Stat[] = [];
  for (const name of files.list('/proc')) {
    const first = name.charCodeAt(0);
    if (first < 48 || first > 57) continue;
    const stat = parseStat(files.read(`/proc/${name}/stat`));
    if (stat !== undefined && !isDead(stat)) found.push(stat);
  }
  return found;
}

/**
 * The environment a process was started with; undefined when it is not ours to read. Not of one in D: the
 * read takes its memory lock, and one stuck in the kernel with that lock would stop us too.
 */
export const readEnviron = (files: Files, stat: Stat): string | undefined =>
  stat.state === 'D' ? undefined : files.read(`/proc/${stat.pid}/environ`, ENVIRON_BYTES_MAX);

const KERNEL_THREADS = 2;

/**
 * The members of a tree: of its session or group, descendants of members, and what `isMarked`. Never init,
 * kernel threads or `spare` (ourselves).
 */
export function membersOf(
  all: readonly Stat[],
  roots: ReadonlySet<number>,
  session: number | undefined,
  isMarked: (stat: Stat) => boolean,
  spare: ReadonlySet<number>,
): Stat[] {
  const candidates = all.filter(
    ({ pid, parent }) =>
      pid > KERNEL_THREADS && parent !== KERNEL_THREADS && pid !== 1 && !spare.has(pid),
  );
  const isRoot = (stat: Stat) =>
    roots.has(stat.pid) ||
    (session !== undefined && (stat.session === session || stat.group === session)) ||
    isMarked(stat);
  const members = new Map<number, Stat>();
  for (const stat of candidates) if (isRoot(stat)) members.set(stat.pid, stat);
  // A child may stand before its parent: repeat until nothing is added. Ends, as each round adds one.
  for (let before = -1; before !== members.size; ) {
    before = members.size;
    for (const stat of candidates) if (members.has(stat.parent)) members.set(stat.pid, stat);
  }
  return [...members.values()];
}

/**
 * Whether the group number is still this component's. While a leader with the right start time (also as a
 * zombie) or a marked member is in it, the kernel does not give the number to anybody else.
 */
function ownsGroup(
  ports: Ports,
  shim: Identity,
  all: readonly Stat[],
  marked: ReadonlySet<number>,
): boolean {
  const leader = readStat(ports.files, shim.pid);
  if (leader !== undefined) return leader.startTicks === shim.startTicks;
  return all.some((stat) => stat.group === shim.pid && marked.has(stat.pid));
}

/** Of those who were seen before, the ones that are still the same processes. */
const stillThere = (all: readonly Stat[], kin: Kin | undefined): number[] =>
  kin === undefined || kin.size === 0
    ? []
    : all.filter(({ pid, startTicks }) => kin.get(pid) === startTicks).map(({ pid }) => pid);

/** Living members by session, descent and memory only: cheap, for usage and evidence. */
export function quickMembers(
  ports: Ports,
  target: Target,
  all: readonly Stat[] = scan(ports.files),
  kin?: Kin,
): Stat[] {
  const session = isAlive(ports, target.shim) ? target.shim.pid : undefined;
  const roots = new Set(stillThere(all, kin));
  if (isAlive(ports, target.main)) roots.add(target.main.pid);
  const spare = new Set([ports.processes.ownPid, target.shim.pid]);
  return membersOf(all, roots, session, () => false, spare);
}

/** Waits before looking again: SIGKILL takes effect when the target next returns from the kernel. */
const ROUND_WAITS_MS = [2, 5, 10, 20, 50, 100, 150, 200, 200, 250] as const;

/** One round: look, then kill the group at one stroke and every other member by its identity. */
function killRound(ports: Ports, target: Target, known: Map<number, number>): Stat[] {
  const all = scan(ports.files);
  const mark = (stat: Stat) => environValue(readEnviron(ports.files, stat), INSTANCE_MARK);
  const marked = new Set(all.filter((stat) => mark(stat) === target.instance).map((s) => s.pid));
  const roots = new Set(all.filter((s) => known.get(s.pid) === s.startTicks).map((s) => s.pid));
  const owned = ownsGroup(ports, target.shim, all, marked);
  const group = owned ? target.shim.pid : undefined;
  const spare = new Set([ports.processes.ownPid]);
  const doomed = membersOf(all, roots, group, (stat) => marked.has(stat.pid), spare);
  if (group !== undefined) ports.processes.signal(-group, 'SIGKILL');
  const bootId = ports.clock.bootId();
  for (const stat of doomed) {
    known.set(stat.pid, stat.startTicks);
    if (stat.group === group) continue;
    signalIdentity(ports, { bootId, pid: stat.pid, startTicks: stat.startTicks }, 'SIGKILL');
  }
  return doomed;
}

/**
 * Ends the tree.
 * @param kin who was seen in it while it lived
 * @returns the pids of what did not die within the rounds (stuck in the kernel, say).
 */
export async function killTree(
  ports: Ports,
  target: Target,
  kin?: Kin,
): Promise<{ survivors: number[] }> {
  const bootId = ports.clock.bootId();
  if (target.main.bootId !== bootId) return { survivors: [] }; // the machine has rebooted since
  const known = new Map([...(kin ?? []), [target.main.pid, target.main.startTicks]]);
  let left: Stat[] = [];
  for (const waitMs of ROUND_WAITS_MS) {
    left = killRound(ports, target, known);
    if (left.length === 0) return { survivors: [] };
    await new Promise<void>((resolve) => {
      ports.timers.after(waitMs, resolve);
    });
  }
  const alive = (pid: number, startTicks: number) => isAlive(ports, { bootId, pid, startTicks });
  return { survivors: left.filter((s) => alive(s.pid, s.startTicks)).map((s) => s.pid) };
}
