// Sync: completed sales up to the head office, price lists down to the lane.

import { runComponent } from '../shared/component.ts';
import {
  common,
  fileVariable,
  idVariable,
  numberVariable,
  portVariable,
  settingsOrExit,
  urlVariable,
} from '../shared/env.ts';
import { startSync } from './service.ts';

const settings = settingsOrExit({
  ...common,
  POS_SYNC_PORT: portVariable(9103),
  POS_STORE: idVariable('store-1'),
  POS_SALE_URL: urlVariable('http://127.0.0.1:9102'),
  POS_CENTRE_URL: urlVariable('http://127.0.0.1:9110'),
  POS_PRICES_FILE: fileVariable(),
  POS_SYNC_POLL_MS: numberVariable(1_000, 50, 600_000, 'milliseconds'),
  POS_PRICES_EVERY_MS: numberVariable(60_000, 100, 86_400_000, 'milliseconds'),
  /** Ceiling of the pause between attempts while the head office is away. */
  POS_BACKOFF_MS_MAX: numberVariable(60_000, 100, 600_000, 'milliseconds'),
});
await runComponent('sync', settings, settings.POS_SYNC_PORT, (context) =>
  startSync(context, settings, Date.now),
);
