// Which processes are ours. A pid alone proves nothing, it may be somebody else's by now: a process is the
// boot, its pid and its start time [proc(5)]. Everything that a demo starts, down to the last component,
// also carries one mark in its environment, so that nothing is missed after a kill -9 of anything.

import { readdirSync, readFileSync } from 'node:fs';

export const MARK = 'POS_DEMO';

export type Identity = {
  readonly bootId: string;
  readonly pid: number;
  /** Clock ticks after boot: field 22 of /proc/PID/stat. */
  readonly startTicks: string;
};

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

export const bootId = (): string => (read('/proc/sys/kernel/random/boot_id') ?? 'unknown').trim();

/** State and start time; the name before them may hold blanks and brackets, so count from its end. */
function stat(pid: number): { state: string; startTicks: string } | undefined {
  const text = read(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', startTicks: fields[19] ?? '' };
}

/** @returns undefined when there is no such process, or when it is dead and only not yet collected */
export function identify(pid: number): Identity | undefined {
  const found = stat(pid);
  if (found === undefined || found.state === 'Z' || found.state === 'X') return undefined;
  return { bootId: bootId(), pid, startTicks: found.startTicks };
}

export function isAlive(identity: Identity): boolean {
  const now = identify(identity.pid);
  return now?.startTicks === identity.startTicks && now.bootId === identity.bootId;
}

/** Sends a signal to that very process, or to nobody. */
export function signalTo(identity: Identity, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
  try {
    return process.kill(identity.pid, signal);
  } catch {
    return false; // it ended between the look and the signal
  }
}

/** Every living process that carries `MARK=mark`; another user's environment cannot be read and is not ours. */
export function findMarked(mark: string): Identity[] {
  const wanted = `${MARK}=${mark}`;
  const found: Identity[] = [];
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const environment = read(`/proc/${pid}/environ`);
    if (environment?.split('\0').includes(wanted) !== true) continue;
    const identity = identify(pid);
    if (identity !== undefined) found.push(identity);
  }
  return found;
}
