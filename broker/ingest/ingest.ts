// Takes publishes in, commits many of them to the ledger at once, and says for each terminal what was
// committed. A publish is answered (its PUBACK) only after the commit, in the order in which it came
// [MQTT-4.6.0-2]; that is why also what is dropped waits its turn in the same queue. The commit is
// synchronous and is made at once when the queue reaches a limit, so the queue cannot outgrow it.

import { REASON_CHARS_MAX } from '../../protocol/limits.ts';
import { addRange, addSeq, type Ranges } from '../../protocol/ranges.ts';
import { type Batch, decodeBatch, type Refusal, type Stream } from '../../protocol/wire.ts';
import type { Cancel, Clock, Timers } from '../clock.ts';
import type { AppendResult, Ledger, NewBatch } from '../ledger.ts';
import type { FrontMetrics, Log, LogIntake, NewChunk } from '../ports.ts';
import type { Outcome } from './acknowledge.ts';

/** How long a batch waits for company; costs a live fleet 7 % of throughput (research/mqtt.md 1.3). */
export const COMMIT_EVERY_MS = 5;
/** A commit is made at once at this many publishes or bytes. */
export const COMMIT_BATCHES_MAX = 512;
export const COMMIT_BYTES_MAX = 4 * 1024 * 1024;
/** A lane's ranges are acknowledged whole up to this many, so that a lost answer heals by itself. */
const LANE_RANGES_SENT_MAX = 16;

/** Streams that go into the ledger; log chunks go to the file of their request (design.md 3). */
const IN_LEDGER: ReadonlySet<Stream> = new Set(['events', 'metrics', 'results', 'traces']);

export type IngestOptions = {
  readonly ledger: Pick<Ledger, 'append' | 'ranges'>;
  /** Where log chunks go; without it they are refused. */
  readonly logs?: LogIntake | undefined;
  readonly clock: Clock;
  readonly timers: Pick<Timers, 'after'>;
  readonly log: Log;
  readonly metrics: Pick<FrontMetrics, 'batches' | 'commitSeconds'>;
  /** To be sent to the terminal, if it is connected. */
  readonly onOutcome: (outcome: Outcome) => void;
  /** A sentence for the terminal's next acknowledgement. */
  readonly onNotice: (terminal: string, sentence: string) => void;
};

export type Ingest = {
  /** `answered` is called once, after the commit that holds the batch, failed or not. */
  readonly publish: (
    from: { readonly terminal: string; readonly stream: Stream },
    payload: Uint8Array,
    answered: () => void,
  ) => void;
  /** Answers in turn something that carries no batch. */
  readonly pass: (answered: () => void) => void;
  /** Commits what waits. */
  readonly flush: () => void;
};

type Entry = {
  readonly answered: () => void;
  readonly refused?: { readonly terminal: string; readonly batch: Batch; readonly reason: string };
  readonly taken?: NewBatch & { readonly batch: Batch };
  readonly chunk?: NewChunk;
};

/** Outcomes of one commit, one per terminal and epoch. */
function createOutcomes(ledger: Pick<Ledger, 'ranges'>) {
  type Open = Outcome & { readonly byStream: Map<Stream, Ranges>; readonly refused: Refusal[] };
  const outcomes = new Map<string, Open>();
  const of = (terminal: string, batch: Batch): Open => {
    const epochHex = Buffer.from(batch.epoch).toString('hex');
    const key = `${terminal}/${epochHex}`;
    const known = outcomes.get(key);
    if (known !== undefined) return known;
    const open = { terminal, epochHex, streams: [], refused: [], byStream: new Map() };
    outcomes.set(key, open);
    return open;
  };
  return {
    committed: (terminal: string, batch: Batch): void => {
      const { byStream } = of(terminal, batch);
      byStream.set(batch.stream, addSeq(byStream.get(batch.stream) ?? [], batch.seq));
    },
    refused: (terminal: string, { stream, seq, ...batch }: Batch, reason: string): void => {
      const sentence = reason.slice(0, REASON_CHARS_MAX);
      of(terminal, { stream, seq, ...batch }).refused.push({ stream, seq, reason: sentence });
    },
    /** Log chunks are acknowledged by the bytes that are held (protocol/logs.ts). */
    held: (terminal: string, batch: Batch, upTo: number): void => {
      const { byStream } = of(terminal, batch);
      const ranges = byStream.get('logs') ?? [];
      if (upTo > 0) byStream.set('logs', addRange(ranges, { first: 1, last: upTo }));
    },
    list: (): Outcome[] =>
      [...outcomes.values()].map(({ terminal, epochHex, refused, byStream }) => ({
        terminal,
        epochHex,
        refused,
        streams: [...byStream].map(([stream, ranges]) => {
          const lane = stream === 'logs' ? ranges : ledger.ranges(terminal, epochHex, stream);
          return { stream, ranges: lane.length <= LANE_RANGES_SENT_MAX ? lane : ranges };
        }),
      })),
  };
}

