// Puts the sync component together: uploads and prices, each a loop of its own, so that a slow price list
// never holds up sales. Its local port is for metrics, health and the list of refused sales.

import { join } from 'node:path';
import type { Context, Service } from '../shared/component.ts';
import { answer, type Route } from '../shared/http.ts';
import { createRegistry, type Point } from '../shared/metrics.ts';
import { type DeadLetters, openDeadLetters } from './dead-letters.ts';
import { startPrices } from './prices.ts';
import { Uplink } from './uplink.ts';
import { startUploads } from './uploads.ts';

export type SyncSettings = {
  readonly POS_SALE_URL: string;
  readonly POS_CENTRE_URL: string;
  readonly POS_STORE: string;
  readonly POS_PRICES_FILE?: string | undefined;
  readonly POS_SYNC_POLL_MS: number;
  readonly POS_PRICES_EVERY_MS: number;
  readonly POS_BACKOFF_MS_MAX: number;
};

const DATASET = 'price';

const routes = (letters: DeadLetters, retried: () => void): Route[] => [
  {
    method: 'GET',
    path: '/dead-letters',
    run: () => answer(200, { count: letters.count(), deadLetters: letters.list() }),
  },
  {
    method: 'POST',
    path: '/dead-letters/retry',
    run: () => {
      const count = letters.retry();
      retried();
      return answer(200, { retried: count });
    },
  },
];

export function startSync(context: Context, settings: SyncSettings, now: () => number): Service {
  const { log, channel, version, dataDir } = context;
  const { POS_CENTRE_URL: centreUrl, POS_BACKOFF_MS_MAX: backoffMsMax } = settings;
  const letters = openDeadLetters(dataDir, log, now);
  const uplink = new Uplink(log, now);
  const ground = { centreUrl, backoffMsMax, uplink, log, now };
  const uploads = startUploads({
    ...ground,
    saleUrl: settings.POS_SALE_URL,
    letters,
    version,
    pollMs: settings.POS_SYNC_POLL_MS,
  });
  const prices = startPrices({
    ...ground,
    store: settings.POS_STORE,
    file: settings.POS_PRICES_FILE ?? join(dataDir, 'prices.json'),
    everyMs: settings.POS_PRICES_EVERY_MS,
  });
  uplink.onBack = () => {
    uploads.loop.wake();
    prices.loop.wake();
  };
  uplink.onChange = () => channel.status(uplink.text());

  const ageSeconds = (sinceMs: number | undefined): number =>
    sinceMs === undefined ? 0 : Math.max(0, now() - sinceMs) / 1000;
  const pricePoint = (
    read: (state: { version: string; confirmedMs: number }) => Point,
  ): Point[] => {
    const state = prices.state();
    return state === undefined ? [] : [read(state)];
  };
  const registry = createRegistry({
    pos_uplink_up: () => [{ value: uplink.up() ? 1 : 0 }],
    pos_outbox_depth: () => [{ value: uploads.state().pending }],
    pos_outbox_oldest_age_seconds: () => [{ value: ageSeconds(uploads.state().oldestMs) }],
    pos_outbox_acked_total: () => letters.acked(),
    pos_outbox_dead_letter: () => [{ value: letters.count() }],
    pos_dataset_age_seconds: () =>
      pricePoint((state) => ({
        labels: { dataset: DATASET },
        value: ageSeconds(state.confirmedMs),
      })),
    pos_dataset_version_info: () =>
      pricePoint((state) => ({
        labels: { dataset: DATASET, version: state.version },
        value: 1,
      })),
  });
  return {
    registry,
    routes: routes(letters, () => uploads.loop.wake()),
    health: () => ({ status: uplink.up() ? 'ok' : 'degraded', uplink: uplink.text() }),
    stop: async () => {
      await Promise.all([uploads.loop.stop(), prices.loop.stop()]);
      letters.close();
    },
  };
}
