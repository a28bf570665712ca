// One request for logs in the agent: has a process search the journal, hands its chunks to the line, and starts another
// process behind the last chunk when one dies. Nothing of the answer lies here but the few chunks that are about to go;
// all that the process makes it makes the same again.

import { LOG_WINDOW_CHUNKS } from '../../../protocol/limits.ts';
import { encodeLogChunk, epochOfRequest } from '../../../protocol/logs.ts';
import type { Result } from '../../../protocol/result.ts';
import { encodeBatch } from '../../../protocol/wire.ts';
import { type Rules, stamp } from '../../../redact/index.ts';
import type { PullChild, PullHears, StartPull } from '../../system/pull-child.ts';
import type { Supply } from './delivery.ts';
import { emptyEnd } from './empty.ts';
import type { PullEntry } from './entry.ts';
import type { End, Job, Progress } from './job.ts';
import type { PackedChunk } from './pack.ts';
import type { Plan } from './plan.ts';

/** Chunks made ahead of what was handed to the line: the process works while the line does. */
const AHEAD_CHUNKS = 2 * LOG_WINDOW_CHUNKS;
const CRASHES_MAX = 3;
/** A search that has its time limit passed by so much hangs. */
export const LATE_MS_MAX = 30_000;
/** At the lowest priority of a till that is busy, it may have to wait. */
export const SILENT_MS_MAX = 60_000;
const CANCEL_MS_MAX = 5_000;
const WORD_MS = 1_000;
const NOTHING = Buffer.alloc(0);

export type Ended =
  | { readonly ok: true; readonly detail: Readonly<Record<string, unknown>>; readonly end?: End }
  | { readonly ok: false; readonly reason: string };

export type PullOptions = {
  readonly folder: string;
  readonly rules: Rules;
  readonly startPull: StartPull;
  readonly nowMs: () => number;
  readonly monotonicMs: () => number;
  /** The plan is to be on disk when it returns. */
  readonly planned: () => Result<void>;
  /** There may be something to send, or it has ended. */
  readonly changed: () => void;
};

export class Pull implements Supply {
  readonly request: string;
  entry: PullEntry;
  readonly #o: PullOptions;
  #child: PullChild | undefined;
  #ready: PackedChunk[] = [];
  /** Chunks of this process: made, and handed on. */
  #made = 0;
  #taken = 0;
  /** As many as it may have made. */
  #told = 0;
  /** Behind the last that a process has made. */
  #nextByte = 0;
  #reached = 0;
  /** Of an earlier agent: the broker has nobody knows how much. */
  #isUnsure: boolean;
  #crashes = 0;
  /** Searches that were ended for others before they had a plan. */
  #begunAnew = 0;
  #startedMs = 0;
  #heardMs = 0;
  #cancelledMs: number | undefined;
  #progress: Progress | undefined;
  #wordMs = -Infinity;
  #end: End | undefined;
  #isDelivered = false;
  #ended: Ended | undefined;

  constructor(entry: PullEntry, options: PullOptions) {
    this.request = entry.request;
    this.entry = entry;
    this.#o = options;
    this.#isUnsure = entry.plan !== undefined;
  }

  ended(): Ended | undefined {
    return this.#ended;
  }

  isRunning(): boolean {
    return this.#child !== undefined;
  }

  /** Everything was made; only the line has still to do. */
  isMade(): boolean {
    return this.#end !== undefined;
  }

