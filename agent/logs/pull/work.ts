// The work of the process that answers a request for logs: plans it, where no plan is given, and makes chunks of the
// answer, never more than the agent asks for. It works for some milliseconds at a time, and listens in between: to more
// credits, to what the broker has already, and to somebody who does not want it any more.

import { setImmediate } from 'node:timers/promises';
import { LOG_CHUNK_RAW_BYTES_MAX } from '../../../protocol/limits.ts';
import { epochOfRequest } from '../../../protocol/logs.ts';
import { stamp } from '../../../redact/index.ts';
import type { JournalReader } from '../journal/types.ts';
import { runFor } from '../steps.ts';
import { Answer } from './answer.ts';
import type { End, Go, Job, Progress } from './job.ts';
import { finderOf } from './match.ts';
import { type Known, Merge } from './merge.ts';
import { Fill, type PackedChunk, packChunk, QUICK, THOROUGH } from './pack.ts';
import type { Plan } from './plan.ts';
import { planSteps } from './planning.ts';

const SLICE_MS = 20;
/** Of the first chunk: somebody waits for a first line, on a slow line as well. */
const FIRST_BYTES_MAX = 32 * 1024;
const PROGRESS_MS = 1_000;
const NOTHING = new Uint8Array(0);

export type Out = {
  readonly plan: (plan: Plan) => void;
  readonly chunk: (chunk: PackedChunk) => void;
  readonly progress: (progress: Progress) => void;
  readonly end: (end: End) => void;
  readonly failed: (reason: string) => void;
};

/** What the agent says meanwhile. */
export class Control {
  chunks: number;
  fromByte: number;
  isCancelled = false;
  #wake = (): void => undefined;

  constructor({ chunks, fromByte }: Go) {
    this.chunks = chunks;
    this.fromByte = fromByte;
  }

  go({ chunks, fromByte }: Go): void {
    this.chunks = Math.max(this.chunks, chunks);
    this.fromByte = Math.max(this.fromByte, fromByte);
    this.#wake();
  }

  cancel(): void {
    this.isCancelled = true;
    this.#wake();
  }

  changed(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

export type WorkOptions = {
  readonly job: Job;
  readonly reader: JournalReader;
  readonly control: Control;
  readonly monotonicMs: () => number;
  readonly out: Out;
};

class Work {
  readonly #o: WorkOptions;
  readonly #begunMs: number;
  readonly #fill = new Fill();
  #toldMs: number;
  #made = 0;
  #hasWaited = false;

  constructor(options: WorkOptions) {
    this.#o = options;
    this.#begunMs = options.monotonicMs();
    this.#toldMs = this.#begunMs;
  }

  async run(): Promise<void> {
    const { job, reader, out } = this.#o;
    const { wish } = job;
    const finds = await finderOf(wish);
    if (!finds.ok) {
      out.failed(finds.reason);
      return;
    }
    const planned = await this.#plan(finds.value);
    if (planned === undefined) {
      this.#endEmpty();
      return;
    }
    const { plan, known } = planned;
    const merge = new Merge(plan.parts, { reader, wish, finds: finds.value, known });
    const { offsetMs } = job;
    await this.#answer(new Answer({ plan, merge, bytesMax: wish.bytesMax, offsetMs }), merge, plan);
  }

  /** @returns undefined when it is not wanted any more. */
  async #plan(finds: ((text: string) => boolean) | undefined) {
    const { job, reader, control, monotonicMs, out } = this.#o;
    const { wish, plan } = job;
    const isFiltered = wish.level !== undefined || finds !== undefined;
    const nothing: Known = () => (isFiltered ? undefined : 'all');
    if (plan !== undefined) return { plan, known: nothing };
    const untilMs = this.#begunMs + wish.searchMs;
    const steps = planSteps({
      ...{ reader, wish, finds, isLate: () => monotonicMs() >= untilMs },
      progress: (searchedBytes, searchBytes) => this.#tell({ searchedBytes, searchBytes }),
    });
    for (;;) {
      const made = runFor(steps, SLICE_MS, monotonicMs);
      if (made !== undefined) {
        out.plan(made.value.plan);
        return { plan: made.value.plan, known: made.value.found.known };
      }
      await setImmediate();
      if (control.isCancelled) return undefined;
    }
  }

  async #answer(answer: Answer, merge: Merge, plan: Plan): Promise<void> {
    const { control, monotonicMs } = this.#o;
    let sliceMs = monotonicMs();
    for (;;) {
      if (monotonicMs() - sliceMs >= SLICE_MS) {
        await setImmediate();
        sliceMs = monotonicMs();
      }
      if (control.isCancelled) answer.cancel();
      else {
        if (this.#made >= control.chunks && answer.offset() >= control.fromByte) {
          await this.#wait();
          continue;
        }
        if (answer.work(this.#bytesMax() + 1) === 'paused') {
          this.#tell(this.#progress(merge, plan));
          continue;
        }
        if (this.#skip(answer)) continue;
        // The broker has everything but may not know it: the last is sent in any case.
        if (this.#made >= control.chunks) {
          await this.#wait();
          continue;
        }
      }
      if (this.#make(answer, this.#progress(merge, plan))) return;
    }
  }

  #bytesMax(): number {
    return this.#made === 0 ? FIRST_BYTES_MAX : LOG_CHUNK_RAW_BYTES_MAX;
  }

  async #wait(): Promise<void> {
    this.#hasWaited = true;
    await this.#o.control.changed();
  }

  /** Of an answer of everything, reading is searching. */
  #progress(merge: Merge, { searchedBytes, searchBytes }: Plan): Progress {
    const { text, pattern, level } = this.#o.job.wish;
    const isFiltered = (text ?? pattern ?? level) !== undefined;
    const readBytes = Math.min(merge.readBytes(), searchedBytes);
    return { searchedBytes: isFiltered ? searchedBytes : readBytes, searchBytes };
  }

