// Forwards received logs for one sink: of each answer the bytes that have come since, in batches, and how far it is goes
// to disk only after the batch was taken or buried. So a crash at any point repeats one batch, which adds nothing
// (loki-entries.ts), and loses none. Live tails and incidents go before long pulls; pulls go one after the other, so
// that no stream is behind itself. A Loki that is down is asked again for as long as it takes.

import { join } from 'node:path';
import type { Clock, Timers } from '../clock.ts';
import { backoffMs } from './backoff.ts';
import { type Part, readPart } from './loki-batch.ts';
import type { Entry, Origin, Source } from './loki-entries.ts';
import type { Forwarded, LokiStore } from './loki-store.ts';
import type { LoopStatus } from './loop.ts';
import type { Buried, SendResult } from './types.ts';

const DISK_MS = 5_000;
const IDLE_MS = 60_000;

/** An answer as the broker has it; told again with each change. */
export type Answer = {
  readonly request: string;
  readonly terminal: string;
  readonly store: string;
  readonly source: Source;
  /** Before it everything counts, has passed a redactor that is known, and does not change any more. */
  readonly bytes: number;
  /** Nothing more comes. */
  readonly ended: boolean;
};

export type LokiLoopOptions = {
  readonly name: string;
  readonly folder: string;
  readonly kinds: readonly Source[];
  readonly send: (entries: readonly Entry[]) => Promise<SendResult>;
  readonly store: Pick<LokiStore, 'read' | 'move'>;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly chance: () => number;
  readonly onTaken: (items: number) => void;
  readonly onBuried: (buried: readonly Buried[]) => void;
  readonly onChange: () => void;
};

export type LokiLoop = {
  readonly told: (answers: readonly Answer[]) => void;
  readonly forget: (request: string) => void;
  readonly status: () => LoopStatus;
  readonly stop: () => Promise<void>;
};

type Waiting = { readonly answer: Answer; readonly sinceMs: number };

const urgency = ({ source }: Answer): number => (source === 'pull' ? 1 : 0);

/** Deleted at the centre before it was taken: one dead letter, because nobody knows how many records it was. */
const lost = ({ terminal, bytes, request }: Answer): Part => {
  const sentence = `the lines of request ${request} were deleted before they were taken`;
  return {
    entries: [],
    buried: [{ terminal, reason: 'expired', sentence, count: 1 }],
    until: bytes,
  };
};

class Forwarding implements LokiLoop {
  readonly #o: LokiLoopOptions;
  readonly #forwarded: Map<string, Forwarded>;
  readonly #waiting = new Map<string, Waiting>();
  #wake: (() => void) | undefined;
  #stopped = false;
  #up: boolean | undefined;
  #lastError = '';
  #taken = 0;
  readonly #done: Promise<void>;

  constructor(options: LokiLoopOptions) {
    this.#o = options;
    this.#forwarded = new Map(options.store.read(options.name));
    this.#done = this.#run();
  }

