// A till's clock is set back by a day between a sale and its receipt: the receipt is still printed.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Journal, SCHEMA } from '../../terminal/sale/journal.ts';
import { startReceipts } from '../../terminal/sale/receipts.ts';
import { Sales } from '../../terminal/sale/sales.ts';
import { openDatabase } from '../../terminal/shared/database.ts';
import { silentLog as log } from '../../terminal/shared/log.ts';
import { Rig, until } from './terminal-rig.ts';

let rig: Rig;
beforeEach(() => {
  rig = new Rig();
});
afterEach(() => rig.close());

const DAY_MS = 24 * 3_600_000;

it('a receipt outlives a clock that is set back', async () => {
  const soldMs = 30 * DAY_MS;
  const db = openDatabase({ path: join(rig.dir, 'a.db'), schema: SCHEMA, log, nowMs: soldMs });
  const journal = new Journal(db);
  const sales = new Sales(db, { store: 's', terminal: 't', version: '1' }, soldMs);
  journal.addLine({ clientId: '', sku: '1', name: 'Tea', quantity: 1, unitMinor: 5 }, soldMs);
  const tender = { serviceId: 'x', kind: 'cash', amountMinor: 5, token: '' } as const;
  const open = journal.live();
  if (open === undefined) throw new Error('no basket is open');
  journal.payCash({ ...tender, basket: open.id, state: 'authorised' }, soldMs);
  sales.complete(journal.live() ?? open, 'sale-1', soldMs);

  const asked: number[] = [];
  const printer = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk) => {
      text += String(chunk);
    });
    request.on('end', () => {
      asked.push((JSON.parse(text) as { ttlMs: number }).ttlMs);
      response.end(JSON.stringify({ state: 'done' }));
    });
  });
  await new Promise<void>((listening) => printer.listen(0, '127.0.0.1', listening));
  const base = `http://127.0.0.1:${(printer.address() as AddressInfo).port}`;
  const receipts = startReceipts({ base, sales, log, now: () => soldMs - DAY_MS });
  await until('the receipt to be handed over', () => asked[0]);
  await receipts.stop();
  printer.close();
  db.close();
  // Hardware refuses a job that would live longer than an hour.
  expect(asked[0]).toBeGreaterThan(0);
  expect(asked[0]).toBeLessThanOrEqual(3_600_000);
});
