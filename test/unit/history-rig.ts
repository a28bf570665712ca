// The history without its thread: an engine over a file of its own, rows as a ledger would give them, and a
// clock that is moved by hand.

import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { HistoryQuery } from '../../broker/history/answer.ts';
import { Engine } from '../../broker/history/engine.ts';
import { openHistoryStore } from '../../broker/history/store.ts';
import { encodeMetricBody, type Snapshot } from '../../protocol/metric-body.ts';
import { fakeLedger, folder, START_MS, terminalsOf } from './fleet-rig.ts';

export const MINUTE_MS = 60_000;
export const HOUR = 60 * MINUTE_MS;
/** START_MS is the beginning of an hour. */
export { START_MS } from './fleet-rig.ts';

export const load = (timeMs: number, value: number, labels = {}): Snapshot => ({
  timeMs,
  samples: [{ name: 'pos_host_load1', labels, value }],
});

export function historyRig({ daysMax = 7, bytesMax = 64 * 1024 ** 2 } = {}) {
  let nowMs = START_MS;
  const ledger = fakeLedger(() => nowMs);
  const path = join(folder(), 'history.db');
  const gone = new Set<number>();
  const source = {
    readAfter: ledger.readAfter,
    newestId: () => ledger.rows.length,
    read: (id: number) => (gone.has(id) ? undefined : ledger.rows[id - 1]?.bytes),
  };
  const warnings: string[] = [];
  const disk = { full: false };
  const open = (generation = ledger.generation) => {
    const opened = openHistoryStore(path, generation, (sentence) => warnings.push(sentence));
    const commit: typeof opened.commit = (change) => {
      if (disk.full) throw new Error('database or disk is full');
      opened.commit(change);
    };
    const store = { ...opened, commit };
    const engine = new Engine({ store, ledger: source, nowMs: () => nowMs, daysMax, bytesMax });
    return { store, engine };
  };
  let opened = open();
  onTestFinished(() => {
    try {
      opened.store.close();
    } catch {
      // A test that ended it has closed it.
    }
  });
  const rig = {
    path,
    ledger,
    warnings,
    disk,
    /** Rows that the ledger has deleted. */
    gone,
    terminals: terminalsOf(ledger),
    get engine(): Engine {
      return opened.engine;
    },
    get store() {
      return opened.store;
    },
    now: () => nowMs,
    /** Lets time pass, and the engine work until it has nothing to do. */
    pass: (ms: number): void => {
      nowMs += ms;
      while (opened.engine.turn());
    },
    /** A process that dies without a word, and the next. */
    crash: (generation?: Uint8Array): void => {
      opened.store.close();
      opened = open(generation);
    },
    reopen: (): void => {
      opened = open();
    },
    bodyOf: (snapshots: readonly Snapshot[]) => encodeMetricBody(snapshots),
    stop: (): void => {
      opened.engine.close();
      opened = open();
    },
    ask: (more: Partial<HistoryQuery> = {}) =>
      opened.engine.ask({
        terminal: 'lane-1',
        name: 'pos_host_load1',
        sinceMs: 0,
        untilMs: Number.MAX_SAFE_INTEGER,
        by: 'last',
        pointsMax: 1_000,
        labels: {},
        ...more,
      }),
    points: (more: Partial<HistoryQuery> = {}) => rig.ask(more).series[0]?.points ?? [],
  };
  return rig;
}
