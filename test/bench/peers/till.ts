// The till of one trial: where the program of all peers writes what it did, and how the bench reads it. Everything
// is told by the program itself (which lives began, which serve, what each printed) and by /proc, nothing by the
// supervisor: a supervisor that lost track of a process would not tell of it.

import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { sleep, until } from '../harness.ts';

export type Till = {
  readonly dir: string;
  readonly port: number;
  readonly command: readonly [string, string];
  readonly env: Readonly<Record<string, string>>;
};
type Known = { readonly pid: number; readonly startTicks: number };
type Said = { kind: string; pid: number; processes?: Known[]; atMs?: number };
export type Life = { readonly pid: number; readonly processes: readonly Known[] };

/** A port that is free now; nothing else on this machine takes ports at random during a bench. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
      server.close(() => resolve(port));
    });
  });
}

export async function makeTill(root: string, name: string, program: string): Promise<Till> {
  const dir = join(root, name);
  mkdirSync(dir, { recursive: true });
  const port = await freePort();
  const env = { BENCH_DIR: dir, BENCH_PORT: String(port) };
  return { dir, port, command: [process.execPath, program], env };
}

/** CLOCK_MONOTONIC, the same in every process of this machine. */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};

export const told = (till: Till): Said[] =>
  read(join(till.dir, 'lives.jsonl'))
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as Said);

export const lives = (till: Till): Life[] =>
  told(till).flatMap(({ kind, pid, processes }) =>
    kind === 'begun' ? [{ pid, processes: processes ?? [] }] : [],
  );

/** Body of /healthz: the pid that answers; undefined when nothing does within `timeoutMs`. */
export function ask(till: Till, path = '/healthz', timeoutMs = 500): Promise<number | undefined> {
  return new Promise((resolve) => {
    const nothing = (): void => resolve(undefined);
    const req = request(
      { host: '127.0.0.1', port: till.port, path, agent: false, timeout: timeoutMs },
      (res) => {
        let body = '';
        res.setEncoding('utf8').on('data', (text: string) => {
          body += text;
        });
        res.once('end', () => resolve(Number(body)));
        res.once('error', nothing);
      },
    );
    req.once('timeout', () => req.destroy());
    req.once('error', nothing);
    req.once('close', nothing);
    req.end();
  });
}

/** The first answer of a life other than `before`; undefined when none came within the time. */
export async function served(
  till: Till,
  before: readonly number[],
  withinMs: number,
): Promise<{ pid: number; atMs: number } | undefined> {
  const endMs = performance.now() + withinMs;
  while (performance.now() < endMs) {
    // Only a life that says it serves is asked: asking a stuck one would cost a time-out.
    const next = told(till).findLast((s) => s.kind === 'serving' && !before.includes(s.pid));
    if (next !== undefined && (await ask(till)) === next.pid) {
      return { pid: next.pid, atMs: monotonicMs() };
    }
    await sleep(5);
  }
  return undefined;
}

type State = { state: string; parent: number };
/** undefined: it is gone, or its number belongs to another process by now [proc(5)]. */
function look({ pid, startTicks }: Known): State | undefined {
  const fields = read(`/proc/${pid}/stat`).split(') ')[1]?.split(' ') ?? [];
  if (Number(fields[19]) !== startTicks) return undefined;
  return { state: fields[0] ?? '', parent: Number(fields[1]) };
}
const isDead = (state: State | undefined): boolean =>
  state === undefined || state.state === 'Z' || state.state === 'X';

export type Leftovers = {
  /** Programs that run beside the first. */
  readonly duplicates: number;
  /** Helpers whose program is gone. */
  readonly orphans: number;
  /** Unreaped children of the supervisor; those handed to PID 1 are not its own. */
  readonly zombies: number;
  /** All of the till that still runs. */
  readonly running: number;
};

export function leftovers(till: Till): Leftovers {
  let [mains, orphans, zombies, running] = [0, 0, 0, 0];
  for (const { pid, processes } of lives(till)) {
    const states = processes.map((known) => ({ known, state: look(known) }));
    const alive = states.some(({ known, state }) => known.pid === pid && !isDead(state));
    if (alive) mains += 1;
    for (const { known, state } of states) {
      if (state?.state === 'Z' && state.parent !== 1) zombies += 1;
      if (isDead(state)) continue;
      running += 1;
      if (known.pid !== pid && !alive) orphans += 1;
    }
  }
  return { duplicates: Math.max(0, mains - 1), orphans, zombies, running };
}

export const isAlive = (till: Till, pid: number): boolean =>
  lives(till)
    .flatMap((life) => life.processes)
    .some((known) => known.pid === pid && !isDead(look(known)));

export const printedBy = (till: Till, pid: number): number =>
  Number(read(join(till.dir, `${pid}.printed`)));

/** Lines that a life printed and that are in none of `files`. Exact once it has ended. */
export function lostLines(till: Till, pid: number, files: readonly string[]): number {
  const seen = new Set<string>();
  const own = new RegExp(`bench ${pid} (\\d+) \\.{60}`, 'g');
  for (const file of files) {
    for (const [, line = ''] of read(file).matchAll(own)) seen.add(line);
  }
  return Math.max(0, printedBy(till, pid) - seen.size);
}

/** The program is the bench's own: whatever is left of it is ended, so that the next trial starts clean. */
export async function endAll(till: Till): Promise<void> {
  await until('everything of a till to end', () => {
    const rest = lives(till)
      .flatMap((life) => life.processes)
      .filter((known) => !isDead(look(known)));
    for (const { pid } of rest) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended between the look and the signal.
      }
    }
    return rest.length === 0 ? true : undefined;
  });
}

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

/** When a line that matches is added to the file, seen every 2 ms; undefined: not within the time. */
export async function lineAdded(
  { file, found }: { readonly file: string; readonly found: RegExp },
  isOver: () => boolean,
): Promise<number | undefined> {
  const from = sizeOf(file);
  let seen = from;
  while (!isOver()) {
    const size = sizeOf(file);
    if (size > seen && found.test(readFileSync(file).toString('utf8', from))) return monotonicMs();
    seen = size;
    await sleep(2);
  }
  return undefined;
}
