// What every benchmark shares: percentiles, the machine it ran on, the targets of design.md section 7
// and one way to print. With --json the last line is one JSON object, and nothing else changes.

import { readFileSync } from 'node:fs';
import os from 'node:os';

export type Spread = { n: number; p50: number; p95: number; max: number };
/** A figure must be at most its target; names are paths into `figures`, for example `hang.readyMs.p95`. */
export type Targets = Record<string, number>;
export type Report = {
  name: string;
  figures: Record<string, unknown>;
  targets: Targets;
  notes: string[];
  /** For people, in place of the figures as JSON. */
  table?: string;
  /** What must never happen did: exit code 1. */
  failed?: boolean;
};

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number =>
    round(sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN);
  return { n: sorted.length, p50: at(0.5), p95: at(0.95), max: at(1) };
}

export const round = (value: number): number => Math.round(value * 100) / 100;

const lookUp = (figures: unknown, path: string): unknown =>
  path
    .split('.')
    .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], figures);

export function machine(): Record<string, unknown> {
  const release = /PRETTY_NAME="(.*)"/.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  return {
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cores: os.cpus().length,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    os: release ?? os.type(),
    kernel: os.release(),
    node: process.versions.node,
  };
}

/** Prints the report for people or, with --json, for programs. @returns whether each target was met. */
export function print(report: Report, json: boolean): boolean {
  // A part that was not run (--only) has neither figure nor target.
  const asked = Object.entries(report.targets).filter(
    ([path]) => report.figures[path.split('.')[0] ?? ''] !== undefined,
  );
  const rows = asked.map(([path, target]) => {
    const figure = lookUp(report.figures, path);
    return { path, figure, target, met: typeof figure === 'number' && figure <= target };
  });
  const ok = rows.every((row) => row.met);
  const { name, figures } = report;
  const targets = Object.fromEntries(asked);
  if (json) {
    console.log(JSON.stringify({ name, machine: machine(), figures, targets, ok }));
    return ok;
  }
  console.log(`${name} on ${Object.values(machine()).join(', ')}`);
  console.log(report.table ?? JSON.stringify(figures, undefined, 2));
  for (const row of rows) {
    console.log(
      `  ${row.met ? 'met   ' : 'MISSED'} ${row.path} ${row.figure} (target ${row.target})`,
    );
  }
  for (const note of report.notes) console.log(`  ${note}`);
  return ok;
}

/** Time in which something waited for a processor, in microseconds since boot (/proc/pressure/cpu). */
const waitedMicros = (): number => {
  try {
    return Number(/^some .*total=(\d+)/m.exec(readFileSync('/proc/pressure/cpu', 'utf8'))?.[1]);
  } catch {
    return Number.NaN;
  }
};

/** How starved the machine was while a benchmark ran: the watchdog waits twice as long above 80 %. */
export function measurePressure(): () => number {
  const [atMs, micros] = [performance.now(), waitedMicros()];
  return () => round((waitedMicros() - micros) / 10 / (performance.now() - atMs));
}

export const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));

/** Polls until `look` answers with something. @throws when it has not by then. */
export async function until<T>(
  what: string,
  look: () => T | undefined | Promise<T | undefined>,
  withinMs = 30_000,
  everyMs = 20,
): Promise<T> {
  const start = performance.now();
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() - start > withinMs) throw new Error(`waited ${withinMs} ms for ${what}`);
    await sleep(everyMs);
  }
}
