// Small looks at this machine that several checks take: a file's mode and owner, room on a file system, who a process
// is. Each says "not allowed to see" apart from "not there", because a doctor who is not root must not call missing what
// it may not see.

import { accessSync, constants, readFileSync, readlinkSync, type Stats, statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { readSpace } from '../../agent/system/space.ts';
import { bad, type Finding, good, skipped, warn } from './check.ts';

export const codeOf = (error: unknown): string =>
  String((error as NodeJS.ErrnoException).code ?? (error as Error).message);
export const isHidden = (code: string): boolean => code === 'EACCES' || code === 'EPERM';

export type Seen<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly code: string };

export function see<T>(look: () => T): Seen<T> {
  try {
    return { ok: true, value: look() };
  } catch (error) {
    return { ok: false, code: codeOf(error) };
  }
}

export const statOf = (path: string): Seen<Stats> => see(() => statSync(path));
export const textOf = (path: string): Seen<string> => see(() => readFileSync(path, 'utf8'));
export const modeText = (mode: number): string => (mode & 0o7777).toString(8).padStart(3, '0');

export function sizeText(bytes: number): string {
  if (bytes < 1_000_000) return `${Math.ceil(bytes / 1_000)} kB`;
  if (bytes < 10_000_000_000)
    return `${(bytes / 1_000_000).toFixed(bytes < 10_000_000 ? 1 : 0)} MB`;
  return `${Math.round(bytes / 1_000_000_000)} GB`;
}

/** What codes of a socket mean to whoever has to do something about it. */
const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there, or a firewall refuses',
  ECONNRESET: 'it was cut: a firewall, or a program that is no broker',
  EHOSTUNREACH: 'no way leads there',
  ENETUNREACH: 'this machine has no network to it',
  ETIMEDOUT: 'no answer: a firewall that drops it, or the machine is off',
  ENOTFOUND: 'nobody knows this name',
  EAI_AGAIN: 'no name server answers',
  EPIPE: 'it was cut',
};

/** The words first, the code behind them for whoever looks it up. */
export function inWords(reason: string): string {
  const code = /\bE[A-Z_]{3,}\b/.exec(reason)?.[0] ?? '';
  const words = WORDS[code];
  return words === undefined ? reason : `${words} (${code})`;
}

/** The name of a user, where /etc/passwd has it. */
export function userName(uid: number): string {
  const lines = textOf('/etc/passwd');
  const found = lines.ok
    ? lines.value.split('\n').find((line) => line.split(':')[2] === `${uid}`)
    : '';
  return found?.split(':')[0] || `user ${uid}`;
}

export type Process = {
  readonly pid: number;
  readonly uid: number;
  readonly parent: number;
  readonly command: string;
  /** Effective capabilities, as bits [capabilities(7)]. */
  readonly capabilities: bigint;
  /** Its open descriptors may be so many. */
  readonly filesMax: number;
};

/** @returns undefined where there is no such process. */
export function processOf(pid: number): Process | undefined {
  const status = textOf(`/proc/${pid}/status`);
  if (!status.ok) return undefined;
  const field = (name: string): string =>
    new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(status.value)?.[1] ?? '0';
  const command = textOf(`/proc/${pid}/cmdline`);
  const limits = textOf(`/proc/${pid}/limits`);
  const files = limits.ok ? /^Max open files +(\S+)/m.exec(limits.value)?.[1] : undefined;
  return {
    ...{ pid, uid: Number(field('Uid')), parent: Number(field('PPid')) },
    command: command.ok ? command.value.replaceAll('\0', ' ').trim() : '',
    capabilities: BigInt(`0x${field('CapEff')}`),
    filesMax: files === 'unlimited' ? Number.POSITIVE_INFINITY : Number(files ?? 0),
  };
}

/** Which systemd unit or container a process belongs to; undefined: none. */
export function unitOf(pid: number): string | undefined {
  const groups = textOf(`/proc/${pid}/cgroup`);
  return groups.ok ? /([^/\n]+\.service)/.exec(groups.value)?.[1] : undefined;
}

/** Magic numbers of what is in memory [statfs(2)]. */
const MEMORY = [0x01021994, 0x858458f6];
export const isInMemory = async (folder: string): Promise<boolean> =>
  MEMORY.includes((await statfs(folder)).type);

/** A program as it would be started: by its path, or found in PATH. @returns why it cannot be. */
export function programFault(program: string, env: NodeJS.ProcessEnv): string | undefined {
  const tried = program.includes('/')
    ? [program]
    : (env['PATH'] ?? '/usr/bin:/bin').split(delimiter).map((folder) => join(folder, program));
  const codes = tried.map((path) => {
    const seen = see(() => {
      accessSync(path, constants.X_OK);
      return statSync(path).isFile();
    });
    return seen.ok ? (seen.value ? '' : 'it is no file') : seen.code;
  });
  if (codes.includes('')) return undefined;
  if (codes.some(isHidden)) return 'it may not be executed';
  return codes.find((code) => code !== 'ENOENT') ?? 'it is not there';
}

export const linkOf = (path: string): string | undefined => {
  const seen = see(() => readlinkSync(path));
  return seen.ok ? seen.value : undefined;
};

export type RoomLimits = { readonly lowBytes: number; readonly floorBytes: number };

/** Below this share of its inodes a file system is nearly as full as one without bytes. */
const INODES_LOW = 0.05;

/** Room and inodes of one folder's file system, and whether it can be written. */
export async function roomIn(what: string, folder: string, limits: RoomLimits): Promise<Finding> {
  const stat = statOf(folder);
  if (!stat.ok) {
    return isHidden(stat.code)
      ? skipped(`${what}: ${folder} may not be seen by this user`, 'run it again as root')
      : skipped(`${what}: ${folder} is not there`);
  }
  const space = await readSpace(folder);
  if (space === undefined) return skipped(`${what}: ${folder} does not say how full it is`);
  const counts = await statfs(folder);
  const { freeBytes, totalBytes, readOnly } = space;
  const free = `${sizeText(freeBytes)} of ${sizeText(totalBytes)} free in ${folder}`;
  if (readOnly) {
    const why = 'look why (dmesg | tail), then mount it writable again or replace the disk';
    return bad(`${what}: ${folder} is on a file system that is mounted read-only`, why);
  }
  if (counts.files > 0 && counts.ffree / counts.files < INODES_LOW) {
    const left = `${what}: ${counts.ffree} of ${counts.files} inodes are left in ${folder}`;
    return bad(left, 'delete small files that nobody needs: df -i shows where they are');
  }
  const todo = 'make room: du -x -d 2 -h / | sort -h | tail shows what is large';
  if (freeBytes < limits.floorBytes) return bad(`${what}: ${free}`, todo);
  if (freeBytes < limits.lowBytes) return warn(`${what}: ${free}`, todo);
  return good(`${what}: ${free}`);
}
