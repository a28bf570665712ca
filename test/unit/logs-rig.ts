// A journal in a folder, a pull that reads it and a broker's shelf that takes it, joined by hand: what a line,
// a kill and a restart do to an answer on its way is decided by the test.

import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type LogsCommand, planLogs } from '../../agent/logs/plan.ts';
import { Pull } from '../../agent/logs/pull.ts';
import { createIngest } from '../../broker/ingest/ingest.ts';
import { ok } from '../../protocol/result.ts';
import { decodeAck, encodeAck } from '../../protocol/wire.ts';
import { inventory, open as openApi } from './http-rig.ts';

export const NOON = Date.UTC(2026, 10, 23, 12);
export const CARD = '4111111111111111';

/** @returns a log directory with one component `sale` of `count` lines, one a second, some with a card. */
export function journalOf(count: number, card = CARD): string {
  const logDir = mkdtempSync(join(tmpdir(), 'tw-logs-'));
  onTestFinished(() => rmSync(logDir, { recursive: true, force: true }));
  const lines = Array.from({ length: count }, (_, n) =>
    JSON.stringify({
      level: 'info',
      message: n % 10 === 0 ? `paid by ${card} at ${n}` : `line ${n} ${randomUUID()}`,
      timestamp: new Date(NOON + n * 1_000).toISOString(),
    }),
  );
  mkdirSync(join(logDir, 'sale'));
  writeFileSync(join(logDir, 'sale', 'a.log'), `${lines.join('\n')}\n`);
  return logDir;
}

export const commandFor = (change: Partial<LogsCommand['arguments']> = {}): LogsCommand => ({
  ...{ id: randomUUID(), kind: 'logs', terminal: 'lane-1', issuedMs: NOON, expiresMs: NOON * 2 },
  ...{ operator: 'kim', reason: 'receipts are missing', traceparent: '' },
  arguments: {
    ...{ request: randomUUID(), components: ['sale'], sinceMs: NOON, untilMs: NOON * 2 },
    ...{ bytesMax: 5_000_000, ...change },
  },
});

export const planFor = (logDir: string, command: LogsCommand, offsetMs = 0) =>
  planLogs(command, { logDir, ownLog: join(logDir, 'agent.log'), components: ['sale'] }, offsetMs);

/** The broker's API and front with received logs behind them. */
export async function centre() {
  const api = await openApi();
  api.terminals.events('lane-1', inventory);
  api.fleet.drain();
  const outcomes: Uint8Array[] = [];
  const ingest = createIngest({
    ledger: { append: () => ok([]), ranges: () => [] },
    logs: api.logs,
    clock: api.time.clock,
    timers: api.time.timers,
    log: { info: () => {}, warn: () => {}, error: () => {} },
    metrics: api.metrics,
    onOutcome: ({ epochHex, streams, refused }) =>
      outcomes.push(
        encodeAck({
          ...{ epoch: Buffer.from(epochHex, 'hex'), streams, refused, brokerTimeMs: NOON },
          ...{ paceBytesPerSecond: 0, ledgerGeneration: new Uint8Array(16), notice: '' },
        }),
      ),
    onNotice: () => {},
  });
  return {
    ...api,
    ask: (change: object = {}) =>
      api.post('/api/v1/terminals/lane-1/logs', {
        ...{ components: ['sale'], sinceMs: NOON, untilMs: NOON * 2, reason: 'why not' },
        ...change,
      }),
    /** @returns the acknowledgements that the terminal would get. */
    give: (bytes: Uint8Array, terminal = 'lane-1') => {
      ingest.publish({ terminal, stream: 'logs' }, bytes, () => {});
      ingest.flush();
      return outcomes.splice(0).flatMap((data) => {
        const ack = decodeAck(data);
        return ack.ok ? [ack.value] : [];
      });
    },
    stored: (id: string): Buffer => readFileSync(join(api.folder, `${id}.log`)),
  };
}
export type Centre = Awaited<ReturnType<typeof centre>>;

const STAMP = { createdMs: NOON, clockOffsetMs: 0 };

export type World = {
  /** Whether a chunk, or the answer to it, gets lost. */
  readonly isLost?: () => boolean;
  /** After each chunk: a new pull in place of the old one is an agent that was killed. */
  readonly after?: (pull: Pull) => Pull;
};

/** Runs a pull to its end. Time stands still but for resends. */
export function pullAll(
  pull: Pull,
  broker: Centre,
  { isLost = () => false, after = (p) => p }: World = {},
) {
  let now = 0;
  let current = pull;
  let chunks = 0;
  for (let turn = 0; turn < 20_000; turn += 1) {
    const end = current.ended();
    if (end !== undefined) return { end, chunks };
    const { bytes, again } = current.take(now, 0, STAMP);
    if (bytes === undefined) {
      if (!again) now += 40_000;
      continue;
    }
    chunks += 1;
    if (!isLost()) {
      for (const ack of broker.give(bytes)) if (!isLost()) current.acknowledge(ack, now);
    }
    current = after(current);
  }
  throw new Error('the pull never ended');
}

export const newPull = (plan: ReturnType<typeof planFor>): Pull => new Pull(plan);
