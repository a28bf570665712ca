// The thread that forwards received logs: reads their files, packs and pushes, so that the loop which acknowledges never
// waits for it. What it must not forget is in loki.db; what there is to forward, the broker tells it.

import { randomInt } from 'node:crypto';
import { systemClock, systemTimers } from '../clock.ts';
import type { LokiConfig } from '../config-sinks.ts';
import { attachWorker } from '../worker.ts';
import type { DeadLetterLimits } from './dead-letters.ts';
import { type Answer, type LokiLoop, startLokiLoop } from './loki-loop.ts';
import { createPush } from './loki-push.ts';
import { openLokiStore } from './loki-store.ts';
import type { FromWorker, SinkCounts } from './messages.ts';
import { createHttpClient, type HttpClient } from './post.ts';

export type LokiData = {
  readonly sinks: readonly LokiConfig[];
  readonly folder: string;
  /** Of loki.db. */
  readonly path: string;
  readonly deadLetters: DeadLetterLimits;
  readonly answers: readonly Answer[];
};
export type ToLoki =
  | { readonly kind: 'answers'; readonly answers: readonly Answer[] }
  /** Their lines are deleted. */
  | { readonly kind: 'gone'; readonly requests: readonly string[] };

const STATUS_MS = 1_000;
const loops: LokiLoop[] = [];
const clients: HttpClient[] = [];
let counts = noCounts();
let telling = false;

function noCounts(): { -readonly [K in keyof SinkCounts]: [...SinkCounts[K]] } {
  return { requests: [], items: [], buried: [] };
}

const side = attachWorker<LokiData, ToLoki, FromWorker>(
  (message) => {
    if (message.kind === 'answers') for (const loop of loops) loop.told(message.answers);
    else for (const request of message.requests) forget(request);
  },
  async () => {
    for (const client of clients) client.close();
    await Promise.all(loops.map((loop) => loop.stop()));
    tell();
    store.close();
  },
);
const { data } = side;
const store = openLokiStore(data.path, data.deadLetters);

function forget(request: string): void {
  for (const loop of loops) loop.forget(request);
  store.forget(request);
}

function tell(): void {
  telling = false;
  side.post({ kind: 'status', status: loops.map((loop) => loop.status()), counts, over: 0 });
  counts = noCounts();
}

/** At once, but once for all that changes in the same turn. */
function tellSoon(): void {
  if (telling) return;
  telling = true;
  setImmediate(tell);
}

for (const config of data.sinks) {
  const { name, url, tenant, kinds } = config;
  const client = createHttpClient({ ...config, timers: systemTimers, nowMs: systemClock.wallMs });
  clients.push(client);
  const onRequest = (result: string): number => counts.requests.push([name, result]);
  const loop = startLokiLoop({
    ...{ name, folder: data.folder, kinds, store, clock: systemClock, timers: systemTimers },
    send: createPush({ url, tenant, client, onRequest }).send,
    chance: () => randomInt(1_000) / 1_000,
    onTaken: (items) => counts.items.push([name, items]),
    onBuried: (buried) => {
      for (const { reason, count } of buried) counts.buried.push([name, reason, count]);
    },
    onChange: tellSoon,
  });
  const known = new Set(data.answers.map(({ request }) => request));
  for (const request of store.read(name).keys()) if (!known.has(request)) forget(request);
  loop.told(data.answers);
  loops.push(loop);
}
systemTimers.every(STATUS_MS, tell);