  told(answers: readonly Answer[]): void {
    for (const answer of answers) {
      const { request, bytes, source } = answer;
      const isWanted = this.#o.kinds.includes(source);
      if (!isWanted || bytes <= (this.#forwarded.get(request)?.bytes ?? 0)) continue;
      const sinceMs = this.#waiting.get(request)?.sinceMs ?? this.#o.clock.monotonicMs();
      this.#waiting.set(request, { answer, sinceMs });
    }
    this.#wake?.();
  }

  forget(request: string): void {
    this.#waiting.delete(request);
    this.#forwarded.delete(request);
  }

  status(): LoopStatus {
    const now = this.#o.clock.monotonicMs();
    const oldest = Math.min(now, ...[...this.#waiting.values()].map(({ sinceMs }) => sinceMs));
    return {
      ...{ name: this.#o.name, up: this.#up, taken: this.#taken, lastError: this.#lastError },
      ...{ behindBatches: this.#waiting.size, behindSeconds: (now - oldest) / 1_000 },
      ...{ cursor: 0, position: 0, sentences: [] },
    };
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake?.();
    await this.#done;
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#o.timers.after(ms, () => this.#wake?.());
      this.#wake = () => {
        this.#wake = undefined;
        cancel();
        resolve();
      };
    });
  }

  /** Not to be woken by news: it waits for somebody else. */
  async #pause(ms: number): Promise<void> {
    const untilMs = this.#o.clock.monotonicMs() + ms;
    for (let left = ms; left > 0 && !this.#stopped; left = untilMs - this.#o.clock.monotonicMs()) {
      await this.#sleep(left);
    }
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const next = this.#next();
      if (next === undefined) await this.#sleep(IDLE_MS);
      else await this.#forward(next);
    }
  }

  #next(): Answer | undefined {
    let first: Waiting | undefined;
    for (const one of this.#waiting.values()) {
      if (first === undefined) first = one;
      const [a, b] = [urgency(one.answer), urgency(first.answer)];
      if (a < b || (a === b && this.#anchorOf(one) < this.#anchorOf(first))) first = one;
    }
    return first?.answer;
  }

  #anchorOf({ answer, sinceMs }: Waiting): number {
    const known = this.#forwarded.get(answer.request)?.origin.anchorMs;
    return known ?? this.#o.clock.wallMs() + sinceMs;
  }

  async #forward(answer: Answer): Promise<void> {
    const { request, bytes, ended } = answer;
    const known = this.#forwarded.get(request) ?? (await this.#begin(answer));
    if (known === undefined) return;
    const path = join(this.#o.folder, `${request}.log`);
    const part = readPart(path, known.origin, known.bytes, bytes, ended);
    if (part === 'gone') await this.#pass(answer, known.origin, lost(answer));
    else if (part === 'nothing') this.#settle(answer);
    else await this.#pass(answer, known.origin, part);
  }

  /** What its entries say is on disk before the first of them leaves. */
  async #begin({ request, terminal, store, source }: Answer): Promise<Forwarded | undefined> {
    const anchorMs = this.#o.clock.wallMs();
    const begun = { bytes: 0, origin: { request, terminal, store, source, anchorMs } };
    return (await this.#save(begun, [])) ? begun : undefined;
  }

  async #pass(answer: Answer, origin: Origin, { entries, buried, until }: Part): Promise<void> {
    const sent = entries.length === 0 ? [] : await this.#sendAll(entries);
    if (sent === undefined) return;
    const all = [...buried, ...sent];
    if (!(await this.#save({ bytes: until, origin }, all))) return;
    if (all.length > 0) this.#o.onBuried(all);
    if (until >= answer.bytes) this.#settle(answer);
    this.#o.onChange();
  }

  /** Nothing more of it now, unless it has grown meanwhile. */
  #settle({ request, bytes, ended }: Answer): void {
    const now = this.#waiting.get(request)?.answer;
    if (now?.bytes === bytes && now.ended === ended) this.#waiting.delete(request);
    this.#o.onChange();
  }

  /** @returns what was buried; undefined when it was stopped before. */
  async #sendAll(entries: readonly Entry[]): Promise<readonly Buried[] | undefined> {
    for (let failures = 1; !this.#stopped; failures += 1) {
      const result = await this.#o.send(entries);
      if (result.kind === 'taken') {
        this.#taken += result.items;
        this.#o.onTaken(result.items);
        this.#say(true, '');
        return result.buried;
      }
      if (this.#stopped) break;
      this.#say(false, result.reason);
      await this.#pause(backoffMs(failures, this.#o.chance(), result.afterMs));
    }
    return undefined;
  }

  #say(up: boolean, lastError: string): void {
    const isNews = this.#up !== up || this.#lastError !== lastError;
    this.#up = up;
    this.#lastError = lastError;
    if (isNews) this.#o.onChange();
  }

  /** Tries until the disk takes it. @returns false when it was stopped before. */
  async #save(forwarded: Forwarded, buried: readonly Buried[]): Promise<boolean> {
    while (!this.#stopped) {
      const saved = this.#o.store.move(this.#o.name, forwarded, buried, this.#o.clock.wallMs());
      if (saved.ok) {
        this.#forwarded.set(forwarded.origin.request, forwarded);
        return true;
      }
      this.#say(this.#up ?? false, saved.reason);
      await this.#pause(DISK_MS);
    }
    return false;
  }
}

export const startLokiLoop = (options: LokiLoopOptions): LokiLoop => new Forwarding(options);