  /** It may be ended and begun again without doing much twice. @param quantumMs that it has at least. */
  isParkable(quantumMs: number): boolean {
    const ranMs = this.#o.monotonicMs() - this.#startedMs;
    if (this.#child === undefined) return false;
    // A search has sent nothing and begins anew: with twice the time, so that it ends although others wait.
    if (this.entry.plan === undefined) return ranMs > quantumMs * 2 ** this.#begunAnew;
    // What is skipped costs time as well: so the more was sent, the longer it stays.
    return ranMs > quantumMs + this.#nextByte / 5_000;
  }

  /**
   * @param behind what was printed last is not in the journal yet
   * @throws nothing: a process that cannot be started is one that has died.
   */
  run(behind = false): void {
    const { folder, rules, startPull, nowMs, monotonicMs } = this.#o;
    const { request, component, wish, offsetMs, plan } = this.entry;
    this.#startedMs = monotonicMs();
    this.#heardMs = this.#startedMs;
    this.#made = 0;
    this.#taken = 0;
    const job: Job = {
      ...{ folder, request, component, offsetMs, plan, rules, nowMs: nowMs() },
      ...{ wish: { ...wish, behind }, chunks: this.#credits(), fromByte: this.#from() },
    };
    this.#told = job.chunks;
    this.#child = startPull(job, this.#hears(), this.#crashes > 0);
    if (this.#cancelledMs !== undefined) this.#child.cancel();
  }

  park(): void {
    if (this.#child !== undefined && this.entry.plan === undefined) this.#begunAnew += 1;
    this.#child?.stop();
    this.#child = undefined;
  }

  next(): PackedChunk | undefined {
    // Of these the broker has told that it has them.
    while (this.#ready[0] !== undefined && this.#isHeld(this.#ready[0])) this.#shift();
    return this.#shift();
  }

  word(): Uint8Array | undefined {
    const now = this.#o.monotonicMs();
    const { plan, request, component, offsetMs } = this.entry;
    const isBegun = this.#nextByte > 0 || this.#isUnsure;
    if (this.#progress === undefined || isBegun || now - this.#wordMs < WORD_MS) return undefined;
    this.#wordMs = now;
    const body = encodeLogChunk({
      ...{ request, component, offset: 0, body: NOTHING, last: false, sha256: NOTHING },
      ...{ redactor: plan?.redactor ?? stamp(), lines: 0, redactions: 0, truncated: false },
      ...{ fromMs: 0, ...this.#progress },
    });
    const created = { createdMs: this.#o.nowMs(), clockOffsetMs: offsetMs };
    const facts = { epoch: epochOfRequest(request), stream: 'logs', seq: 1 } as const;
    return encodeBatch({ ...facts, ...created, encoding: 'identity', body });
  }

  reached(lastSeq: number): void {
    if (lastSeq <= this.#reached && !this.#isUnsure) return;
    this.#reached = Math.max(this.#reached, lastSeq);
    this.#isUnsure = false;
    this.#tell();
  }

  delivered(): void {
    this.#isDelivered = true;
    const end = this.#end;
    // Its process has still to say what that was; if it died, another one does.
    if (end === undefined) return;
    const { totals, sha256 } = end;
    this.#finish({ ok: true, detail: { ...totals, lines: totals.records, sha256 }, end });
  }

  refused(reason: string): void {
    this.fail(`the broker refused it: ${reason}`);
  }

  /** Ends with what was sent, where that is possible. */
  cancel(): void {
    this.#cancelledMs ??= this.#o.monotonicMs();
    if (this.#child !== undefined) this.#child.cancel();
    else if (this.#end === undefined && this.#nextByte === 0 && !this.#isUnsure) this.#endEmpty();
    else if (this.#end === undefined) this.fail('it was cancelled');
  }

  fail(reason: string): void {
    this.#finish({ ok: false, reason });
  }

  /** Once a second. */
  look(): void {
    const now = this.#o.monotonicMs();
    const { plan, wish } = this.entry;
    if (
      this.#cancelledMs !== undefined &&
      now - this.#cancelledMs > CANCEL_MS_MAX &&
      !this.isMade()
    ) {
      this.fail('it was cancelled');
    }
    if (this.#child === undefined) return;
    if (plan === undefined && now - this.#startedMs > wish.searchMs + LATE_MS_MAX) {
      this.fail('the search did not end in its time: ask for less');
    } else if (this.#made < this.#credits() && now - this.#heardMs > SILENT_MS_MAX) {
      this.#died('it said nothing for too long');
    } else this.#o.changed();
  }

  #shift(): PackedChunk | undefined {
    const chunk = this.#ready.shift();
    if (chunk === undefined) return undefined;
    this.#taken += 1;
    this.#tell();
    return chunk;
  }

  #isHeld({ lastSeq, isLast }: PackedChunk): boolean {
    return !isLast && lastSeq <= this.#reached;
  }

  /** Until the broker has told what it has, one is enough. */
  #credits(): number {
    return this.#isUnsure ? 1 : this.#taken + AHEAD_CHUNKS;
  }

  #from(): number {
    return Math.max(this.#nextByte, this.#reached);
  }

  #tell(): void {
    // It had nothing to do: its silence counts from now on.
    if (this.#made >= this.#told) this.#heardMs = this.#o.monotonicMs();
    this.#told = this.#credits();
    this.#child?.go({ chunks: this.#told, fromByte: this.#reached });
  }

  #hears(): PullHears {
    const heard =
      <T>(run: (said: T) => void) =>
      (said: T): void => {
        this.#heardMs = this.#o.monotonicMs();
        run(said);
        this.#o.changed();
      };
    return {
      plan: heard((plan) => this.#planned(plan)),
      chunk: heard((chunk) => this.#keep(chunk)),
      progress: heard((progress) => {
        this.#progress = progress;
      }),
      end: heard((end) => {
        this.#end = end;
        if (this.#isDelivered) this.delivered();
      }),
      failed: heard((reason) => this.fail(reason)),
      gone: (why) => {
        this.#child = undefined;
        if (this.#end === undefined) this.#died(why);
        this.#o.changed();
      },
    };
  }

  #planned(plan: Plan): void {
    this.entry = { ...this.entry, plan };
    const written = this.#o.planned();
    if (!written.ok) this.fail(`it could not be written down: ${written.reason}`);
  }

  #keep(chunk: PackedChunk): void {
    this.#made += 1;
    this.#nextByte = Math.max(this.#nextByte, chunk.lastSeq - (chunk.isLast ? 1 : 0));
    this.#ready.push(chunk);
  }

  #died(why: string): void {
    this.park();
    this.#crashes += 1;
    if (this.#crashes <= CRASHES_MAX) return;
    this.fail(`the process that searches died ${this.#crashes} times: ${why}`);
  }

  /** Nothing of it was sent. */
  #endEmpty(): void {
    const { offsetMs: clockOffsetMs } = this.entry;
    const { end, chunk } = emptyEnd(this.entry, { createdMs: this.#o.nowMs(), clockOffsetMs });
    this.#ready = chunk === undefined ? [] : [chunk];
    this.#end = end;
    this.#o.changed();
  }

  #finish(ended: Ended): void {
    this.#ended ??= ended;
    this.park();
    this.#ready = [];
    this.#o.changed();
  }
}
