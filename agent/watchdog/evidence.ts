// What the agent saw of a component before it acted: the processes of its tree with their threads and descriptors,
// how hard the machine was pressed, whether a human debugs it. It reads /proc and nothing else, which cannot
// wait for a disk, takes milliseconds, is bounded, and never throws, because evidence must not delay or prevent
// a kill. Command lines and environments are left out: they hold secrets. What takes longer (last lines, the
// JavaScript stack) is collected around it in evidence/.

import { redactString } from '../../redact/index.ts';
import type { Files, Ports } from '../ports.ts';
import { findDebugger } from './debugger.ts';
import type { Kin } from './kin.ts';
import { parsePressure, parseStat, parseStatus, parseSyscall, type Stat } from './proc.ts';
import { quickMembers, type Target } from './tree.ts';

const PROCESSES_MAX = 64;
/** Threads and descriptors are looked at only within this: the agent's own loop stands still meanwhile. */
const DETAIL_MS_MAX = 15;
const THREADS_MAX = 32;
const DESCRIPTORS_MAX = 128;
const DESCRIPTORS_NAMED_MAX = 24;
const LOG_LINES_MAX = 20;
const WORD_CHARS_MAX = 40;
const NAME_CHARS_MAX = 160;

export type ThreadEvidence = { readonly name: string; readonly state: string };

export type DescriptorEvidence = {
  /** How many of what: socket, pipe, anon_inode, file; of the first DESCRIPTORS_MAX. */
  readonly kinds: Readonly<Record<string, number>>;
  /** What has a name, without what stands behind a question mark in it. */
  readonly named: readonly string[];
};

export type ProcessEvidence = {
  readonly pid: number;
  readonly parent: number;
  readonly comm: string;
  readonly state: string;
  /** The kernel function it waits in; absent where it may not be read. */
  readonly wchan: string | undefined;
  /** Number of the system call it is in, or "running". */
  readonly syscall: string | undefined;
  readonly threads: number;
  readonly descriptors: number | undefined;
  readonly residentBytes: number | undefined;
  readonly cpuMs: number;
  readonly voluntarySwitches: number | undefined;
  readonly involuntarySwitches: number | undefined;
  /** Its threads and what it has open, as far as there was time. */
  readonly threadStates?: readonly ThreadEvidence[] | undefined;
  readonly open?: DescriptorEvidence | undefined;
};

export type Pressure = { readonly some: number; readonly full: number | undefined };

export type Evidence = {
  readonly wallMs: number;
  readonly tookMs: number;
  readonly processes: readonly ProcessEvidence[];
  /** Processes of the tree beyond those listed. */
  readonly processesMore: number;
  /** Percent of the last 10 s; absent on kernels without it. */
  readonly pressure: Readonly<Record<string, Pressure>>;
  readonly loadAverage: string | undefined;
  /** A human is attached to the inspector of this process: nothing may be decided. */
  readonly debugger: { readonly pid: number; readonly port: number } | undefined;
  /** What went wrong while collecting, if anything. */
  readonly trouble: string | undefined;
};

/** Before anything is cut: half a card number would pass the redactor. */
const clean = (text: string): string => redactString(text).value;

/** What is open, by what /proc/PID/fd leads to: `socket:[1]`, `pipe:[2]`, `anon_inode:[eventpoll]`, a path. */
export function describeDescriptors(links: readonly string[]): DescriptorEvidence {
  const kinds: Record<string, number> = {};
  const named: string[] = [];
  for (const link of links) {
    const kind = /^(socket|pipe|anon_inode):/.exec(link)?.[1] ?? 'file';
    kinds[kind] = (kinds[kind] ?? 0) + 1;
    if (kind !== 'file' || named.length >= DESCRIPTORS_NAMED_MAX) continue;
    // A path can hold what was asked for; what stands behind a question mark is nobody's business.
    named.push(clean(link.replace(/\?.*$/s, '?')).slice(0, NAME_CHARS_MAX));
  }
  return { kinds, named };
}

