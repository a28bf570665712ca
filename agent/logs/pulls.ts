// All log pulls of this terminal: takes a request, plans it, writes the plan down, hands chunks to the link
// one at a time, and tells the command's end. A plan on disk is a promise: an agent that was killed finds
// it and goes on. The link asks for a chunk only when nothing live waits.

import { rm } from 'node:fs';
import * as v from 'valibot';
import { DIAGNOSIS_BYTES_MAX } from '../../protocol/limits.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Ack } from '../../protocol/wire.ts';
import { addCounts, type Counts, NO_COUNTS, stamp } from '../../redact/index.ts';
import type { Clock, Log, Timers } from '../ports.ts';
import type { BrokerTime } from '../telemetry/time.ts';
import type { Range } from './holes.ts';
import { bytesOf } from './journal.ts';
import { type LogsCommand, type Places, type Plan, planSchema } from './plan.ts';
import { Planning } from './planning.ts';
import { type Ended, Pull } from './pull.ts';

/** Answered one after the other; more are refused until one is done. */
export const PULLS_OPEN_MAX = 4;
const TOO_MANY = `${PULLS_OPEN_MAX} requests are being answered: ask again later`;
const TICK_MS = 1_000;
/** A few hundred files are a few hundred bytes each, and a few kilobytes where there are holes. */
export const PULLS_FILE_BYTES_MAX = 4 * 1024 * 1024;

const fileSchema = v.array(planSchema);

/** What the link needs of whoever has log chunks to send. */
export type Chunks = {
  /** The next chunk, if one may go now; counts as sent. */
  readonly take: () => Uint8Array | undefined;
  /** @returns whether the acknowledgement is about chunks. */
  readonly acknowledge: (ack: Ack) => boolean;
  readonly resendAll: () => void;
  readonly inFlight: () => number;
  /** Called when there may be something to take. */
  readonly onWork: (call: () => void) => void;
};

export type PullsOptions = {
  readonly path: string;
  readonly places: Places;
  readonly read: (path: string, bytesMax: number) => string | undefined;
  /** Durable when it returns. */
  readonly write: (path: string, text: string) => Result<void>;
  readonly time: BrokerTime;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: () => number;
  readonly log: Log;
};

export type PullEnd = (
  command: string,
  succeeded: boolean,
  reason: string,
  detail: Readonly<Record<string, unknown>>,
) => void;

export type FileAnswer = Pick<Plan, 'command' | 'request' | 'expiresMs'> & {
  readonly file: string;
};

export type Pulls = Chunks & {
  /** Commands that an earlier agent began and this one goes on with. */
  readonly resumed: ReadonlySet<string>;
  /** Goes on with those, and tells the end of each from now on. */
  readonly start: (onEnd: PullEnd) => void;
  readonly begin: (command: LogsCommand) => void;
  /** Sends a file as it is, under the id of a request; it goes once it was sent. */
  readonly sendFile: (asked: FileAnswer) => Result<void>;
  /** Files that an open request still reads. */
  readonly isPinned: (path: string) => boolean;
  /** From the first to the last byte of a file that they read. */
  readonly pinned: (path: string) => Range | undefined;
  readonly counts: () => Counts;
  readonly stop: () => void;
};

function readPlans({ path, read, log }: PullsOptions): Plan[] {
  const text = read(path, PULLS_FILE_BYTES_MAX);
  if (text === undefined) return [];
  try {
    return v.parse(fileSchema, JSON.parse(text));
  } catch (error) {
    log.error(`${path} cannot be read: requests for logs are forgotten`, { reason: String(error) });
    return [];
  }
}

class OpenPulls implements Pulls {
  readonly resumed: ReadonlySet<string>;
  readonly #o: PullsOptions;
  #open: Pull[];
  #planned: Planning[] = [];
  #counts: Counts = NO_COUNTS;
  #onEnd: PullEnd = () => undefined;
  #work = (): void => undefined;
  #cancelTick = (): void => undefined;

