// The broker's API and front with received logs behind them, without a socket: for tests that give it what a terminal's own
// code has made.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createIngest } from '../../broker/ingest/ingest.ts';
import { ok } from '../../protocol/result.ts';
import { decodeAck, encodeAck } from '../../protocol/wire.ts';
import { inventory, open as openApi } from './http-rig.ts';

export const NOON = Date.UTC(2026, 10, 23, 12);
export const CARD = '4111111111111111';

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
