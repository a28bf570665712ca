// A journal in a folder and the work of the process that answers requests from it, done here: what a plan, an answer or
// a line does is looked at without starting a process.

import { randomUUID } from 'node:crypto';
import { openJournal } from '../../agent/logs/journal/journal.ts';
import { openReader } from '../../agent/logs/journal/reader.ts';
import type { JournalReader, JournalRecord } from '../../agent/logs/journal/types.ts';
import type { End, Job, Progress } from '../../agent/logs/pull/job.ts';
import type { PackedChunk } from '../../agent/logs/pull/pack.ts';
import type { Plan, Wish } from '../../agent/logs/pull/plan.ts';
import { openPulls } from '../../agent/logs/pull/pulls.ts';
import type { LogsCommand, PullsOptions } from '../../agent/logs/pull/types.ts';
import { Control, runWork } from '../../agent/logs/pull/work.ts';
import type { StartPull } from '../../agent/system/pull-child.ts';
import { unpackBody } from '../../protocol/body.ts';
import { decodeLogChunk, type LogChunk } from '../../protocol/logs.ts';
import { fail, ok } from '../../protocol/result.ts';
import { decodeBatch } from '../../protocol/wire.ts';
import { NO_RULES, stamp } from '../../redact/index.ts';
import { fakeTime, folder, must, quiet } from './fleet-rig.ts';

export const NOON = Date.UTC(2026, 10, 23, 12);

export const recordOf = (text: string, change: Partial<JournalRecord> = {}): JournalRecord => ({
  ...{ timeMs: NOON, guessed: false, level: undefined, version: '1', text, ...change },
});

/** A journal of blocks, each of a component. @returns its folder. */
export async function journalOf(
  blocks: readonly (readonly [component: string, records: readonly JournalRecord[]])[],
  redactor = stamp(),
): Promise<string> {
  const path = folder();
  const time = fakeTime();
  const clock = { monotonicMs: time.clock.monotonicMs, wallMs: () => NOON };
  const journal = openJournal({ folder: path, clock, log: quiet });
  for (const [component, records] of blocks) {
    must(await journal.append(component, records, [], redactor));
  }
  await journal.settled();
  journal.close();
  await journal.settled();
  return path;
}

/** `count` records, one a second, a block each fifty. */
export function blocksOf(
  component: string,
  count: number,
  textOf = (n: number): string => `line ${n} ${randomUUID()}`,
  perBlock = 50,
): (readonly [string, JournalRecord[]])[] {
  const all = Array.from({ length: count }, (_, n) =>
    recordOf(textOf(n), { timeMs: NOON + n * 1_000, level: n % 10 === 0 ? 'error' : 'info' }),
  );
  return Array.from({ length: Math.ceil(count / perBlock) }, (_, at) => [
    component,
    all.slice(at * perBlock, (at + 1) * perBlock),
  ]);
}

export const wishOf = (change: Partial<Wish> = {}): Wish => ({
  ...{ components: ['sale'], sinceMs: NOON, untilMs: NOON * 2, bytesMax: 5_000_000 },
  ...{ context: 0, searchMs: 60_000, ...change },
});

export const jobOf = (path: string, change: Partial<Job> = {}): Job => ({
  ...{ folder: path, request: randomUUID(), component: 'sale', wish: wishOf(), offsetMs: 0 },
  ...{ nowMs: NOON, plan: undefined, rules: NO_RULES, chunks: 1_000_000, fromByte: 0, ...change },
});

export function chunkOf(bytes: Uint8Array): LogChunk {
  const batch = must(decodeBatch(bytes));
  return must(decodeLogChunk(must(unpackBody(batch))));
}

export type Made = {
  plan: Plan | undefined;
  chunks: LogChunk[];
  /** As they travel. */
  sent: Uint8Array[];
  end: End | undefined;
  progress: Progress[];
  reason: string;
  text: string;
};

