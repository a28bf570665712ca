// Component output captured for real: a writer with its own file, our capture behind it, and a reader that proves
// that nothing is missing but what is told.

import { type ChildProcess, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { keptOf } from '../../agent/capture.ts';
import {
  decodeNote,
  type Hole,
  isMarked,
  MARK_BYTES_MAX,
  type Range,
  sidecarOf,
} from '../../agent/logs/holes.ts';
import { createOutput, type Output, type OutputReading } from '../../agent/output.ts';
import type { OutputOptions } from '../../agent/output-types.ts';
import { createPuncher } from '../../agent/punch.ts';
import { realJournalDisk } from '../../agent/system/journal-files.ts';
import { realPorts } from '../../agent/system.ts';
import type { NewEvent } from '../../protocol/events.ts';

export const MEBIBYTE = 1024 * 1024;
const WRITER = resolve('test/real/flood-writer.ts');
const quiet = { info: () => {}, warn: () => {}, error: () => {} };

export type Capture = {
  readonly output: Output;
  readonly events: NewEvent[];
  readonly file: string;
  /** One look, done. */
  readonly look: () => Promise<void>;
  readonly reading: () => OutputReading;
};

/** @param folder of the journal; `sale` prints to `a.log` in it. */
export function capture(folder: string, more: Partial<OutputOptions> = {}): Capture {
  const ports = realPorts();
  const events: NewEvent[] = [];
  mkdirSync(join(folder, 'sale'), { recursive: true });
  const output = createOutput({
    ...{ logDir: folder, bytesMax: 10 * MEBIBYTE, bytesPerSecondMax: MEBIBYTE },
    ...{ disk: realJournalDisk, clock: ports.clock, timers: ports.timers, log: quiet },
    puncher: createPuncher(ports, join(folder, 'said')),
    report: (event) => events.push(event),
    ...more,
  });
  const file = join(folder, 'sale', 'a.log');
  const look = async (): Promise<void> => {
    output.tidy('sale', file);
    await output.settled();
  };
  const reading = (): OutputReading => {
    const [found] = output.readings();
    if (found === undefined) throw new Error('nothing was looked at');
    return found;
  };
  return { output, events, file, look, reading };
}

export function startWriter(file: string, rate: number, seconds: number): ChildProcess {
  const to = openSync(file, 'a', 0o600);
  const options = [WRITER, `${rate}`, `${seconds}`];
  const child = spawn(process.execPath, options, { stdio: ['ignore', to, 'inherit'] });
  closeSync(to);
  return child;
}

export const allocatedIn = (folder: string): number =>
  readdirSync(folder).reduce((sum, name) => {
    // One that was put in the place of another meanwhile has gone by this name.
    const found = statSync(join(folder, name), { throwIfNoEntry: false });
    return sum + (found?.blocks ?? 0) * 512;
  }, 0);

export type Proof = {
  readonly lines: number;
  readonly lastNumber: number;
  readonly waitedMs: number;
  readonly holes: readonly Hole[];
  readonly keptBytes: number;
};

function bytesOf(path: string, { from, to }: Range): Buffer {
  const file = openSync(path, 'r');
  const bytes = Buffer.alloc(to - from);
  const count = readSync(file, bytes, 0, bytes.length, from);
  closeSync(file);
  return bytes.subarray(0, count);
}

/** What is noted of a file, if it is noted of what stands in it now. */
function holesOf(path: string): readonly Hole[] {
  if (!existsSync(sidecarOf(path))) return [];
  const { ino, size } = statSync(path);
  const note = decodeNote(readFileSync(sidecarOf(path), 'utf8'), ino, size);
  const end = note?.holes.at(-1)?.to ?? 0;
  const behind = bytesOf(path, { from: end, to: end + MARK_BYTES_MAX });
  return isMarked(note?.mark, behind) ? (note?.holes ?? []) : [];
}

/** What is there, a line at a time, and the holes between. */
function* entriesOf(path: string): Generator<string | Hole> {
  const holes = holesOf(path);
  const kept = keptOf(holes, { from: 0, to: statSync(path).size });
  let told = 0;
  for (const piece of kept) {
    const before = holes.filter(({ to }) => to <= piece.from);
    yield* before.slice(told);
    told = before.length;
    yield* bytesOf(path, piece).toString('latin1').trimEnd().split('\n');
  }
  yield* holes.slice(told);
}

/**
 * Reads it all and throws at the first line that is broken, doubled, or missing without a word.
 * @param isCut its front is missing without a word.
 */
export function prove(folder: string, isCut = false): Proof {
  const own = join(folder, 'sale');
  // One that was cut has a name that sorts before what is written now.
  const names = readdirSync(own).filter((name) => name.endsWith('.log'));
  const holes: Hole[] = [];
  let [lines, lastNumber, waitedMs, keptBytes, isBehindHole] = [0, 0, -1, 0, isCut];
  for (const entry of names.sort().flatMap((name) => [...entriesOf(join(own, name))])) {
    if (typeof entry !== 'string') {
      holes.push(entry);
      isBehindHole = true;
      continue;
    }
    if (entry === '') continue; // the file is empty
    keptBytes += entry.length + 1;
    const last = /^\S+ last (\d+) waited (\d+)$/.exec(entry);
    const found = /^\S+ begin (\d+) x{160} end (\d+)$/.exec(entry);
    const number = Number(last?.[1] ?? found?.[1]);
    if (last !== null) waitedMs = Number(last[2]);
    else if (found === null || found[1] !== found[2]) throw new Error(`broken: ${entry}`);
    const expected = last === null ? lastNumber + 1 : lastNumber;
    if (isBehindHole ? number < expected : number !== expected) {
      throw new Error(`${number} follows ${lastNumber}`);
    }
    lastNumber = number;
    isBehindHole = false;
    lines += 1;
  }
  return { lines, lastNumber, waitedMs, holes, keptBytes };
}