function readDetail(files: Files, pid: number): Pick<ProcessEvidence, 'threadStates' | 'open'> {
  const threadStates = files.some(`/proc/${pid}/task`, THREADS_MAX).flatMap((id) => {
    const stat = parseStat(files.read(`/proc/${pid}/task/${id}/stat`));
    return stat === undefined ? [] : [{ name: clean(stat.comm), state: stat.state }];
  });
  const links = files
    .some(`/proc/${pid}/fd`, DESCRIPTORS_MAX)
    .flatMap((name) => files.readLink(`/proc/${pid}/fd/${name}`) ?? []);
  return { threadStates, open: describeDescriptors(links) };
}

function readProcess(files: Files, stat: Stat): ProcessEvidence {
  const at = `/proc/${stat.pid}`;
  const status = parseStatus(files.read(`${at}/status`));
  const descriptors = files.count(`${at}/fd`);
  return {
    pid: stat.pid,
    parent: stat.parent,
    comm: clean(stat.comm),
    state: stat.state,
    wchan: files.read(`${at}/wchan`)?.slice(0, WORD_CHARS_MAX),
    syscall: parseSyscall(files.read(`${at}/syscall`)),
    threads: stat.threads,
    // Ours to read or not: nothing runs without a single descriptor, so none means denied.
    descriptors: descriptors === 0 ? undefined : descriptors,
    residentBytes: status?.residentBytes,
    cpuMs: stat.cpuMs,
    voluntarySwitches: status?.voluntarySwitches,
    involuntarySwitches: status?.involuntarySwitches,
  };
}

/** The main process always, the others while there is time. */
function readProcesses({ clock, files }: Ports, listed: readonly Stat[]): ProcessEvidence[] {
  const untilMs = clock.monotonicMs() + DETAIL_MS_MAX;
  return listed.map((stat, index) => {
    const found = readProcess(files, stat);
    const hasTime = index === 0 || clock.monotonicMs() < untilMs;
    return hasTime ? { ...found, ...readDetail(files, stat.pid) } : found;
  });
}

/**
 * The last lines of a log, without card data; control characters (colours, say) become spaces.
 * @param how.isCut the text begins within a line: what is left of that could be half a card number.
 */
export function lastLines(
  text: string,
  how: { readonly linesMax?: number; readonly isCut?: boolean } = {},
): string[] {
  const whole = how.isCut ? text.replace(/^[^\n]*\n|^[\d .+-]+/, '') : text;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  const clean = whole.replace(/[\u0000-\u0009\u000b-\u001f\u007f]+/g, ' ');
  const lines = redactString(clean)
    .value.split('\n')
    .filter((line) => line.trim() !== '');
  return lines.slice(-(how.linesMax ?? LOG_LINES_MAX));
}

function readPressure(files: Files): Record<string, Pressure> {
  const found: Record<string, Pressure> = {};
  for (const resource of ['cpu', 'memory', 'io']) {
    const pressure = parsePressure(files.read(`/proc/pressure/${resource}`));
    if (pressure !== undefined) found[resource] = pressure;
  }
  return found;
}

/** From /proc alone, where nothing can wait: some milliseconds, bounded, and it never throws. */
export function collectEvidence(ports: Ports, target: Target, kin?: Kin): Evidence {
  const { clock, files } = ports;
  const startMs = clock.monotonicMs();
  let trouble: string | undefined;
  const attempt = <T>(run: () => T, otherwise: T): T => {
    try {
      return run();
    } catch (error) {
      trouble = String(error).slice(0, 200);
      return otherwise;
    }
  };
  const members = attempt(() => quickMembers(ports, target, undefined, kin), []);
  // The main process first: when the list is cut, it must be in it.
  members.sort((a, b) => Number(b.pid === target.main.pid) - Number(a.pid === target.main.pid));
  const listed = members.slice(0, PROCESSES_MAX);
  const evidence = {
    wallMs: clock.wallMs(),
    processes: attempt(() => readProcesses(ports, listed), []),
    processesMore: members.length - listed.length,
    pressure: attempt(() => readPressure(files), {}),
    loadAverage: attempt(() => files.read('/proc/loadavg', 64)?.trim(), undefined),
    debugger: attempt(() => findDebugger(files, members), undefined),
  };
  return { ...evidence, trouble, tookMs: clock.monotonicMs() - startMs };
}