  /** What the broker has is made and not sent. @returns whether there was any of it. */
  #skip(answer: Answer): boolean {
    const left = this.#o.control.fromByte - answer.offset();
    if (left <= 0) return false;
    const body = answer.peek(Math.min(left, LOG_CHUNK_RAW_BYTES_MAX));
    const whole = body.length > left ? body.subarray(0, left) : body;
    if (whole.length === 0) return false;
    answer.take(whole);
    return true;
  }

  /** @returns whether it was the last. */
  #make(answer: Answer, progress: Progress): boolean {
    const { job, monotonicMs, out } = this.#o;
    const { request, component, offsetMs: clockOffsetMs, nowMs } = job;
    const createdMs = Math.round(nowMs + monotonicMs() - this.#begunMs);
    for (;;) {
      const body = answer.peek(Math.min(this.#bytesMax(), this.#fill.bytesMax()));
      const last = answer.isLast(body);
      const facts = { request, component, offset: answer.offset(), body, last, redactor: stamp() };
      const { truncated, cutBy, fromMs, redactions, missed, records } = answer.totals();
      const ending = last
        ? { sha256: answer.digestWith(body), lines: records, redactions, truncated, cutBy, fromMs }
        : { sha256: NOTHING, lines: 0, redactions: 0, truncated: false, fromMs: 0 };
      const chunk = packChunk(
        { ...facts, ...ending, missed, ...progress },
        epochOfRequest(request),
        { createdMs, clockOffsetMs },
        this.#hasWaited ? THOROUGH : QUICK,
      );
      if (chunk === undefined) {
        this.#fill.tooLong();
        continue;
      }
      answer.take(body);
      this.#fill.packed(body.length, chunk.bytes.length);
      this.#made += 1;
      this.#hasWaited = false;
      this.#toldMs = monotonicMs();
      out.chunk(chunk);
      if (last) this.#end(answer);
      return last;
    }
  }

  #end(answer: Answer): void {
    this.#o.out.end({
      totals: answer.totals(),
      sha256: answer.digestWith(Buffer.alloc(0)).toString('hex'),
      redactions: answer.redactions(),
      missed: answer.missed(),
    });
  }

  /** It was cancelled before there was anything to send. */
  #endEmpty(): void {
    const { reader, job } = this.#o;
    const plan: Plan = {
      ...{ redactor: stamp(), parts: [], skipRecords: 0, truncated: true, cutBy: 'cancelled' },
      ...{ fromMs: job.wish.untilMs, searchedBytes: 0, searchBytes: 0 },
    };
    const merge = new Merge([], { reader, wish: job.wish, finds: undefined, known: () => 'all' });
    const { bytesMax } = job.wish;
    const answer = new Answer({ plan, merge, bytesMax, offsetMs: job.offsetMs });
    answer.cancel();
    this.#make(answer, { searchedBytes: 0, searchBytes: 0 });
  }

  #tell(progress: Progress): void {
    const now = this.#o.monotonicMs();
    if (now - this.#toldMs < PROGRESS_MS) return;
    this.#toldMs = now;
    this.#o.out.progress(progress);
  }
}

/** Tells its end or its failure; never rejects. */
export async function runWork(options: WorkOptions): Promise<void> {
  try {
    await new Work(options).run();
  } catch (error) {
    options.out.failed(error instanceof Error ? error.message : String(error));
  }
}