type Outcomes = ReturnType<typeof createOutcomes>;
const resultOf = (isNew: boolean): 'new' | 'duplicate' => (isNew ? 'new' : 'duplicate');

const CROWDED = 'the ledger can remember no more epochs of this terminal, or holes of this stream';

export function createIngest(options: IngestOptions): Ingest {
  const { ledger, logs, clock, timers, log, metrics, onOutcome, onNotice } = options;
  let queue: Entry[] = [];
  let queueBytes = 0;
  let cancel: Cancel | undefined;

  function append(entries: readonly Entry[]): readonly (AppendResult | 'failed')[] {
    const batches = entries.flatMap(({ taken }) => (taken === undefined ? [] : [taken]));
    if (batches.length === 0) return [];
    const startMs = clock.monotonicMs();
    const appended = ledger.append(batches);
    metrics.commitSeconds((clock.monotonicMs() - startMs) / 1000);
    if (appended.ok) return appended.value;
    log.error('nothing is acknowledged: a commit failed', {
      reason: appended.reason,
      batches: batches.length,
    });
    return batches.map(() => 'failed');
  }

  function takeChunks(entries: readonly Entry[], outcomes: Outcomes): void {
    const chunks = entries.flatMap(({ chunk }) => (chunk === undefined ? [] : [chunk]));
    if (chunks.length === 0 || logs === undefined) return;
    const verdicts = logs.take(chunks);
    for (const [index, { terminal, batch }] of chunks.entries()) {
      const verdict = verdicts[index] ?? { kind: 'failed' };
      if (verdict.kind === 'held') outcomes.held(terminal, batch, verdict.upTo);
      if (verdict.kind === 'refused') outcomes.refused(terminal, batch, verdict.reason);
      metrics.batches('logs', verdict.kind === 'held' ? resultOf(verdict.isNew) : verdict.kind);
    }
  }

  function flush(): void {
    cancel?.();
    cancel = undefined;
    if (queue.length === 0) return;
    const entries = queue;
    queue = [];
    queueBytes = 0;
    const results = append(entries);
    const outcomes = createOutcomes(ledger);
    let next = 0;
    for (const { taken, refused } of entries) {
      if (refused !== undefined) outcomes.refused(refused.terminal, refused.batch, refused.reason);
      if (taken === undefined) continue;
      const result = results[next] ?? 'failed';
      next += 1;
      metrics.batches(taken.batch.stream, result);
      if (result === 'crowded') outcomes.refused(taken.terminal, taken.batch, CROWDED);
      else if (result !== 'failed') outcomes.committed(taken.terminal, taken.batch);
    }
    takeChunks(entries, outcomes);
    for (const { answered } of entries) answered();
    for (const outcome of outcomes.list()) onOutcome(outcome);
  }

  function enqueue(entry: Entry, bytes: number): void {
    queue.push(entry);
    queueBytes += bytes;
    if (queue.length >= COMMIT_BATCHES_MAX || queueBytes >= COMMIT_BYTES_MAX) flush();
    else cancel ??= timers.after(COMMIT_EVERY_MS, flush);
  }

  return {
    publish: ({ terminal, stream }, payload, answered) => {
      const decoded = decodeBatch(payload);
      if (!decoded.ok) {
        metrics.batches(stream, 'malformed');
        onNotice(terminal, `a batch on ${stream} was dropped: ${decoded.reason}`);
        enqueue({ answered }, 0);
        return;
      }
      const batch = decoded.value;
      if (batch.stream === 'logs' && stream === 'logs' && logs !== undefined) {
        enqueue({ answered, chunk: { terminal, batch } }, payload.length);
        return;
      }
      const reason = refusalOf(batch, stream);
      if (reason !== undefined) {
        metrics.batches(stream, 'refused');
        enqueue({ answered, refused: { terminal, batch, reason } }, 0);
        return;
      }
      enqueue({ answered, taken: { terminal, batch, bytes: payload } }, payload.length);
    },
    pass: (answered) => enqueue({ answered }, 0),
    flush,
  };
}

function refusalOf(batch: Batch, topicStream: Stream): string | undefined {
  if (batch.stream !== topicStream) {
    return `it says ${batch.stream} and was published on ${topicStream}`;
  }
  return IN_LEDGER.has(batch.stream) ? undefined : `this broker takes no ${batch.stream}`;
}
