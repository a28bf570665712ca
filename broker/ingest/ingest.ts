// Takes publishes in, commits many of them to the ledger at once, and says for each terminal what was
// committed. A publish is answered (its PUBACK) only after the commit, in the order in which it came
// [MQTT-4.6.0-2]; that is why also what is dropped waits its turn in the same queue. The commit is
// synchronous and is made at once when the queue reaches a limit, so the queue cannot outgrow it.

import type { Batch, Stream } from '../../protocol/wire.ts';
import type { Cancel, Clock, Timers } from '../clock.ts';
import type { AppendResult, Ledger } from '../ledger.ts';
import type { BatchResult, FrontMetrics, Log, LogIntake } from '../ports.ts';
import type { Outcome } from './acknowledge.ts';
import { createChunkLane } from './chunk-lane.ts';
import { readEnvelope } from './envelope.ts';
import { createOutcomes, type Outcomes } from './outcomes.ts';

/** How long a batch waits for company; costs a live fleet 7 % of throughput (research/mqtt.md 1.3). */
export const COMMIT_EVERY_MS = 5;
/** After a slow commit the next one waits as long as that took, so that others have the loop, but not more. */
export const COMMIT_EVERY_MS_MAX = 250;
/** A commit is made at once at this many publishes or bytes. */
export const COMMIT_BATCHES_MAX = 512;
export const COMMIT_BYTES_MAX = 4 * 1024 * 1024;
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
  /** A batch is in the ledger that was not before. */
  readonly onCommitted?: (terminal: string, batch: Batch, bytes: number) => void;
  /** A chunk of this pull came; `last`: and was its last. */
  readonly onChunk?: (pull: string, last: boolean) => void;
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
  /** Commits what waits; of log chunks a helping. */
  readonly flush: () => void;
  /** What is left of log chunks is not answered. */
  readonly close: () => void;
};

type Entry = {
  readonly answered: () => void;
  readonly terminal: string;
  readonly epochHex: string;
  readonly batch: Batch;
  readonly bytes: Uint8Array;
  readonly to: 'ledger' | 'logs' | 'nowhere';
  /** Why it goes nowhere, where its terminal is told. */
  readonly reason?: string | undefined;
};
/** What carries no batch waits its turn, too. */
type Waiting = Entry | { readonly to: 'nobody'; readonly answered: () => void };

const resultOf = (isNew: boolean): 'new' | 'duplicate' => (isNew ? 'new' : 'duplicate');

/** Sentences for what is refused because of what the ledger knows. */
const CONFLICT = 'its number was committed with other bytes: an older outbox was put back';
const CROWDED = 'the ledger can remember no more epochs of this terminal, or holes of this stream';

/** Appends to the ledger, and says once that nothing is acknowledged and once that it is again. */
function createAppend({ ledger, clock, metrics, log }: IngestOptions) {
  let failing = false;
  function tell(reason: string | undefined, batches: number): void {
    if (reason !== undefined && !failing) {
      log.error('nothing is acknowledged: a commit failed', { reason, batches });
    }
    if (reason === undefined && failing) log.info('commits succeed again');
    failing = reason !== undefined;
  }
  let tookMs = 0;
  return {
    tookMs: (): number => tookMs,
    append: (batches: readonly Entry[]): readonly (AppendResult | 'failed')[] => {
      if (batches.length === 0) return [];
      const startMs = clock.monotonicMs();
      const appended = ledger.append(batches);
      tookMs = clock.monotonicMs() - startMs;
      metrics.commitSeconds(tookMs / 1000);
      tell(appended.ok ? undefined : appended.reason, batches.length);
      return appended.ok ? appended.value : batches.map(() => 'failed');
    },
  };
}

/** Counts of one commit: a counter with labels costs a microsecond, and a commit has a few kinds only. */
function createTally(metrics: IngestOptions['metrics']) {
  const counts = new Map<Stream, Map<BatchResult, number>>();
  return {
    add: (stream: Stream, result: BatchResult): void => {
      const results = counts.get(stream) ?? new Map<BatchResult, number>();
      counts.set(stream, results);
      results.set(result, (results.get(result) ?? 0) + 1);
    },
    tell: (): void => {
      for (const [stream, results] of counts) {
        for (const [result, count] of results) metrics.batches(stream, result, count);
      }
      counts.clear();
    },
  };
}

