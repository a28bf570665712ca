// What the agent saw of a component before it acted: the processes of its tree, its last lines, how hard the
// machine was pressed. It takes milliseconds, is bounded, and never throws, because evidence must not delay
// or prevent a kill. Command lines and environments are left out: they hold secrets. Card data is taken out
// of the lines right here, before anybody else sees them.

import { redactString } from '../logs/redact/index.ts';
import type { Files, Ports } from '../ports.ts';
import { parsePressure, parseStatus, parseSyscall, type Stat } from './proc.ts';
import { quickMembers, type Target } from './tree.ts';

export const EVIDENCE_JSON_BYTES_MAX = 16 * 1024;
const PROCESSES_MAX = 24;
const LOG_LINES_MAX = 20;
const LOG_BYTES_MAX = 4 * 1024;
const WORD_CHARS_MAX = 40;

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
};

export type Pressure = { readonly some: number; readonly full: number | undefined };

export type Evidence = {
  readonly wallMs: number;
  readonly tookMs: number;
  readonly processes: readonly ProcessEvidence[];
  /** Processes of the tree beyond those listed. */
  readonly processesMore: number;
  readonly logLines: readonly string[];
  /** Percent of the last 10 s; absent on kernels without it. */
  readonly pressure: Readonly<Record<string, Pressure>>;
  readonly loadAverage: string | undefined;
  /** What went wrong while collecting, if anything. */
  readonly trouble: string | undefined;
};

function readProcess(files: Files, stat: Stat): ProcessEvidence {
  const at = `/proc/${stat.pid}`;
  const status = parseStatus(files.read(`${at}/status`));
  const descriptors = files.list(`${at}/fd`).length;
  return {
    pid: stat.pid,
    parent: stat.parent,
    comm: stat.comm,
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

/** A read that is as long as the bound began somewhere within the file. */
function readLastLines(files: Files, logFile: string): string[] {
  const text = files.readEnd(logFile, LOG_BYTES_MAX) ?? '';
  return lastLines(text, { isCut: Buffer.byteLength(text) >= LOG_BYTES_MAX });
}

function readPressure(files: Files): Record<string, Pressure> {
  const found: Record<string, Pressure> = {};
  for (const resource of ['cpu', 'memory', 'io']) {
    const pressure = parsePressure(files.read(`/proc/pressure/${resource}`));
    if (pressure !== undefined) found[resource] = pressure;
  }
  return found;
}

/** Drops the oldest lines, then the last processes, until the whole fits. */
export function bounded(evidence: Evidence, bytesMax = EVIDENCE_JSON_BYTES_MAX): Evidence {
  const logLines = [...evidence.logLines];
  const processes = [...evidence.processes];
  for (;;) {
    const processesMore = evidence.processesMore + evidence.processes.length - processes.length;
    const now = { ...evidence, logLines, processes, processesMore };
    if (Buffer.byteLength(JSON.stringify(now)) <= bytesMax) return now;
    if (logLines.shift() === undefined && processes.pop() === undefined) return now;
  }
}

export function collectEvidence(ports: Ports, target: Target & { logFile: string }): Evidence {
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
  const members = attempt(() => quickMembers(ports, target), []);
  // The main process first: when the list is cut, it must be in it.
  members.sort((a, b) => Number(b.pid === target.main.pid) - Number(a.pid === target.main.pid));
  const listed = members.slice(0, PROCESSES_MAX);
  const evidence = {
    wallMs: clock.wallMs(),
    processes: attempt(() => listed.map((stat) => readProcess(files, stat)), []),
    processesMore: members.length - listed.length,
    logLines: attempt(() => readLastLines(files, target.logFile), []),
    pressure: attempt(() => readPressure(files), {}),
    loadAverage: attempt(() => files.read('/proc/loadavg', 64)?.trim(), undefined),
  };
  return bounded({ ...evidence, trouble, tookMs: clock.monotonicMs() - startMs });
}
