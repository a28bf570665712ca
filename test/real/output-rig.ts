// Component output captured for real: a writer with its own file, our capture behind it, and a reader that proves
// that nothing is missing but what is told.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Hole } from '../../agent/logs/holes.ts';
import { componentSource, findSegments, openMerge } from '../../agent/logs/journal.ts';
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
    pinned: () => undefined,
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

/**
 * Reads it all and throws at the first line that is broken, doubled, or missing without a word.
 * @param isCut its front is missing without a word.
 */
export function prove(folder: string, isCut = false): Proof {
  const window = { sinceMs: 0, untilMs: Date.now() * 2 };
  const merge = openMerge(findSegments([componentSource(folder, 'sale')], window));
  if (!merge.ok) throw new Error(merge.reason);
  const holes: Hole[] = [];
  let [lines, lastNumber, waitedMs, keptBytes, isBehindHole] = [0, 0, -1, 0, isCut];
  for (let line = merge.value.next(); line !== undefined; line = merge.value.next()) {
    if (line.hole !== undefined) {
      holes.push(line.hole);
      isBehindHole = true;
      continue;
    }
    keptBytes += line.text.length + 1;
    const last = /^\S+ last (\d+) waited (\d+)$/.exec(line.text);
    const found = /^\S+ begin (\d+) x{160} end (\d+)$/.exec(line.text);
    const number = Number(last?.[1] ?? found?.[1]);
    if (last !== null) waitedMs = Number(last[2]);
    else if (found === null || found[1] !== found[2]) throw new Error(`broken: ${line.text}`);
    const expected = last === null ? lastNumber + 1 : lastNumber;
    if (isBehindHole ? number < expected : number !== expected) {
      throw new Error(`${number} follows ${lastNumber}`);
    }
    lastNumber = number;
    isBehindHole = false;
    lines += 1;
  }
  merge.value.close();
  return { lines, lastNumber, waitedMs, holes, keptBytes };
}
