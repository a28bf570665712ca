// How quick the redactor is, in a process of its own so that it can run with the agent's flags: MB of processor
// time's second for each kind of line (redact-lines.ts), of the best of some rounds, because other work on the machine
// only adds. With a folder as argument it writes the lines there first, for the peer. Prints JSON.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openRedactStream, redactString } from '../../redact/index.ts';
import { kinds } from './redact-lines.ts';

const ROUNDS = 5;
/** As a file is read. */
const CHUNK_BYTES = 64 * 1024;

function megabytesPerSecond(bytes: number, work: () => void): number {
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(start);
    best = Math.min(best, user + system);
  }
  return Math.round((bytes / best) * 10) / 10;
}

function streamed(bytes: Buffer): void {
  const stream = openRedactStream();
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    stream.push(bytes.subarray(at, at + CHUNK_BYTES));
  }
  stream.end();
}

const folder = process.argv[2];
const figures: Record<string, { stream: number; lines: number }> = {};
for (const [name, make] of Object.entries(kinds)) {
  const bytes = make();
  if (folder !== undefined) writeFileSync(join(folder, name), bytes);
  const lines = bytes.toString('latin1').split('\n');
  figures[name] = {
    stream: megabytesPerSecond(bytes.length, () => streamed(bytes)),
    lines: megabytesPerSecond(bytes.length, () => {
      for (const line of lines) redactString(line);
    }),
  };
}
console.log(JSON.stringify(figures));