/** What a commit makes of what has waited: batches to the ledger, chunks to their lane. */
function createCommit(options: IngestOptions) {
  const { ledger, logs, timers, clock, metrics } = options;
  const { append, tookMs } = createAppend(options);
  const tally = createTally(metrics);
  let outcomes = createOutcomes(ledger);

  /** What the ledger said of one batch: counted, and told to its terminal. */
  function settle(entry: Entry, result: AppendResult | 'failed', to: Outcomes): void {
    const { terminal, batch, bytes } = entry;
    tally.add(batch.stream, result === 'unchecked' ? 'failed' : result);
    if (result === 'new') options.onCommitted?.(terminal, batch, bytes.length);
    if (result === 'crowded' || result === 'conflict') {
      to.refused(entry, result === 'crowded' ? CROWDED : CONFLICT);
    } else if (result !== 'failed' && result !== 'unchecked') to.committed(entry);
  }

  function takeChunks(chunks: readonly Entry[], outcomes: Outcomes): void {
    if (chunks.length === 0 || logs === undefined) return;
    const verdicts = logs.take(chunks);
    for (const [index, chunk] of chunks.entries()) {
      const verdict = verdicts[index] ?? { kind: 'failed' };
      const isHeld = verdict.kind === 'held';
      options.onChunk?.(
        chunk.epochHex,
        isHeld ? verdict.ended === true : verdict.kind === 'refused',
      );
      if (verdict.kind === 'held') outcomes.held(chunk, verdict.upTo);
      if (verdict.kind === 'refused') outcomes.refused(chunk, verdict.reason);
      tally.add('logs', verdict.kind === 'held' ? resultOf(verdict.isNew) : verdict.kind);
    }
  }

  function tellOutcomes(): void {
    tally.tell();
    const settled = outcomes.list();
    outcomes = createOutcomes(ledger);
    for (const outcome of settled) options.onOutcome(outcome);
  }
  const lane = createChunkLane<Entry>({
    ...{ clock, timers, settle: tellOutcomes, terminalOf: ({ terminal }) => terminal },
    take: (chunks) => takeChunks(chunks, outcomes),
    dropped: (count) => metrics.batches('logs', 'failed', count),
  });

  function commit(waiting: readonly Waiting[]): void {
    const batches: Entry[] = [];
    const chunks: Entry[] = [];
    for (const one of waiting) {
      if (one.to === 'ledger') batches.push(one);
      else if (one.to === 'logs') chunks.push(one);
      else if (one.to === 'nowhere') outcomes.refused(one, one.reason ?? '');
    }
    const results = append(batches);
    for (const [index, one] of batches.entries()) settle(one, results[index] ?? 'failed', outcomes);
    if (batches.length > 0) lane.shared();
    if (chunks.length > 0) lane.add(chunks);
    tally.tell();
  }

  return { commit, tellOutcomes, tookMs, close: lane.close };
}

export function createIngest(options: IngestOptions): Ingest {
  const { logs, timers, metrics, onNotice } = options;
  const { commit, tellOutcomes, tookMs, close } = createCommit(options);
  let queue: Waiting[] = [];
  let queueBytes = 0;
  let cancel: Cancel | undefined;

  const waitMs = (): number =>
    Math.min(COMMIT_EVERY_MS_MAX, Math.max(COMMIT_EVERY_MS, Math.ceil(tookMs())));

  function flush(): void {
    cancel?.();
    cancel = undefined;
    if (queue.length === 0) return;
    const waiting = queue;
    queue = [];
    queueBytes = 0;
    commit(waiting);
    for (const { answered } of waiting) answered();
    tellOutcomes();
  }

  function enqueue(one: Waiting, bytes: number): void {
    queue.push(one);
    queueBytes += bytes;
    if (queue.length >= COMMIT_BATCHES_MAX || queueBytes >= COMMIT_BYTES_MAX) flush();
    else cancel ??= timers.after(waitMs(), flush);
  }

  return {
    publish: ({ terminal, stream }, bytes, answered) => {
      const decoded = readEnvelope(bytes);
      if (!decoded.ok) {
        metrics.batches(stream, 'malformed');
        onNotice(terminal, `a batch on ${stream} was dropped: ${decoded.reason}`);
        enqueue({ to: 'nobody', answered }, 0);
        return;
      }
      const batch = decoded.value;
      const epochHex = hexOf(batch.epoch);
      const entry = { answered, terminal, epochHex, batch, bytes };
      const isChunk = batch.stream === 'logs' && stream === 'logs' && logs !== undefined;
      const reason = isChunk ? undefined : refusalOf(batch, stream);
      if (reason === undefined) {
        enqueue({ ...entry, to: isChunk ? 'logs' : 'ledger' }, bytes.length);
        return;
      }
      metrics.batches(stream, 'refused');
      enqueue({ ...entry, bytes: NOTHING, to: 'nowhere', reason }, 0);
    },
    pass: (answered) => enqueue({ to: 'nobody', answered }, 0),
    flush,
    close,
  };
}

const NOTHING = new Uint8Array(0);

const hexOf = ({ buffer, byteOffset, byteLength }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString('hex');

function refusalOf(batch: Batch, topicStream: Stream): string | undefined {
  if (batch.stream !== topicStream) {
    return `it says ${batch.stream} and was published on ${topicStream}`;
  }
  return IN_LEDGER.has(batch.stream) ? undefined : `this broker takes no ${batch.stream}`;
}
