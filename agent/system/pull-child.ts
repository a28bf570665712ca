// Starts the program that answers a request for logs, gives it its job and hears its frames. It begins with little of the
// processors and the lowest priority of the disk, all its threads from the start, so nice(1) and ionice(1) start it where
// they are there; after half a second or its first chunk it goes to the lowest of both (idle.ts): a till's sale must not
// notice that a gigabyte is searched. It ends with us: its input closes.

import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createFrames, encodeWords, LETTERS, MORE_LETTERS } from '../logs/pull/frames.ts';
import { decodeChunk, type End, type Go, type Job, type Progress } from '../logs/pull/job.ts';
import type { PackedChunk } from '../logs/pull/pack.ts';
import type { Plan } from '../logs/pull/plan.ts';
import { codeOf } from './files.ts';
import { HASTY } from './idle.ts';
import { bare } from './privileges.ts';

/**
 * A few blocks of the journal and what was remembered of a search. With a young generation as V8 would have it, 100 MB
 * of an answer took it to 195 MB; with this one to 111, in the same time of the processor.
 */
const MEMORY = ['--max-semi-space-size=4', '--max-old-space-size=256'];

/** The source beside this one, or what was built: the agent is a file in dist/ or, in the command line, in dist/parts/. */
function programPath(here = import.meta.url): string {
  const places = here.endsWith('.ts') ? ['../pull-main.ts'] : ['pull.mjs', '../pull.mjs'];
  const paths = places.map((place) => fileURLToPath(new URL(place, here)));
  return paths.find((path) => existsSync(path)) ?? paths[0] ?? '';
}

function isThere(program: string): boolean {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return folder !== '';
    } catch {
      // Not in this one.
    }
  }
  return false;
}

let found: readonly string[] | undefined;

/** What comes before a command that gives way to the till; looked for once. */
function idleCommand(): readonly string[] {
  found ??= [
    ...(isThere('nice') ? ['nice', '-n', String(HASTY)] : []),
    ...(isThere('ionice') ? ['ionice', '-c3'] : []),
  ];
  return found;
}

const environment = (): Record<string, string> =>
  Object.fromEntries(
    ['PATH', 'HOME'].flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );

export type PullHears = {
  readonly plan: (plan: Plan) => void;
  readonly chunk: (chunk: PackedChunk) => void;
  readonly progress: (progress: Progress) => void;
  readonly end: (end: End) => void;
  readonly failed: (reason: string) => void;
  /** Once, last, and not after `stop`. */
  readonly gone: (why: string) => void;
};

export type PullChild = {
  readonly pid: number | undefined;
  readonly go: (go: Go) => void;
  readonly cancel: () => void;
  /** At once; nothing more is heard. */
  readonly stop: () => void;
};

/** @param isPlain without nice and ionice: a sandbox may forbid what they do. */
export type StartPull = (job: Job, hears: PullHears, isPlain: boolean) => PullChild;

function hear(letter: string, body: Buffer, hears: PullHears): void {
  if (letter === LETTERS.chunk) {
    hears.chunk(decodeChunk(body));
    return;
  }
  const said: unknown = JSON.parse(body.toString());
  if (letter === LETTERS.plan) hears.plan(said as Plan);
  else if (letter === MORE_LETTERS.progress) hears.progress(said as Progress);
  else if (letter === MORE_LETTERS.end) hears.end(said as End);
  else if (letter === MORE_LETTERS.failed) hears.failed((said as { reason: string }).reason);
}

function listen(child: ChildProcess, hears: PullHears, isOpen: () => boolean): void {
  const frames = createFrames();
  child.stdout?.on('error', () => undefined);
  child.stdout?.on('data', (bytes: Buffer) => {
    const heard = frames(bytes);
    if (heard === undefined) child.kill('SIGKILL');
    try {
      for (const { letter, body } of heard ?? []) if (isOpen()) hear(letter, body, hears);
    } catch {
      // Its memory is not what it was: another one makes the same again.
      child.kill('SIGKILL');
    }
  });
}

/** Where there is no memory for another process, or no descriptor: it has died before it began. */
function neverBegan(hears: PullHears, why: string): PullChild {
  let isOpen = true;
  process.nextTick(() => {
    if (isOpen) hears.gone(why);
  });
  const nothing = (): void => undefined;
  const stop = (): void => {
    isOpen = false;
  };
  return { pid: undefined, go: nothing, cancel: nothing, stop };
}

/** Without a descriptor for its pipes there are none, though the types say so. */
function begin(words: readonly string[]): ChildProcess {
  const told = bare(words, environment());
  if (!told.ok) throw new Error(told.reason);
  const [program = '', ...rest] = told.value.command;
  return spawn(program, rest, { env: told.value.env, stdio: ['pipe', 'pipe', 'ignore'] });
}

export const startPull: StartPull = (job, hears, isPlain) => {
  const node = [process.execPath, ...MEMORY, programPath()];
  const words = isPlain ? node : [...idleCommand(), ...node];
  const [program = ''] = words;
  let child: ChildProcess;
  try {
    child = begin(words);
  } catch (error) {
    return neverBegan(hears, `cannot start ${program}: ${codeOf(error)}`);
  }
  let isOpen = true;
  const gone = (why: string): void => {
    if (isOpen) hears.gone(why);
    isOpen = false;
  };
  child.once('error', (error) => gone(`cannot start ${program}: ${codeOf(error)}`));
  child.once('close', (code, signal) => gone(signal === null ? `code ${code}` : signal));
  child.stdin?.on('error', () => undefined);
  listen(child, hears, () => isOpen);
  child.stdin?.write(encodeWords(LETTERS.job, job));
  return {
    pid: child.pid,
    go: (go) => child.stdin?.write(encodeWords(LETTERS.go, go)),
    cancel: () => child.stdin?.write(encodeWords(LETTERS.cancel, null)),
    stop: () => {
      isOpen = false;
      child.kill('SIGKILL');
    },
  };
};
