// What the bench needs of a supervisor, and what all of them share: a process in the foreground that can be killed
// and started again. Each peer is one file beside this one and says in words which settings it runs with.

import { type ChildProcess, spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { sleep } from '../harness.ts';
import type { Till } from './till.ts';

export const FAULTS = ['crash', 'stop', 'deadlock', 'spin'] as const;
export type Fault = (typeof FAULTS)[number];

export type Supervisor = {
  /** The process that is killed to see what becomes of the till; undefined: there is none to kill (PID 1). */
  readonly pid: () => number | undefined;
  /** Its own record of what it found: a line in one of these files that matches. */
  readonly record: { readonly file: string; readonly found: RegExp } | undefined;
  /** Where the output of the program is kept. */
  readonly output: () => string[];
  /** Starts it once more after it was killed. */
  readonly again: () => Promise<void>;
  /** In good order, as its manual says. */
  readonly stop: () => Promise<void>;
};

export type Peer = {
  /** In JSON. */
  readonly key: string;
  /** At most 20 characters: for the table. */
  readonly name: string;
  readonly settings: string;
  /** A program of ours that behaves as documented, because the real one cannot run here. */
  readonly model?: true;
  /** Why it never sees a hang under these settings. */
  readonly blind?: string;
  /** When 30 s are too short for what its manual promises. */
  readonly waitMs?: number;
  /** The period at which it looks; faults are spread over it evenly. */
  readonly phaseMs?: number;
  /** Why it cannot run here; undefined: it can. */
  readonly missing: () => Promise<string | undefined> | string | undefined;
  readonly start: (till: Till) => Promise<Supervisor>;
};

export type Foreground = {
  readonly pid: () => number | undefined;
  readonly start: () => void;
  readonly end: (signal: NodeJS.Signals, withinMs: number) => Promise<void>;
};

export const hasEnded = (child: ChildProcess): boolean =>
  child.exitCode !== null || child.signalCode !== null;

/** A supervisor that stays in the foreground; its own output goes to `log`. */
export function foreground(
  command: readonly string[],
  log: string,
  env: Readonly<Record<string, string | undefined>>,
  cwd: string,
): Foreground {
  let child: ChildProcess | undefined;
  return {
    pid: () => child?.pid,
    start: () => {
      const file = openSync(log, 'a');
      const [program = '', ...rest] = command;
      child = spawn(program, rest, {
        stdio: ['ignore', file, file],
        detached: true,
        cwd,
        env: { ...process.env, ...env },
      });
    },
    end: async (signal, withinMs) => {
      if (child === undefined || hasEnded(child)) return;
      child.kill(signal);
      const endMs = performance.now() + withinMs;
      while (!hasEnded(child) && performance.now() < endMs) await sleep(10);
      if (!hasEnded(child)) child.kill('SIGKILL');
    },
  };
}

/** Output of a command that must succeed. */
export function run(
  command: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const [program = '', ...rest] = command;
    const child = spawn(program, rest, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    child.once('error', reject);
    // Not `close`: a daemon that it left behind may hold its output.
    child.once('exit', (code) => {
      if (code === 0) resolve(text);
      else reject(new Error(`${program} ended with ${code}: ${text.slice(-300)}`));
    });
  });
}

/** A sentence when a program is not on the path. */
export const needs = (program: string, debianPackage: string) => (): Promise<string | undefined> =>
  run(['sh', '-c', `command -v ${program}`]).then(
    () => undefined,
    () => `${program} is not installed (Debian: apt-get install ${debianPackage})`,
  );
