// The sale: rings up baskets, takes payment, completes sales. A program to be started by a supervisor,
// or by hand: it needs nothing but a folder for its data.

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
import { startSale, TRACE_SLOW_MS } from './service.ts';

const settings = settingsOrExit({
  ...common,
  POS_SALE_PORT: portVariable(9102),
  POS_STORE: idVariable('store-1'),
  // The agent's word for it; many tills may share one configuration.
  POS_TERMINAL: idVariable(process.env['TILLWATCH_TERMINAL'] || 'lane-1'),
  POS_HARDWARE_URL: urlVariable('http://127.0.0.1:9101'),
  POS_PRICES_FILE: fileVariable(),
  /** How long the make-believe payment thinks about a card. */
  POS_CARD_DELAY_MS: numberVariable(400, 0, 180_000, 'milliseconds'),
  /** What the make-believe payment lets a card pay. */
  POS_CARD_MINOR_MAX: numberVariable(100_000, 0, 100_000_000, 'minor units'),
  /** A step of a sale that takes as long has its trace kept. */
  POS_TRACE_SLOW_MS: numberVariable(TRACE_SLOW_MS, 1, 600_000, 'milliseconds'),
});
await runComponent('sale', settings, settings.POS_SALE_PORT, (context) =>
  startSale(context, settings, Date.now),
);
