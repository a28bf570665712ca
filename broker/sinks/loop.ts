// Follows the ledger for one sink: read, send, remember how far. The cursor moves only after the sink has
// taken or buried everything before it, so a crash at any point repeats a little and loses nothing. A sink
// that is down is asked again for as long as it takes; it catches up by itself, because the ledger keeps
// what a follower has not read. What is sent waits for one turn of the loop after it was read, so that
// news of a terminal's store, posted before its batch was committed, is there first.

import { setImmediate as turn } from 'node:timers/promises';
import type { Clock, Timers } from '../clock.ts';
import type { LedgerReader, LedgerRow } from '../ledger-reader.ts';
import { createSaving, createSending, DISK_MS, PASS_MS } from './steps.ts';
import type { SinkStore } from './store.ts';
import { createTrail, type Trail } from './trail.ts';
import type { Buried, Sink } from './types.ts';

/** Rows in one send at most; their bytes are bounded by the reader (READ_BYTES_MAX). */
const ROWS_MAX = 256;
/** Fewer rows than this were all there was: what arrives within GATHER_MS shares a request and a commit. */
const ROWS_FEW = 64;
const GATHER_MS = 200;
/** Connections end for many reasons; for such a one alone it is not gone back oftener. */
const BACK_MS_MIN = 5 * 60_000;
/** A server that ends every connection costs four times the requests, not all there are. */
const BACK_AGAIN_MS = 10_000;
/** Who takes samples and answers no self-test holds the cursor, and with it the ledger, so long. */
const UNKNOWN_MS_MAX = 5 * 60_000;

export type LoopStatus = {
  readonly name: string;
  /** Undefined until it was asked once. */
  readonly up: boolean | undefined;
  readonly behindBatches: number;
  readonly behindSeconds: number;
  /** On disk: everything up to it is done with. */
  readonly cursor: number;
  /** Up to it everything was sent; the cursor follows at a distance (trail.ts). */
  readonly position: number;
  readonly taken: number;
  /** Why it does not go on at present, or empty. */
  readonly lastError: string;
  /** Of its self-test: what is wrong or missing. */
  readonly sentences: readonly string[];
};

export type LoopOptions = {
  readonly sink: Sink;
  readonly reader: Pick<LedgerReader, 'readAfter' | 'newestId'>;
  readonly store: Pick<SinkStore, 'readCursor' | 'move'>;
  readonly generation: Uint8Array;
  /** A cursor beyond it is of a ledger that was put back from a backup. */
  readonly newestAtOpen: number;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly chance: () => number;
  readonly onBuried: (buried: readonly Buried[]) => void;
  readonly onTaken: (items: number) => void;
  readonly onChange: () => void;
  readonly warn: (sentence: string) => void;
};

export type Loop = {
  /** Something was committed to the ledger. */
  readonly wake: () => void;
  readonly status: () => LoopStatus;
  /** Done when nothing is open any more. */
  readonly stop: () => Promise<void>;
};

/** A sleep that `wake` ends. */
function createBed(timers: Timers) {
  let wake: (() => void) | undefined;
  return {
    sleep: (ms: number): Promise<void> =>
      new Promise((resolve) => {
        const cancel = timers.after(ms, () => wake?.());
        wake = () => {
          wake = undefined;
          cancel();
          resolve();
        };
      }),
    wake: (): void => wake?.(),
  };
}

export type Model = {
  /** Everything up to it is done with, in memory. */
  position: number;
  /** The same on disk. */
  saved: number;
  up: boolean | undefined;
  failures: number;
  lastError: string;
  sentences: readonly string[];
  taken: number;
  /** When the oldest row that is not done with was received; undefined: none. */
  waitingSinceMs: number | undefined;
  stopped: boolean;
  readonly trail: Trail;
  /** It gave no answer: what it took after that may be lost with it. */
  lostFrom: number | undefined;
};

function startModel(options: LoopOptions): Model {
  const { sink, store, generation, newestAtOpen, reader, clock, warn } = options;
  const known = store.readCursor(sink.name, generation);
  const isOlder = known > newestAtOpen;
  if (isOlder) {
    // It is append-only, so what it holds was all sent, and the numbers after it are used again.
    warn(`the ledger is older than what ${sink.name} has taken (${known}, now ${newestAtOpen})`);
  }
  const position = Math.min(known, newestAtOpen);
  // At once: a later start, with more rows than that, would believe that it had sent them.
  const back = { sink: sink.name, generation, cursor: position, buried: [], nowMs: clock.wallMs() };
  const isWritten = !isOlder || store.move(back).ok;
  const [oldest] = known > 0 ? reader.readAfter(position, 1) : [];
  if (oldest !== undefined && oldest.id > position + 1) {
    const missing = oldest.id - position - 1;
    warn(
      `${missing} batches were deleted from the ledger before ${sink.name} was configured again`,
    );
  }
  return {
    position,
    saved: isWritten ? position : -1,
    up: undefined,
    failures: 0,
    lastError: '',
    sentences: [],
    taken: 0,
    waitingSinceMs: undefined,
    stopped: false,
    trail: createTrail(position),
    lostFrom: undefined,
  };
}

