// The history as the rest of the broker sees it: a thread (worker-main.ts) that turns what the ledger holds into
// hours of samples of each terminal. Questions go to the thread as well, because inflating a day costs more
// than a turn of the loop that acknowledges may take. A history that is down or stuck never holds anything up:
// questions are answered with a sentence, and a ledger that needs the room gets it.

import { join } from 'node:path';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Timers } from '../clock.ts';
import type { Retention } from '../config-retention.ts';
import type { Ledger } from '../ledger.ts';
import type { HistoryFigures } from '../metric-sources.ts';
import type { Log } from '../ports.ts';
import { startWorker, workerUrl } from '../worker.ts';
import type { HistoryAnswer, HistoryQuery } from './answer.ts';
import type { EngineFigures } from './engine.ts';
import type { FromHistory, HistoryData, ToHistory } from './messages.ts';

const FOLLOWER = 'history';
/** A question is answered within milliseconds; a thread that starts may need longer. */
const ANSWER_MS_MAX = 5_000;
/** Questions that wait for an answer. */
const QUESTIONS_MAX = 64;
/** A ledger that only holds what is needed rests at 90 % of its bound: beyond this, somebody holds it up. */
const PRESS_FROM = 0.95;
const PRESS_LOOK_MS = 1_000;
const HEAP_MB_MAX = 512;

export type History = {
  readonly ask: (query: HistoryQuery) => Promise<Result<HistoryAnswer>>;
  readonly figures: () => HistoryFigures;
  /** Why nothing is being written; undefined when it is. */
  readonly stalled: () => string | undefined;
  readonly stop: () => Promise<void>;
};

export type HistoryOptions = {
  readonly dataDir: string;
  readonly ledger: Pick<Ledger, 'path' | 'generation' | 'onCommit' | 'setFollowed' | 'stats'>;
  readonly retention: Retention['history'];
  readonly timers: Timers;
  readonly log: Log;
  /** Of the thread's file; for tests. */
  readonly url?: URL;
};

const NOT_NOW = 'the history does not answer just now; try again';
const NO_FIGURES: EngineFigures = {
  followedId: 0,
  readId: 0,
  bytes: 0,
  behindBatches: 0,
  writtenBytes: 0,
  dropped: { age: 0, size: 0, future: 0, crowded: 0, lost: 0 },
};

type Asked = {
  readonly resolve: (answer: Result<HistoryAnswer>) => void;
  readonly cancel: () => void;
};

export function openHistory(options: HistoryOptions): History {
  const { dataDir, ledger, retention, timers, log } = options;
  const asked = new Map<number, Asked>();
  let numbers = 0;
  let figures = NO_FIGURES;
  let stalled: string | undefined;
  // Before anything is deleted: what it has not read yet is needed.
  ledger.setFollowed(FOLLOWER, 0);

  function settle(number: number, answer: Result<HistoryAnswer>): void {
    const question = asked.get(number);
    asked.delete(number);
    question?.cancel();
    question?.resolve(answer);
  }

  function onMessage(message: FromHistory): void {
    if (message.kind === 'answer') settle(message.number, ok(message.answer));
    else if (message.kind === 'warning') log.warn('history', { reason: message.sentence });
    else if (message.kind === 'stalled') {
      stalled = message.reason;
      if (stalled === undefined) log.info('the history goes on');
      else log.error('the history stands still', { reason: stalled });
    } else {
      figures = message.figures;
      ledger.setFollowed(FOLLOWER, figures.followedId, figures.readId);
    }
  }

  const worker = startWorker<HistoryData, ToHistory, FromHistory>({
    name: FOLLOWER,
    url: options.url ?? workerUrl('history/worker-main.ts'),
    data: () => ({
      path: join(dataDir, 'history.db'),
      ledgerPath: ledger.path,
      generation: ledger.generation,
      daysMax: retention.days,
      bytesMax: retention.bytesMax,
    }),
    onMessage,
    timers,
    log,
    heapMbMax: HEAP_MB_MAX,
  });
  const forget = ledger.onCommit(() => worker.post({ kind: 'committed' }));
  const cancelLook = timers.every(PRESS_LOOK_MS, () => {
    const { bytes, bytesMax, followedId, newestId } = ledger.stats();
    const isOurs = followedId === figures.followedId && followedId < newestId;
    if (isOurs && bytes > bytesMax * PRESS_FROM) worker.post({ kind: 'press' });
  });

  return {
    ask: (query) => {
      if (asked.size >= QUESTIONS_MAX) return Promise.resolve(fail(NOT_NOW));
      numbers += 1;
      const number = numbers;
      return new Promise((resolve) => {
        const cancel = timers.after(ANSWER_MS_MAX, () => settle(number, fail(NOT_NOW)));
        asked.set(number, { resolve, cancel });
        worker.post({ kind: 'ask', number, query });
      });
    },
    figures: () => figures,
    stalled: () => stalled,
    stop: async () => {
      forget();
      cancelLook();
      for (const number of [...asked.keys()]) settle(number, fail(NOT_NOW));
      await worker.stop();
    },
  };
}
