// The one door to the operating system: everything in agent/ reaches time, files and processes through the
// types in ports.ts, and this file hands out the real ones. Only here and in system/ may Date.now,
// performance.now, setTimeout, child_process and fs be touched (design.md section 2); so every decision
// elsewhere can be tested with a clock that is moved by hand.

import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import type { BootClock, Cancel, Ports, Timers } from './ports.ts';
import { realFiles } from './system/files.ts';
import { realProcesses } from './system/processes.ts';

export { lockRunDir, type Release } from './system/lock.ts';

/** Read once: it cannot change under a running process. */
function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}

/** What /proc/uptime counts in. */
const BOOT_STEP_MS = 10;

/**
 * CLOCK_BOOTTIME [proc(5)], which Node knows as os.uptime() only; a sweep asks several times, so the answer is
 * kept for as long as it would be the same, and the file stays open.
 */
function bootClock(): () => number {
  let readAt = Number.NEGATIVE_INFINITY;
  let bootMs = 0;
  return () => {
    const now = performance.now();
    if (now - readAt < BOOT_STEP_MS) return bootMs;
    readAt = now;
    const seconds = Number.parseFloat(realFiles.reread('/proc/uptime') ?? '');
    bootMs = (Number.isFinite(seconds) ? seconds : uptime()) * 1000;
    return bootMs;
  };
}

function realClock(): BootClock {
  const bootId = readBootId();
  return {
    monotonicMs: () => performance.now(),
    wallMs: () => Date.now(),
    bootId: () => bootId,
    // performance.now is CLOCK_MONOTONIC.
    bootMs: bootClock(),
  };
}

/** Longer delays overflow to 1 ms (setTimeout's documented limit), which would be a hot loop. */
const DELAY_MS_MAX = 2 ** 31 - 1;
const bounded = (ms: number): number => Math.min(Math.max(ms, 0), DELAY_MS_MAX);

const realTimers: Timers = {
  after: (ms, run): Cancel => {
    if (ms <= 0) {
      const soon = setImmediate(run);
      return () => clearImmediate(soon);
    }
    const timer = setTimeout(run, bounded(ms));
    return () => clearTimeout(timer);
  },
  every: (ms, run): Cancel => {
    const timer = setInterval(run, bounded(ms));
    return () => clearInterval(timer);
  },
};

const RANDOM_STEPS = 2 ** 32;

export function realPorts(): Ports {
  return {
    clock: realClock(),
    timers: realTimers,
    files: realFiles,
    processes: realProcesses,
    random: () => randomInt(RANDOM_STEPS) / RANDOM_STEPS,
  };
}
