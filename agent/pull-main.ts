// The program that answers a request for logs: a job on its standard input, frames on its standard output
// (agent/logs/pull/frames.ts), and it ends. It also ends when its input does: whoever started it is gone, and the next one
// starts another with the plan that this one made. Apart from the agent because a search takes processors and memory
// for as long as it lasts, and because nothing that a request says must ever hold up the agent's own loop.

import { useRules } from '../redact/index.ts';
import { openReader } from './logs/journal/reader.ts';
import {
  createFrames,
  encodeFrame,
  encodeWords,
  LETTERS,
  MORE_LETTERS,
} from './logs/pull/frames.ts';
import { encodeChunkHead, type Go, type Job } from './logs/pull/job.ts';
import { Control, type Out, runWork } from './logs/pull/work.ts';
import { giveWay, HASTY, LOWEST, later, monotonicMs } from './system/idle.ts';

/** From then on it has the till's spare time only, whatever it has or has not sent. */
const HASTY_MS = 500;
const EXIT_USAGE = 64;
const EXIT_SOFTWARE = 70;
const EXIT_IO = 74;

const words = (letter: string, said: unknown): boolean =>
  process.stdout.write(encodeWords(letter, said));
const endWith = (code: number) => (): void => process.exit(code);

const out: Out = {
  plan: (plan) => words(LETTERS.plan, plan),
  chunk: ({ seq, lastSeq, isLast, bytes }) => {
    process.stdout.write(encodeFrame(LETTERS.chunk, encodeChunkHead(seq, lastSeq, isLast), bytes));
    stopHaste();
  },
  progress: (progress) => words(MORE_LETTERS.progress, progress),
  end: (end) => words(MORE_LETTERS.end, end),
  failed: (reason) => words(MORE_LETTERS.failed, { reason }),
};

let isHasty = true;
function stopHaste(): void {
  if (isHasty) giveWay(LOWEST);
  isHasty = false;
}

let control: Control | undefined;

async function begin(job: Job): Promise<void> {
  useRules(job.rules);
  control = new Control(job);
  const reader = openReader(job.folder);
  await runWork({ job, reader, control, monotonicMs, out });
  reader.close();
  // Written to the last byte, then gone.
  process.stdout.write('', endWith(0));
}

giveWay(HASTY);
later(HASTY_MS, stopHaste);
process.stdout.on('error', endWith(EXIT_IO));
process.stdin.on('end', endWith(0));
process.stdin.on('error', endWith(EXIT_IO));
const frames = createFrames();
process.stdin.on('data', (bytes: Buffer) => {
  const heard = frames(bytes);
  if (heard === undefined) process.exit(EXIT_USAGE);
  for (const { letter, body } of heard) {
    const said: unknown = body.length === 0 ? undefined : JSON.parse(body.toString());
    if (letter === LETTERS.job) begin(said as Job).catch(endWith(EXIT_SOFTWARE));
    else if (letter === LETTERS.go) control?.go(said as Go);
    else if (letter === LETTERS.cancel) control?.cancel();
  }
});
