// The thread of the sinks: reads the ledger over a connection of its own, turns rows into requests and
// sends them, so that the loop which acknowledges never waits for a database. It tells the broker what it
// counted and how far each sink is; what it must not forget is in sinks.db.

import { randomInt } from 'node:crypto';
import { systemClock, systemTimers } from '../clock.ts';
import { openLedgerReader } from '../ledger-reader.ts';
import { attachWorker } from '../worker.ts';
import { createBudget } from './budget.ts';
import { type LoopStatus, startLoop } from './loop.ts';
import type { FromWorker, SinkCounts, ToWorker, WorkerData } from './messages.ts';
import { createOtlp } from './otlp.ts';
import { createRemoteWrite } from './remote-write.ts';
import { openSinkStore } from './store.ts';
import type { Sink } from './types.ts';

const STATUS_MS = 1_000;
/** A terminal that the registry does not know yet. */
const UNASSIGNED = 'unassigned';

const stores = new Map<string, string>();
const loops: ReturnType<typeof startLoop>[] = [];
let counts = noCounts();
let telling = false;

function noCounts(): { -readonly [K in keyof SinkCounts]: [...SinkCounts[K]] } {
  return { requests: [], items: [], buried: [] };
}

const side = attachWorker<WorkerData, ToWorker, FromWorker>(
  (message) => {
    if (message.kind === 'committed') for (const loop of loops) loop.wake();
    else for (const [terminal, store] of message.stores) stores.set(terminal, store);
  },
  async () => {
    await Promise.all(loops.map((loop) => loop.stop()));
    tell();
    store.close();
    reader.close();
  },
);
const { data } = side;
for (const [terminal, place] of data.stores) stores.set(terminal, place);
const warn = (sentence: string): void => side.post({ kind: 'warning', sentence });
const reader = openLedgerReader(data.ledgerPath);
const store = openSinkStore(
  data.path,
  systemClock.wallMs(),
  (aside) => warn(`the file of the sinks was damaged and is now ${aside}; all is sent again`),
  data.deadLetters,
);
/** One account for all sinks would count what each of them sees at another time. */
const budgets = new Map(
  data.sinks.map(({ name }) => [
    name,
    createBudget(data.seriesPerTerminal, systemClock.monotonicMs),
  ]),
);

function tell(): void {
  telling = false;
  const status: readonly LoopStatus[] = loops.map((loop) => loop.status());
  const over = Math.max(0, ...[...budgets.values()].map((budget) => budget.over()));
  side.post({ kind: 'status', status, counts, over });
  counts = noCounts();
}

/** At once, but once for all that changes in the same turn. */
function tellSoon(): void {
  if (telling) return;
  telling = true;
  setImmediate(tell);
}

function makeSink(config: WorkerData['sinks'][number]): Sink {
  const budget = budgets.get(config.name);
  if (budget === undefined) throw new Error(`bug: ${config.name} has no budget`);
  const common = {
    storeOf: (terminal: string) => stores.get(terminal) ?? UNASSIGNED,
    nowMs: systemClock.wallMs,
    timers: systemTimers,
    onRequest: (result: string) => counts.requests.push([config.name, result]),
  };
  return config.kind === 'traces'
    ? createOtlp({ ...config, ...common })
    : createRemoteWrite({ ...config, ...common, budget });
}

for (const config of data.sinks) {
  const { name } = config;
  loops.push(
    startLoop({
      sink: makeSink(config),
      reader,
      store,
      generation: data.generation,
      newestAtOpen: data.newestAtOpen[name] ?? 0,
      clock: systemClock,
      timers: systemTimers,
      chance: () => randomInt(1_000) / 1_000,
      onTaken: (items) => counts.items.push([name, items]),
      onBuried: (buried) => {
        for (const { reason, count } of buried) counts.buried.push([name, reason, count]);
      },
      onChange: tellSoon,
      warn,
    }),
  );
}
systemTimers.every(STATUS_MS, tell);
