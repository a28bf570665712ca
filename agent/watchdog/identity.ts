// Which process is meant. A pid alone is a number that the kernel hands out again, so a process is named by
// boot id, pid and start time, and every signal reads the start time again right before it is sent. That
// leaves microseconds in which a pid could be reused (pidfd_send_signal would close them, Node has none),
// and pids are handed out in turn, so reuse within them needs 32 768 births.

import type { Files, Ports, Signal } from '../ports.ts';
import { isDead, parseStat, type Stat } from './proc.ts';

export type Identity = {
  readonly bootId: string;
  readonly pid: number;
  /** proc(5) field 22; UNKNOWN_START matches no process. */
  readonly startTicks: number;
};

/** For a process that was gone before its start time could be read: nothing is ever signalled for it. */
export const UNKNOWN_START = -1;

export const readStat = (files: Files, pid: number): Stat | undefined =>
  parseStat(files.read(`/proc/${pid}/stat`));

export function identify(ports: Ports, pid: number): Identity {
  const startTicks = readStat(ports.files, pid)?.startTicks ?? UNKNOWN_START;
  return { bootId: ports.clock.bootId(), pid, startTicks };
}

/** Alive and the same one; zombies are dead. */
export function isAlive(ports: Ports, identity: Identity): boolean {
  if (identity.bootId !== ports.clock.bootId()) return false;
  const stat = readStat(ports.files, identity.pid);
  return stat !== undefined && stat.startTicks === identity.startTicks && !isDead(stat);
}

/** @returns whether the right process was there and the signal could be delivered. */
export function signalIdentity(ports: Ports, identity: Identity, signal: Signal): boolean {
  return isAlive(ports, identity) && ports.processes.signal(identity.pid, signal);
}

/** SIGTERM to the component alone, and SIGCONT so that a stopped one can obey. */
export function askToEnd(ports: Ports, { main }: { readonly main: Identity }): void {
  signalIdentity(ports, main, 'SIGTERM');
  signalIdentity(ports, main, 'SIGCONT');
}
