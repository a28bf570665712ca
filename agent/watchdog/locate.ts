// Is a copy of this component running already? Asked before every start and when an agent begins. The answer
// comes from the record, from the pid file that the shim wrote, and at last from the marks in the environment
// of every process, in that order, because an agent can be killed between any two of its steps and somebody
// may clean /run. Never by pid alone: boot id and start time must be the recorded ones.

import type { Ports } from '../ports.ts';
import type { Life } from './end-watch.ts';
import { type Identity, identify, isAlive, readStat } from './identity.ts';
import type { Stat } from './proc.ts';
import { environValue } from './proc.ts';
import { type ComponentRecord, readRecord } from './record.ts';
import { type Exit, exitFile, parseExitFile, parsePidFile, pidFile, UNKNOWN_EXIT } from './shim.ts';
import { INSTANCE_MARK, readEnviron, scan } from './tree.ts';

export type Found =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'alive';
      readonly life: Life;
      readonly wasReady: boolean;
      readonly turns?: boolean | undefined;
      readonly asked?: boolean | undefined;
    }
  /** A shim is there and its component not yet: look again shortly. */
  | { readonly kind: 'starting'; readonly record: ComponentRecord }
  | { readonly kind: 'ended'; readonly exit: Exit; readonly record: ComponentRecord };

export type Place = {
  readonly component: string;
  readonly dir: string;
  /** Marks a process as a component of this run directory and not of another agent's. */
  readonly socketPath: string;
};

function lifeOf(record: ComponentRecord, main: Identity, shim: Identity): Life {
  const { component, instance, token, logFile, startedMs, version, launch } = record;
  return {
    ...{ component, instance, token, logFile, startedMs, version, launch },
    ...{ main, shim, pid: main.pid, shimPid: shim.pid },
  };
}

type Marked = { readonly stat: Stat; readonly environ: string };

export function findMarked(ports: Ports, matches: (environ: string) => boolean): Marked[] {
  const found: Marked[] = [];
  for (const stat of scan(ports.files)) {
    if (stat.pid === ports.processes.ownPid) continue;
    const environ = readEnviron(ports.files, stat);
    if (environ !== undefined && matches(environ)) found.push({ stat, environ });
  }
  return found.sort((a, b) => a.stat.startTicks - b.stat.startTicks || a.stat.pid - b.stat.pid);
}

/** Of a shim whose component has cleaned its environment (sudo does), so that only where it stands tells it. */
function childOf(ports: Ports, leader: Stat): Stat | undefined {
  const children = scan(ports.files).filter(({ parent }) => parent === leader.pid);
  return children.sort((a, b) => a.startTicks - b.startTicks || a.pid - b.pid)[0];
}

/** The shim leads the session, the component is its oldest child; without a shim, the oldest of all. */
export function lifeByMark(
  ports: Ports,
  place: Place,
  matches: (environ: string) => boolean,
): Life | undefined {
  const marked = findMarked(ports, matches);
  const leader = marked.find(({ stat }) => stat.pid === stat.session);
  const isMain = ({ stat }: Marked) =>
    leader === undefined ? true : stat.parent === leader.stat.pid;
  const found = marked.find(isMain);
  const stat = found?.stat ?? (leader && childOf(ports, leader.stat));
  if (stat === undefined) return undefined;
  const environ = found?.environ ?? leader?.environ ?? '';
  const main = { stat, environ };
  const bootId = ports.clock.bootId();
  const identity = (stat: Stat) => ({ bootId, pid: stat.pid, startTicks: stat.startTicks });
  const shimPid = leader?.stat.pid ?? main.stat.session;
  return {
    component: place.component,
    instance: environValue(main.environ, INSTANCE_MARK) ?? '',
    token: environValue(main.environ, 'TILLWATCH_TOKEN') ?? '',
    pid: main.stat.pid,
    shimPid,
    logFile: '',
    startedMs: ports.clock.wallMs(),
    version: environValue(main.environ, 'TILLWATCH_VERSION'),
    main: identity(main.stat),
    shim: leader === undefined ? identify(ports, shimPid) : identity(leader.stat),
  };
}

const hasMark = (instance: string) => (environ: string) =>
  environValue(environ, INSTANCE_MARK) === instance;

export const lifeByInstance = (ports: Ports, place: Place, instance: string): Life | undefined =>
  lifeByMark(ports, place, hasMark(instance));

/** No usable record: the marks of component and run directory must both be there. */
function locateUnrecorded(ports: Ports, place: Place): Found {
  const life = lifeByMark(
    ports,
    place,
    (environ) =>
      environValue(environ, 'TILLWATCH_COMPONENT') === place.component &&
      environValue(environ, 'TILLWATCH_SOCKET') === place.socketPath,
  );
  return life === undefined ? { kind: 'none' } : { kind: 'alive', life, wasReady: false };
}

/** The agent was killed after it wrote `spawning`: how far did the shim get? */
function locateSpawning(ports: Ports, place: Place, record: ComponentRecord): Found {
  const { files, clock } = ports;
  const pids = parsePidFile(files.read(pidFile(place.dir, record.instance), 64));
  const exit = parseExitFile(files.read(exitFile(place.dir, record.instance), 16));
  if (exit !== undefined) return { kind: 'ended', exit, record };
  if (pids === undefined) {
    const marked = findMarked(ports, hasMark(record.instance));
    return marked.length > 0 ? { kind: 'starting', record } : { kind: 'none' };
  }
  const main = identify(ports, pids.pid);
  const stat = readStat(files, pids.pid);
  const isMarked = (one: Stat | undefined): boolean => {
    const environ = one === undefined ? undefined : readEnviron(files, one);
    return environ !== undefined && hasMark(record.instance)(environ);
  };
  // The pid file has no start time: that it is the right process is proved by the mark, its own or, where it has
  // cleaned its environment (sudo does), its parent's.
  const isChild = stat?.parent === pids.shimPid && isMarked(readStat(files, pids.shimPid));
  const same = isAlive(ports, main) && (isMarked(stat) || isChild);
  if (!same) return { kind: 'ended', exit: UNKNOWN_EXIT, record };
  const shim = identify(ports, pids.shimPid);
  return {
    kind: 'alive',
    life: lifeOf(record, main, { ...shim, bootId: clock.bootId() }),
    wasReady: false,
  };
}

export function locate(ports: Ports, place: Place): Found {
  const record = readRecord(ports.files, place.dir);
  const bootId = ports.clock.bootId();
  if (record === undefined || record === 'damaged' || record.bootId !== bootId) {
    return locateUnrecorded(ports, place);
  }
  if (record.phase === 'ended') return { kind: 'none' };
  if (record.pids === undefined) return locateSpawning(ports, place, record);
  const { pids } = record;
  const main = { bootId, pid: pids.main, startTicks: pids.mainStartTicks };
  const shim = { bootId, pid: pids.shim, startTicks: pids.shimStartTicks };
  if (isAlive(ports, main)) {
    const { ready: wasReady, turns, asked } = record;
    return { kind: 'alive', life: lifeOf(record, main, shim), wasReady, turns, asked };
  }
  const exit = parseExitFile(ports.files.read(exitFile(place.dir, record.instance), 16));
  return { kind: 'ended', exit: exit ?? UNKNOWN_EXIT, record };
}
