// Before a component is started again: is a port, device or file that it needs still held by somebody? A child that
// outlived the kill, a process stuck in the kernel or a stranger makes the next start fail for a reason that
// its own log does not tell. So the holder is looked for and named, and given a moment to let go; then the start
// goes on anyway, because a wrong guess here must not keep a till from selling. The search is bounded in
// processes, descriptors and time; /proc that hides its processes leaves the holder without a name.

import type { Files, Log, Ports } from '../ports.ts';
import { parseStat } from './proc.ts';
import { LISTEN, readTcp, socketsOf } from './sockets.ts';

export const HELD_WAIT_MS_MAX = 1_000;
const LOOK_MS = 100;
const STILL_HELD = 'is held by a process that does not let go: the start goes on all the same';
const HELD_A_MOMENT = 'was held for a moment after the process before had ended';
/** One search may take so long of the agent's own loop; then holders stay without a name. */
const SEARCH_MS_MAX = 20;
const DESCRIPTORS_MAX = 1_024;

export type Holds = { readonly ports: readonly number[]; readonly files: readonly string[] };

export type Holder = {
  /** `port 8080` or the path as configured. */
  readonly what: string;
  readonly pid: number | undefined;
  readonly comm: string | undefined;
};

const isNumber = (name: string): boolean => /^\d+$/.test(name);

/**
 * Every process but ourselves, youngest first: what a component left behind was started last. Numbers are given in turn
 * and begin anew; the last that was given stands at the end of /proc/loadavg [proc(5)].
 */
function pidsOf({ files, processes }: Ports): number[] {
  const newest = Number(files.read('/proc/loadavg', 64)?.trim().split(' ').at(-1));
  const isOlder = (pid: number): boolean => pid > newest;
  return files
    .list('/proc')
    .filter(isNumber)
    .map(Number)
    .filter((pid) => pid !== processes.ownPid)
    .sort((a, b) => Number(isOlder(a)) - Number(isOlder(b)) || b - a);
}

const commOf = (files: Files, pid: number): string | undefined =>
  parseStat(files.read(`/proc/${pid}/stat`))?.comm;

/**
 * Whether a process has this very file or device open. The name is compared first: to ask which file a descriptor
 * is can wait for a network disk, so only those that can be meant are asked.
 */
function hasOpen(files: Files, pid: number, real: string, node: string): boolean {
  const base = real.slice(real.lastIndexOf('/'));
  const mayBe = (link: string): boolean =>
    link === real || link.endsWith(base) || (node.startsWith('device') && link.startsWith('/dev/'));
  return files.some(`/proc/${pid}/fd`, DESCRIPTORS_MAX).some((name) => {
    const at = `/proc/${pid}/fd/${name}`;
    const link = files.readLink(at);
    return link !== undefined && mayBe(link) && files.nodeOf(at) === node;
  });
}

/** The path without links on its way, as /proc shows it; the last part may be a link too (/dev/serial/by-id). */
function realPath(files: Files, path: string): string {
  const link = files.readLink(path);
  if (link === undefined) return path;
  if (link.startsWith('/')) return link;
  const parts = path.split('/').slice(0, -1);
  for (const part of link.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/');
}

/** Who holds what of it now; ports without a listener and files that do not exist are free. */
export function findHolders(ports: Ports, holds: Holds): Holder[] {
  const { clock, files } = ports;
  const untilMs = clock.monotonicMs() + SEARCH_MS_MAX;
  const wanted = new Set(holds.ports);
  const busy = readTcp(files).filter(({ port, state }) => state === LISTEN && wanted.has(port));
  const nodes = holds.files.flatMap((path) => {
    const node = files.nodeOf(path);
    return node === undefined ? [] : [{ path, node, real: realPath(files, path) }];
  });
  if (busy.length === 0 && nodes.length === 0) return [];
  const found = new Map<string, Holder>();
  const note = (what: string, pid: number): void => {
    if (!found.has(what)) found.set(what, { what, pid, comm: commOf(files, pid) });
  };
  for (const pid of pidsOf(ports)) {
    if (clock.monotonicMs() > untilMs) break;
    const sockets = busy.length === 0 ? undefined : socketsOf(files, pid);
    for (const { port, inode } of busy) if (sockets?.has(inode)) note(`port ${port}`, pid);
    for (const { path, real, node } of nodes) {
      if (!found.has(path) && hasOpen(files, pid, real, node)) note(path, pid);
    }
  }
  // A port is held, whether or not we may see by whom; a file only when somebody was seen with it.
  for (const { port } of busy) {
    const what = `port ${port}`;
    if (!found.has(what)) found.set(what, { what, pid: undefined, comm: undefined });
  }
  return [...found.values()];
}

export type HeldOptions = {
  readonly ports: Ports;
  readonly log: Log;
  readonly report: (holder: Holder, reason: string) => void;
};

/**
 * Before a start: names who still holds what the component needs, and waits for it at most HELD_WAIT_MS_MAX.
 * @returns what is held even then; the start goes on.
 */
export async function waitUntilFree(
  component: string,
  holds: Holds | undefined,
  { ports, log, report }: HeldOptions,
): Promise<readonly Holder[]> {
  if (holds === undefined || holds.ports.length + holds.files.length === 0) return [];
  const { clock, timers } = ports;
  const untilMs = clock.monotonicMs() + HELD_WAIT_MS_MAX;
  let held = findHolders(ports, holds);
  const first = held;
  while (held.length > 0 && clock.monotonicMs() < untilMs) {
    await new Promise<void>((done) => {
      timers.after(LOOK_MS, done);
    });
    held = findHolders(ports, holds);
  }
  const still = new Set(held.map(({ what }) => what));
  for (const holder of first) {
    const reason = still.has(holder.what) ? STILL_HELD : HELD_A_MOMENT;
    log.warn(`${component}: ${holder.what} ${reason}`, { component, ...holder });
    report(holder, reason);
  }
  return held;
}