/** To where it was half a minute before it was lost. */
function createGoingBack({ sink, clock }: LoopOptions, model: Model) {
  let drops = sink.drops?.();
  let backAtMs = Number.NEGATIVE_INFINITY;
  /** Since when it is not known whether it may be gone back. */
  let unknownSinceMs: number | undefined;
  return (): void => {
    const nowMs = clock.monotonicMs();
    const now = sink.drops?.();
    const isRested = now?.all !== drops?.all && nowMs - backAtMs >= BACK_MS_MIN;
    const dropped = now?.busy !== drops?.busy || isRested;
    drops = now;
    const from = model.lostFrom ?? (dropped ? model.trail.settled(nowMs) : undefined);
    const keepsOnce = sink.keepsOnce === undefined ? false : sink.keepsOnce();
    const isUnknown = from !== undefined && keepsOnce === undefined;
    unknownSinceMs = isUnknown ? (unknownSinceMs ?? nowMs) : undefined;
    // Not forgotten while its self-test has no answer (it may be down again already), nor while it went back just now.
    const mustWait =
      nowMs - backAtMs < BACK_AGAIN_MS ||
      (unknownSinceMs !== undefined && nowMs - unknownSinceMs < UNKNOWN_MS_MAX);
    model.lostFrom = mustWait ? from : undefined;
    if (from === undefined || keepsOnce !== true || mustWait) return;
    backAtMs = nowMs;
    model.position = Math.min(model.position, from);
    model.trail.back(model.position);
  };
}

export function startLoop(options: LoopOptions): Loop {
  const { sink, reader, clock, timers, onChange } = options;
  const model = startModel(options);
  const idle = createBed(timers);
  const pause = createBed(timers);
  const { sendAll, check } = createSending(options, model, pause.sleep);
  const { save, savePassed } = createSaving(options, model, pause.sleep);

  const goBack = createGoingBack(options, model);

  function read(): readonly LedgerRow[] | undefined {
    try {
      return reader.readAfter(model.position, ROWS_MAX);
    } catch (cause) {
      model.lastError = `the ledger could not be read: ${(cause as Error).message}`;
      onChange();
      return undefined;
    }
  }

  /** @returns how long to rest. */
  async function pass(rows: readonly LedgerRow[]): Promise<number> {
    const wanted = rows.filter(({ stream }) => sink.streams.includes(stream));
    model.waitingSinceMs = wanted[0]?.receivedMs;
    // Two: between them lies the moment in which a thread gets its messages.
    await turn();
    await turn();
    const buried = wanted.length === 0 ? [] : await sendAll(wanted);
    if (model.stopped || buried === undefined) return 0;
    model.position = rows.at(-1)?.id ?? model.position;
    model.trail.reached(model.position, clock.monotonicMs());
    if (wanted.length > 0) await save(buried);
    else await savePassed();
    return rows.length < ROWS_FEW ? GATHER_MS : 0;
  }

  async function run(): Promise<void> {
    while (!model.stopped) {
      check();
      goBack();
      const rows = read();
      if (rows === undefined) await pause.sleep(DISK_MS);
      else if (rows.length > 0) {
        const restMs = await pass(rows);
        if (restMs > 0 && !model.stopped) await pause.sleep(restMs);
      } else {
        model.waitingSinceMs = undefined;
        await savePassed();
        // The timer is for a self-test that is due.
        if (!model.stopped) await idle.sleep(PASS_MS);
      }
    }
  }
  const done = run();

  return {
    wake: idle.wake,
    status: () => {
      const { up, saved, position, taken, lastError, sentences, waitingSinceMs } = model;
      const waitedMs = waitingSinceMs === undefined ? 0 : clock.wallMs() - waitingSinceMs;
      return {
        name: sink.name,
        up,
        behindBatches: Math.max(0, newestOf(reader) - model.position),
        behindSeconds: Math.max(0, waitedMs / 1000),
        cursor: Math.max(0, saved),
        position,
        taken,
        lastError,
        sentences,
      };
    },
    stop: async () => {
      model.stopped = true;
      sink.close();
      idle.wake();
      pause.wake();
      await done;
    },
  };
}

function newestOf(reader: Pick<LedgerReader, 'newestId'>): number {
  try {
    return reader.newestId();
  } catch {
    return 0;
  }
}
