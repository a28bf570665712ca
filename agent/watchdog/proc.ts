// Reads what proc(5) writes: pure functions from text to numbers, because these formats have traps that
// deserve tests of their own. The name of a program may hold spaces and closing parentheses, a zombie still
// has a stat line, and resident sizes in pages depend on the machine, so sizes come from status in kB.
// Anything that does not look as documented gives undefined: evidence is never guessed.

/** USER_HZ, in which stat counts time: 100 on every architecture that Linux runs Node on [time(7)]. */
export const TICK_MS = 10;

/** The fields of /proc/PID/stat that we use, under their numbers in proc(5). */
export type Stat = {
  readonly pid: number;
  /** 2. At most 15 bytes of the program's name. */
  readonly comm: string;
  /** 3. R, S, D, T, t, Z, X, I. */
  readonly state: string;
  /** 4 */
  readonly parent: number;
  /** 5 */
  readonly group: number;
  /** 6 */
  readonly session: number;
  /** 14 + 15 */
  readonly cpuMs: number;
  /** 16 + 17: of children that ended and were waited for. */
  readonly childrenCpuMs: number;
  /** 20 */
  readonly threads: number;
  /** 22. In ticks since boot; with pid and boot id this names a process for ever. */
  readonly startTicks: number;
};

const field = (fields: readonly string[], number: number): number => Number(fields[number - 3]);

export function parseStat(text: string | undefined): Stat | undefined {
  if (text === undefined) return undefined;
  const open = text.indexOf('(');
  // The last one: the name itself may be "a) S 1 (b".
  const close = text.lastIndexOf(')');
  if (open < 1 || close < open) return undefined;
  const fields = text.slice(close + 2).split(' ');
  const stat: Stat = {
    pid: Number(text.slice(0, open)),
    comm: text.slice(open + 1, close),
    state: fields[0] ?? '',
    parent: field(fields, 4),
    group: field(fields, 5),
    session: field(fields, 6),
    cpuMs: (field(fields, 14) + field(fields, 15)) * TICK_MS,
    childrenCpuMs: (field(fields, 16) + field(fields, 17)) * TICK_MS,
    threads: field(fields, 20),
    startTicks: field(fields, 22),
  };
  const whole = Number.isSafeInteger(stat.pid) && Number.isSafeInteger(stat.startTicks);
  return whole && /^[A-Za-z]$/.test(stat.state) ? stat : undefined;
}

/**
 * Z and X are dead, whatever kill(pid, 0) says: where PID 1 does not reap, zombies stay for ever. A leader
 * whose main thread ended while others run is Z too, but has threads.
 */
export const isDead = (stat: Stat): boolean =>
  stat.state === 'X' || stat.state === 'x' || (stat.state === 'Z' && stat.threads <= 1);

export type Status = {
  readonly voluntarySwitches: number;
  readonly involuntarySwitches: number;
  /** VmRSS; 0 for a process without memory of its own (zombie, kernel thread). */
  readonly residentBytes: number;
};

const numberAfter = (text: string, label: string): number | undefined => {
  const at = text.indexOf(`\n${label}:`);
  if (at < 0) return undefined;
  const value = Number.parseInt(text.slice(at + label.length + 2, at + label.length + 32), 10);
  return Number.isNaN(value) ? undefined : value;
};

export function parseStatus(text: string | undefined): Status | undefined {
  if (text === undefined) return undefined;
  const voluntarySwitches = numberAfter(text, 'voluntary_ctxt_switches');
  const involuntarySwitches = numberAfter(text, 'nonvoluntary_ctxt_switches');
  if (voluntarySwitches === undefined || involuntarySwitches === undefined) return undefined;
  const residentBytes = (numberAfter(text, 'VmRSS') ?? 0) * 1024;
  return { voluntarySwitches, involuntarySwitches, residentBytes };
}

/** Nanoseconds on a processor and nanoseconds runnable and waiting for one (sched-stats.rst). */
export function parseSchedstat(
  text: string | undefined,
): { readonly cpuMs: number; readonly runDelayMs: number } | undefined {
  const match = /^(\d+) (\d+) \d+/.exec(text ?? '');
  if (match === null) return undefined;
  return { cpuMs: Number(match[1]) / 1e6, runDelayMs: Number(match[2]) / 1e6 };
}

/** A variable of /proc/PID/environ, which is NAME=value pieces ended by NUL. */
export function environValue(environ: string | undefined, name: string): string | undefined {
  if (environ === undefined) return undefined;
  const all = `\0${environ}`;
  const at = all.indexOf(`\0${name}=`);
  if (at < 0) return undefined;
  const from = at + name.length + 2;
  const to = all.indexOf('\0', from);
  return to < 0 ? undefined : all.slice(from, to);
}

/**
 * The number of the system call a process waits in, "running", or "-1" outside of one (proc_pid_syscall(5)).
 * The arguments behind it are addresses of the process and stay here.
 */
export const parseSyscall = (text: string | undefined): string | undefined =>
  /^(running|-?\d+)/.exec(text ?? '')?.[1];

/** Share of the last 10 s in which some (all) tasks waited, in percent (accounting/psi.rst). */
export function parsePressure(
  text: string | undefined,
): { readonly some: number; readonly full: number | undefined } | undefined {
  const some = /^some avg10=([\d.]+)/m.exec(text ?? '');
  const full = /^full avg10=([\d.]+)/m.exec(text ?? '');
  if (some === null) return undefined;
  return { some: Number(some[1]), full: full === null ? undefined : Number(full[1]) };
}
