// One process of a benchmark: pinned to a core where `taskset` is there, its lines of JSON, and how much
// processor it used. Time on a core that others use, too, says little; processor time says what it costs.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { until } from '../harness.ts';

/** What `getconf CLK_TCK` says on Linux [proc(5)]. */
const TICKS_PER_SECOND = 100;

export const canPin = (): boolean =>
  os.cpus().length > 1 && spawnSync('taskset', ['--version']).status === 0;

export type Part = {
  readonly child: ChildProcess;
  readonly lines: string[];
  /** The next line that parses as JSON, from the first one on. */
  readonly json: <T>(which?: number, withinMs?: number) => Promise<T>;
  readonly line: (text: string) => Promise<void>;
  /** Processor seconds so far, of all its threads. */
  readonly cpuSeconds: () => number;
  readonly residentBytes: () => number;
  readonly end: () => Promise<void>;
};

/** @param core undefined: wherever there is room. */
export function startPart(command: readonly string[], core?: number): Part {
  const pinned = core === undefined || !canPin() ? [] : ['taskset', '-c', String(core)];
  const [program = '', ...argv] = [...pinned, ...command];
  const child = spawn(program, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  let rest = '';
  child.stdout.on('data', (chunk) => {
    const parts = `${rest}${chunk}`.split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
  });
  const proc = (file: string): string => readFileSync(`/proc/${child.pid}/${file}`, 'utf8');
  const alive = (): void => {
    if (child.exitCode !== null) throw new Error(`${command.join(' ')} ended: ${child.exitCode}`);
  };
  return {
    child,
    lines,
    json: (which = 0, withinMs = 60_000) =>
      until(
        `${command.join(' ')} says something`,
        () => {
          const found = lines.filter((line) => line.startsWith('{'))[which];
          if (found === undefined) alive();
          return found === undefined ? undefined : JSON.parse(found);
        },
        withinMs,
      ),
    line: async (text) => {
      const found = (): true | undefined => {
        if (lines.includes(text)) return true;
        alive();
        return undefined;
      };
      await until(text, found, 120_000);
    },
    cpuSeconds: () => {
      // The name in brackets may hold anything, blanks and brackets too [proc(5)].
      const stat = proc('stat');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
    },
    residentBytes: () => Number(/^VmRSS:\s+(\d+)/m.exec(proc('status'))?.[1]) * 1024,
    end: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}
