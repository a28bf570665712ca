// A till of the reference terminal that sells, for tests of what may not happen under an open sale.

import { expect } from 'vitest';
import { products } from '../../terminal/shared/products.ts';
import { DeedsRig } from './deeds-rig.ts';

const [product] = products(1, 1);

export async function openSelling(): Promise<DeedsRig> {
  const rig = new DeedsRig();
  await rig.open([
    rig.component('hardware', {}, { stop: { graceMs: 1_000 } }),
    rig.component('sale', {}, { after: ['hardware'] }),
  ]);
  await rig.connected();
  await rig.till.ready('sale');
  return rig;
}

/** Puts something into the basket: from now on a sale is open. */
export async function openSaleAt(rig: DeedsRig): Promise<void> {
  const item = { sku: product?.sku, quantity: 1 };
  const added = await rig.terminal.ask('sale', 'POST', '/basket/items', item);
  expect(added).toMatchObject({ status: 200, json: { state: 'open' } });
}
