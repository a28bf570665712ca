// The sinks as the rest of the broker sees them: it tells them of commits and of stores, and asks how they
// are. All of them live in one worker thread (worker-main.ts), which is started again when it dies. What
// a sink has not taken stays in the ledger, because each is a follower of it from the first moment on.

import type { Timers } from '../clock.ts';
import { type SinksConfig, sinksOf } from '../config-sinks.ts';
import type { Ledger } from '../ledger.ts';
import type { SinkFigures } from '../metric-sources.ts';
import type { Log } from '../ports.ts';
import { startWorker, type WorkerHandle, workerUrl } from '../worker.ts';
import { type DeadLetter, type DeadLetterLimits, readDeadLetters } from './dead-letters.ts';
import type { LoopStatus } from './loop.ts';
import type { FromWorker, SinkCounts, ToWorker, WorkerData } from './messages.ts';
import { shownUrl } from './words.ts';

/** Commits come by the hundred a second; the thread is told of them this often. */
const TELL_MS = 100;
/** Of the thread's heap: 80 million samples of 1 000 terminals were read in a third of it. */
const HEAP_MB_MAX = 768;

export type SinkStatus = LoopStatus & {
  readonly kind: 'remote_write' | 'traces' | 'loki';
  /** Without credentials. */
  readonly url: string;
};

export type SinksOptions = {
  readonly config: Omit<SinksConfig, 'loki'>;
  readonly deadLetters: DeadLetterLimits;
  /** Of sinks.db. */
  readonly path: string;
  readonly ledger: Pick<Ledger, 'path' | 'generation' | 'setFollowed' | 'onCommit' | 'stats'>;
  readonly onStores: (listener: (stores: ReadonlyMap<string, string>) => void) => () => void;
  readonly timers: Timers;
  readonly log: Log;
};

export type Sinks = {
  readonly status: () => readonly SinkStatus[];
  /** For /metrics. */
  readonly figures: () => readonly SinkFigures[];
  /** Newest first. */
  readonly deadLetters: (limit: number, sink?: string) => readonly DeadLetter[];
  /** Series over the budget of their terminals. */
  readonly overBudget: () => number;
  readonly stop: () => Promise<void>;
};

type Totals = {
  requests: Record<string, number>;
  items: number;
  deadLetters: Record<string, number>;
};

/** The worker tells what happened since it told last, so that its restart sets nothing back to 0. */
export function createTotals(names: readonly string[]) {
  const totals = new Map<string, Totals>(
    names.map((name) => [name, { requests: {}, items: 0, deadLetters: {} }]),
  );
  const add = (into: Record<string, number> | undefined, key: string, count: number): void => {
    if (into !== undefined) into[key] = (into[key] ?? 0) + count;
  };
  return {
    of: (name: string): Totals => totals.get(name) ?? { requests: {}, items: 0, deadLetters: {} },
    add: ({ requests, items, buried }: SinkCounts): void => {
      for (const [sink, result] of requests) add(totals.get(sink)?.requests, result, 1);
      for (const [sink, reason, lost] of buried) add(totals.get(sink)?.deadLetters, reason, lost);
      for (const [sink, taken] of items) {
        const known = totals.get(sink);
        if (known !== undefined) known.items += taken;
      }
    },
  };
}

/** Says each change of a sink's state once. */
export function createTeller(log: Log) {
  const said = new Map<string, { up: boolean | undefined; sentences: string; error: string }>();
  return ({ name, up, sentences, lastError, behindBatches }: LoopStatus): void => {
    const before = said.get(name) ?? { up: undefined, sentences: '', error: '' };
    const now = { up, sentences: sentences.join('\n'), error: lastError };
    said.set(name, now);
    if (now.sentences !== before.sentences) {
      for (const sentence of sentences)
        log.warn('a sink is not as it should be', { sink: name, sentence });
      if (sentences.length === 0) log.info('a sink is as it should be', { sink: name });
    }
    if (up === before.up) return;
    if (up === true) log.info('a sink takes what it is sent', { sink: name, behindBatches });
    else if (up === false) log.error('a sink does not take', { sink: name, reason: lastError });
  };
}

