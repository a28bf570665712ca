// Forwarding of received logs as the rest of the broker sees it: it looks which answers there are, tells the thread that
// forwards them (loki-worker-main.ts) of each change, and says how the sinks are, beside those that follow the ledger.
// Only lines with the stamp of a known redactor are told of, and only what the broker has looked at once more.

import { isStamp } from '../../redact/index.ts';
import type { Timers } from '../clock.ts';
import type { LokiConfig } from '../config-sinks.ts';
import type { LogRecord } from '../logs/model.ts';
import type { Log } from '../ports.ts';
import { startWorker, type WorkerHandle, workerUrl } from '../worker.ts';
import { type DeadLetterLimits, readDeadLetters } from './dead-letters.ts';
import type { Source } from './loki-entries.ts';
import type { Answer } from './loki-loop.ts';
import type { LokiData, ToLoki } from './loki-worker-main.ts';
import type { LoopStatus } from './loop.ts';
import type { FromWorker } from './messages.ts';
import { createTeller, createTotals, type SinkStatus, type Sinks } from './sinks.ts';
import { shownUrl } from './words.ts';

/** A live tail changes with each of its chunks; the thread is told this often. */
const TELL_MS = 100;
const HEAP_MB_MAX = 256;

export type LokiOptions = {
  readonly sinks: readonly LokiConfig[];
  /** Of the received lines. */
  readonly folder: string;
  /** Of loki.db. */
  readonly path: string;
  readonly deadLetters: DeadLetterLimits;
  readonly records: {
    readonly get: (id: string) => LogRecord | undefined;
    readonly oldestFirst: () => readonly LogRecord[];
  };
  readonly storeOf: (terminal: string) => string;
  /** Called when more of an answer is on disk, when it has ended and when it is gone. */
  readonly onChange: (listener: (id: string) => void) => void;
  readonly timers: Timers;
  readonly log: Log;
};

const SOURCE_OF = {
  lines: 'pull',
  tail: 'tail',
  incident: 'incident',
  diagnosis: undefined,
} as const satisfies Record<NonNullable<LogRecord['what']>, Source | undefined>;

/** Undefined: nothing of it is forwarded, now. */
export function answerOf(
  record: LogRecord | undefined,
  storeOf: (terminal: string) => string,
): Answer | undefined {
  if (record === undefined || record.goneMs !== undefined) return undefined;
  const { id: request, terminal, what = 'lines', state, sha256, redactor } = record;
  const source = SOURCE_OF[what];
  if (source === undefined || record.bytes === 0 || !isStamp(redactor)) return undefined;
  const ended = sha256 !== '' || state === 'complete' || state === 'failed';
  const bytes = ended ? record.bytes : (record.checked ?? record.bytes);
  return { request, terminal, store: storeOf(terminal), source, bytes, ended };
}

const NOT_ASKED: LoopStatus = {
  ...{ name: '', up: undefined, behindBatches: 0, behindSeconds: 0, cursor: 0, position: 0 },
  ...{ taken: 0, lastError: '', sentences: [] },
};

/** Nothing where no Loki is configured. */
export function startLoki(options: LokiOptions): Sinks {
  const { sinks, folder, path, deadLetters, records, storeOf, timers, log } = options;
  const say = createTeller(log);
  const totals = createTotals(sinks.map(({ name }) => name));
  let status: readonly LoopStatus[] = [];
  let worker: WorkerHandle<ToLoki> | undefined;
  let cancel: (() => void) | undefined;
  const changed = new Set<string>();

  function tell(): void {
    cancel = undefined;
    const all = [...changed].map((id) => [id, records.get(id)] as const);
    changed.clear();
    const answers = all.flatMap(([, record]) => answerOf(record, storeOf) ?? []);
    const isGone = (record: LogRecord | undefined) => record?.goneMs !== undefined || !record;
    const requests = all.filter(([, record]) => isGone(record)).map(([id]) => id);
    if (answers.length > 0) worker?.post({ kind: 'answers', answers });
    if (requests.length > 0) worker?.post({ kind: 'gone', requests });
  }

  if (sinks.length > 0) {
    options.onChange((id) => {
      changed.add(id);
      cancel ??= timers.after(TELL_MS, tell);
    });
    worker = startWorker<LokiData, ToLoki, FromWorker>({
      ...{ name: 'loki', url: workerUrl('sinks/loki-worker-main.ts'), heapMbMax: HEAP_MB_MAX },
      ...{ timers, log },
      data: () => ({
        ...{ sinks, folder, path, deadLetters },
        answers: records.oldestFirst().flatMap((record) => answerOf(record, storeOf) ?? []),
      }),
      onDeath: (lastError) => {
        status = status.map((one) => ({ ...one, up: false, lastError }));
      },
      onMessage: (message) => {
        if (message.kind === 'warning') return log.warn('loki', { sentence: message.sentence });
        status = message.status;
        totals.add(message.counts);
        for (const one of status) say(one);
      },
    });
  }

  const statusAll = (): readonly SinkStatus[] =>
    sinks.map(({ name, kind, url }) => ({
      ...(status.find((one) => one.name === name) ?? { ...NOT_ASKED, name }),
      ...{ kind, url: shownUrl(url) },
    }));
  return {
    status: statusAll,
    figures: () =>
      statusAll().map(({ name, up, behindBatches, behindSeconds }) => ({
        ...{ ...totals.of(name), sink: name, up: up === true, behindBatches },
        behindMs: behindSeconds * 1_000,
      })),
    deadLetters: (limit, sink) => (sinks.length === 0 ? [] : readDeadLetters(path, limit, sink)),
    overBudget: () => 0,
    stop: async () => {
      cancel?.();
      await worker?.stop();
    },
  };
}

/** All of them as one, for those who ask how the sinks are. */
export const joinSinks = (ofLedger: Sinks, ofLogs: Sinks): Sinks => ({
  status: () => [...ofLedger.status(), ...ofLogs.status()],
  figures: () => [...ofLedger.figures(), ...ofLogs.figures()],
  deadLetters: (limit, sink) =>
    [...ofLedger.deadLetters(limit, sink), ...ofLogs.deadLetters(limit, sink)]
      .toSorted((one, other) => other.lastMs - one.lastMs)
      .slice(0, limit),
  overBudget: ofLedger.overBudget,
  stop: async () => {
    await Promise.all([ofLedger.stop(), ofLogs.stop()]);
  },
});