/** What the process would say to a job. */
export async function work(
  job: Job,
  reader: JournalReader = openReader(job.folder),
  monotonicMs = () => performance.now(),
): Promise<Made> {
  const made: Made = {
    ...{
      plan: undefined,
      chunks: [],
      sent: [],
      end: undefined,
      progress: [],
      reason: '',
      text: '',
    },
  };
  await runWork({
    ...{ job: JSON.parse(JSON.stringify(job)), reader, control: new Control(job), monotonicMs },
    out: {
      plan: (plan) => {
        made.plan = JSON.parse(JSON.stringify(plan));
      },
      chunk: ({ bytes }) => {
        made.sent.push(bytes);
        made.chunks.push(chunkOf(bytes));
      },
      progress: (progress) => made.progress.push(progress),
      end: (end) => {
        made.end = end;
      },
      failed: (reason) => {
        made.reason = reason;
      },
    },
  });
  reader.close();
  made.text = Buffer.concat(made.chunks.map(({ body }) => body)).toString();
  return made;
}

/** In place of a process: it can be killed, and says nothing after that. */
export function worker() {
  const running = new Set<{ kill: (why: string) => void; request: string }>();
  let started = 0;
  const startPull: StartPull = (job, hears) => {
    const control = new Control(job);
    const reader = openReader(job.folder);
    let isOpen = true;
    started += 1;
    const stop = (): void => {
      isOpen = false;
      running.delete(child);
    };
    const child = {
      request: job.request,
      kill: (why: string): void => {
        stop();
        hears.gone(why);
      },
    };
    running.add(child);
    const heard =
      <T>(run: (said: T) => void) =>
      (said: T): void => {
        if (isOpen) run(said);
      };
    const out = {
      plan: heard(hears.plan),
      chunk: heard((chunk: PackedChunk) => hears.chunk(chunk)),
      progress: heard(hears.progress),
      end: heard(hears.end),
      failed: heard(hears.failed),
    };
    const options = { job, reader, control, out, monotonicMs: () => performance.now() };
    void runWork(options).then(() => {
      if (isOpen) child.kill('code 0');
    });
    return { pid: 1, go: (go) => control.go(go), cancel: () => control.cancel(), stop };
  };
  return { startPull, running, started: () => started };
}

/** In place of processes that die before they say a word: one that has said everything has not died. */
export const dieAtOnce: StartPull = (_job, hears) => {
  setImmediate(() => hears.gone('SIGKILL'));
  const nothing = (): void => {};
  return { pid: 1, go: nothing, cancel: nothing, stop: nothing };
};

export const commandFor = (change: Partial<LogsCommand['arguments']> = {}): LogsCommand => ({
  ...{ id: randomUUID(), kind: 'logs', terminal: 'lane-1', issuedMs: NOON, expiresMs: NOON * 2 },
  ...{ operator: 'kim', reason: 'receipts are missing', traceparent: '' },
  arguments: {
    ...{ request: randomUUID(), components: ['sale'], sinceMs: NOON, untilMs: NOON * 2 },
    ...{ bytesMax: 5_000_000, ...change },
  },
});

export type Told = { command: string; succeeded: boolean; reason: string; detail: object };

/** A terminal's pulls over a journal, on a disk that can be full; each `open` is another agent. */
export function terminalOver(
  path: string,
  change: Partial<PullsOptions> = {},
  disk: { text?: string; full?: boolean } = {},
) {
  const time = fakeTime();
  const told: Told[] = [];
  const pins: string[] = [];
  const missed: unknown[] = [];
  const process = worker();
  const open = () => {
    const pulls = openPulls({
      ...{ path: 'pulls.json', folder: path, components: ['sale'], rules: NO_RULES, share: 1 },
      journal: {
        pin: (id) => pins.includes(id) || pins.push(id),
        unpin: (id) => pins.splice(pins.indexOf(id), 1),
      },
      intake: undefined,
      redactions: { add: () => {}, missed: (...all) => missed.push(all) },
      startPull: process.startPull,
      read: () => disk.text,
      write: (_path, text) => {
        if (disk.full) return fail('no space');
        disk.text = text;
        return ok(undefined);
      },
      time: { nowMs: time.clock.wallMs, offsetMs: () => 0, known: () => true, learn: () => true },
      ...{ clock: time.clock, timers: time.timers, random: () => 0, log: quiet, ...change },
    });
    pulls.start((command, succeeded, reason, detail) =>
      told.push({ command, succeeded, reason, detail }),
    );
    return pulls;
  };
  /** Lets processes and timers do what they have to. */
  const turn = async (turns = 8): Promise<void> => {
    for (let n = 0; n < turns; n += 1) {
      await new Promise((done) => setImmediate(done));
      time.pass(1);
    }
  };
  return { time, told, pins, missed, disk, process, open, turn };
}