  constructor(options: PullsOptions) {
    this.#o = options;
    this.#open = readPlans(options).map((plan) => new Pull(plan));
    this.resumed = new Set(this.#open.map(({ plan }) => plan.command));
  }

  start(onEnd: PullEnd): void {
    this.#onEnd = onEnd;
    for (const pull of this.#open) {
      // Other rules make other bytes, and the broker has some of the old ones.
      if (pull.plan.redactor !== stamp()) pull.fail('the agent was upgraded meanwhile: ask again');
    }
    this.#cancelTick = this.#o.timers.every(TICK_MS, () => this.#tick());
    this.#settle();
  }

  begin(command: LogsCommand): void {
    if (this.#open.length + this.#planned.length >= PULLS_OPEN_MAX) {
      this.#onEnd(command.id, false, TOO_MANY, {});
      return;
    }
    const { places, time, clock, timers } = this.#o;
    const planning = new Planning({
      ...{ command, places, clock, timers, offsetMs: time.offsetMs() },
      done: (plan) => {
        this.#planned = this.#planned.filter((one) => one !== planning);
        const begun = plan.ok ? this.#begin(plan.value) : plan;
        if (begun.ok) this.#work();
        else this.#onEnd(command.id, false, begun.reason, {});
      },
    });
    this.#planned.push(planning);
    planning.run();
  }

  sendFile(asked: FileAnswer): Result<void> {
    if (this.#open.length + this.#planned.length >= PULLS_OPEN_MAX) return fail(TOO_MANY);
    const offsetMs = this.#o.time.offsetMs();
    const begun = this.#begin({
      ...{ ...asked, component: '', bytesMax: DIAGNOSIS_BYTES_MAX, offsetMs, segments: [] },
      ...{ redactor: stamp(), truncated: false, fromMs: 0 },
    });
    if (begun.ok) this.#work();
    return begun;
  }

  take(): Uint8Array | undefined {
    const { clock, time, random } = this.#o;
    const stamp = { createdMs: time.nowMs(), clockOffsetMs: time.offsetMs() };
    const [pull] = this.#open;
    if (pull === undefined) return undefined;
    const { bytes, again } = pull.take(clock.monotonicMs(), random(), stamp);
    this.#settle();
    if (again && bytes === undefined) this.#work();
    return bytes;
  }

  acknowledge(ack: Ack): boolean {
    const now = this.#o.clock.monotonicMs();
    const found = this.#open.some((pull) => pull.acknowledge(ack, now));
    this.#settle();
    return found;
  }

  resendAll(): void {
    for (const pull of this.#open) pull.land();
  }

  inFlight(): number {
    return this.#open.reduce((sum, pull) => sum + pull.inFlight(), 0);
  }

  onWork(call: () => void): void {
    this.#work = call;
  }

  readonly isPinned = (path: string): boolean => {
    return this.pinned(path) !== undefined;
  };

  readonly pinned = (path: string): Range | undefined => {
    const read: Range[] = [
      ...this.#open.flatMap(({ plan }) => plan.segments.filter((at) => at.path === path)),
      ...this.#open.flatMap(({ plan }) => (plan.file === path ? [{ from: 0, to: Infinity }] : [])),
      ...this.#planned.flatMap((planning) => planning.pinned(path) ?? []),
    ];
    if (read.length === 0) return undefined;
    return {
      from: Math.min(...read.map(({ from }) => from)),
      to: Math.max(...read.map(({ to }) => to)),
    };
  };

  counts(): Counts {
    return this.#open.reduce((sum, pull) => addCounts(sum, pull.counts()), this.#counts);
  }

  stop(): void {
    this.#cancelTick();
    this.#work = () => undefined;
    for (const pull of this.#open) pull.close();
    for (const planning of this.#planned) planning.stop();
  }

  #begin(plan: Plan): Result<void> {
    this.#open.push(new Pull(plan));
    const written = this.#write();
    if (!written.ok) {
      this.#open.pop();
      return fail(`it could not be written down: ${written.reason}`);
    }
    const { request, segments, truncated } = plan;
    const bytes = bytesOf(segments);
    this.#o.log.info('logs are sent', { request, files: segments.length, bytes, truncated });
    return ok(undefined);
  }

  #write(): Result<void> {
    return this.#o.write(this.#o.path, JSON.stringify(this.#open.map(({ plan }) => plan)));
  }

  #tick(): void {
    const nowMs = this.#o.time.nowMs();
    for (const planning of this.#planned) {
      if (nowMs > planning.command.expiresMs) planning.end('the request expired before it began');
    }
    for (const pull of this.#open) {
      if (nowMs > pull.plan.expiresMs) pull.fail('the request expired before all lines were sent');
    }
    this.#settle();
  }

  /** Tells the end of what has ended, then forgets it: told twice is harmless, never told is not. */
  #settle(): void {
    const ended = this.#open.flatMap((pull) => {
      const end = pull.ended();
      return end === undefined ? [] : [[pull, end] as const];
    });
    if (ended.length === 0) return;
    for (const [pull, end] of ended) {
      this.#counts = addCounts(this.#counts, pull.counts());
      this.#tell(pull.plan, end);
      if (pull.plan.file !== undefined) rm(pull.plan.file, { force: true }, () => undefined);
    }
    this.#open = this.#open.filter((pull) => pull.ended() === undefined);
    const written = this.#write();
    if (!written.ok) this.#o.log.error(written.reason);
    this.#work();
  }

  #tell({ command }: Plan, end: Ended): void {
    if (end.ok) this.#onEnd(command, true, '', { ...end.totals, sha256: end.sha256 });
    else this.#onEnd(command, false, end.reason, {});
  }
}

export const openPulls = (options: PullsOptions): Pulls => new OpenPulls(options);