const idle: Sinks = {
  status: () => [],
  figures: () => [],
  deadLetters: () => [],
  overBudget: () => 0,
  stop: () => Promise.resolve(),
};

export function startSinks(options: SinksOptions): Sinks {
  const { config, ledger, timers, log, path, deadLetters } = options;
  const sinks = sinksOf(config);
  if (sinks.length === 0) return idle;
  for (const { name } of sinks) ledger.setFollowed(name, 0);
  const newestAtOpen = ledger.stats().newestId;
  const stores = new Map<string, string>();
  const say = createTeller(log);
  const totals = createTotals(sinks.map(({ name }) => name));
  let status: readonly LoopStatus[] = [];
  let over = 0;
  let worker: WorkerHandle<ToWorker> | undefined;
  // Before the thread starts: it may find rows at once, and must know where their terminals stand.
  const forgetStores = options.onStores((changed) => {
    for (const [terminal, store] of changed) stores.set(terminal, store);
    worker?.post({ kind: 'stores', stores: [...changed] });
  });
  /** A sink that has written its cursor since the broker started has it of this ledger. */
  const newestFor = (name: string): number => {
    const { cursor = 0 } = status.find((one) => one.name === name) ?? {};
    return cursor > 0 ? ledger.stats().newestId : newestAtOpen;
  };
  worker = startWorker<WorkerData, ToWorker, FromWorker>({
    name: 'sinks',
    url: workerUrl('sinks/worker-main.ts'),
    heapMbMax: HEAP_MB_MAX,
    timers,
    log,
    data: () => ({
      sinks,
      seriesPerTerminal: config.seriesPerTerminal,
      deadLetters,
      ledgerPath: ledger.path,
      generation: ledger.generation,
      newestAtOpen: Object.fromEntries(sinks.map(({ name }) => [name, newestFor(name)])),
      path,
      stores: [...stores],
    }),
    onDeath: (lastError) => {
      status = down(status, lastError);
    },
    onMessage: (message) => {
      if (message.kind === 'warning') return log.warn('sinks', { sentence: message.sentence });
      status = message.status;
      over = message.over;
      totals.add(message.counts);
      for (const one of status) {
        ledger.setFollowed(one.name, one.cursor, one.position);
        say(one);
      }
    },
  });
  let cancel: (() => void) | undefined;
  const forgetCommits = ledger.onCommit(() => {
    cancel ??= timers.after(TELL_MS, () => {
      cancel = undefined;
      worker?.post({ kind: 'committed' });
    });
  });
  const statusAll = (): readonly SinkStatus[] => {
    const known = new Map(status.map((one) => [one.name, one]));
    return sinks.map(({ name, kind, url }) => ({
      ...(known.get(name) ?? { ...NOT_ASKED, name, behindBatches: ledger.stats().newestId }),
      kind,
      url: shownUrl(url),
    }));
  };
  return {
    status: statusAll,
    figures: () =>
      statusAll().map(({ name, up, behindBatches, behindSeconds }) => ({
        ...totals.of(name),
        sink: name,
        up: up === true,
        behindBatches,
        behindMs: behindSeconds * 1000,
      })),
    deadLetters: (limit, sink) => readDeadLetters(path, limit, sink),
    overBudget: () => over,
    stop: async () => {
      forgetStores();
      forgetCommits();
      cancel?.();
      await worker?.stop();
    },
  };
}

const down = (status: readonly LoopStatus[], lastError: string): readonly LoopStatus[] =>
  status.map((one) => ({ ...one, up: false, lastError }));

const NOT_ASKED = {
  up: undefined,
  behindSeconds: 0,
  cursor: 0,
  position: 0,
  taken: 0,
  lastError: '',
  sentences: [],
} as const;
