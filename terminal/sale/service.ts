// Puts the sale component together: file, payment, prices, lane, receipts, routes and metrics. The clock
// and the settings come in, so that a test can run the whole of it in its own process.

import { join } from 'node:path';
import type { Context, Service } from '../shared/component.ts';
import { openDatabase } from '../shared/database.ts';
import { startLoop } from '../shared/loops.ts';
import { createRegistry, stateSet } from '../shared/metrics.ts';
import { openAuthoriser } from './authoriser.ts';
import { Journal, SCHEMA } from './journal.ts';
import { Lane } from './lane.ts';
import { openPrices } from './prices.ts';
import { startReceipts } from './receipts.ts';
import { saleRoutes } from './routes.ts';
import { Sales } from './sales.ts';
import { SaleTraces } from './tracing.ts';

export type SaleSettings = {
  readonly POS_STORE: string;
  readonly POS_TERMINAL: string;
  readonly POS_HARDWARE_URL: string;
  readonly POS_PRICES_FILE?: string | undefined;
  readonly POS_CARD_DELAY_MS: number;
  readonly POS_CARD_MINOR_MAX: number;
  readonly POS_TRACE_SLOW_MS?: number;
};

const LANE_STATES = ['open', 'closed', 'offline', 'locked', 'training'];
/** A scan, payment or receipt that takes as long makes its sale worth a look. */
export const TRACE_SLOW_MS = 5_000;
const PURGE_EVERY_MS = 3_600_000;

export function startSale(context: Context, settings: SaleSettings, now: () => number): Service {
  const { log, channel, version, dataDir } = context;
  const db = openDatabase({ path: join(dataDir, 'sale.db'), schema: SCHEMA, log, nowMs: now() });
  const journal = new Journal(db);
  const place = { store: settings.POS_STORE, terminal: settings.POS_TERMINAL, version };
  const sales = new Sales(db, place, now());
  const authoriser = openAuthoriser({
    dataDir,
    delayMs: settings.POS_CARD_DELAY_MS,
    amountMinorMax: settings.POS_CARD_MINOR_MAX,
    now,
    log,
  });
  const file = settings.POS_PRICES_FILE ?? join(dataDir, 'prices.json');
  const prices = openPrices({ file, dataDir, log });
  const traces = new SaleTraces(channel, settings.POS_TRACE_SLOW_MS ?? TRACE_SLOW_MS);
  const receipts = startReceipts({ base: settings.POS_HARDWARE_URL, sales, log, now, traces });
  const onCompleted = (): void => receipts.wake();
  const parts = { journal, sales, prices, authoriser, channel, log, version, now, traces };
  const lane = new Lane({ ...parts, onCompleted });
  const purging = startLoop(log, async () => {
    // After the first requests: a till that starts has better things to do.
    await Promise.resolve();
    sales.purge(now());
    return PURGE_EVERY_MS;
  });

  const resumed = lane.basket();
  if (resumed) log.info('basket resumed', { basket: resumed.id, state: resumed.state });
  channel.status(lane.inDoubt() > 0 ? 'a payment is being cleared up' : 'open');
  // Starts before the port opens: with nothing in doubt it is over before the first request.
  const resolved = lane.resolve().then(() => channel.status('open'));

  let closing = false;
  const laneState = (): string => (closing || lane.resolving() ? 'closed' : 'open');
  const lastSale = (): { value: number }[] => {
    const ms = sales.lastCompletedMs();
    return ms === 0 ? [] : [{ value: ms / 1000 }];
  };
  const registry = createRegistry({
    pos_lane_state: () => stateSet(LANE_STATES, laneState()),
    pos_transactions_total: () => sales.counts(),
    pos_last_transaction_timestamp_seconds: lastSale,
    pos_basket_open: () => [{ value: lane.basket() ? 1 : 0 }],
    pos_tender_in_doubt: () => [{ value: lane.inDoubt() }],
    pos_receipts_pending: () => [{ value: sales.receiptsPending() }],
  });
  return {
    registry,
    routes: saleRoutes(lane, sales, now),
    health: () => ({ status: 'ok', lane: laneState(), prices: prices.version() }),
    stop: async () => {
      closing = true;
      lane.close();
      await Promise.all([receipts.stop(), purging.stop(), resolved]);
      authoriser.close();
      db.close();
    },
  };
}
