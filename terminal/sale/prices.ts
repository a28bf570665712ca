// The price list of the lane: the snapshot file that sync writes, read again when it changed. A partial
// or broken file changes nothing - the last good list stays, also over a restart, because a copy of
// it is kept (research/pos.md 6: a partial snapshot bricked the start of real tills). Before there ever
// was a file the till sells a tiny built-in list.

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { checkJson, identifier, minor, sku } from '../shared/check.ts';
import { writeAtomically } from '../shared/files.ts';
import type { Log } from '../shared/log.ts';
import { BUILT_IN_COUNT, CURRENCY, type Product, products } from '../shared/products.ts';
import { fail, type Result, saying } from '../shared/result.ts';

const FILE_BYTES_MAX = 16 * 1024 * 1024;
const PRODUCTS_MAX = 100_000;

export const snapshotSchema = v.object({
  version: identifier,
  currency: v.pipe(v.string('give a text'), v.regex(/^[A-Z]{3}$/, 'use three capital letters')),
  products: v.pipe(
    v.array(
      v.object({ sku, name: v.pipe(v.string('give a text'), v.maxLength(80)), priceMinor: minor }),
      'give a list',
    ),
    v.minLength(1, 'a price list has at least one product'),
    v.maxLength(PRODUCTS_MAX, `a price list has at most ${PRODUCTS_MAX} products`),
  ),
});
type Snapshot = v.InferOutput<typeof snapshotSchema>;

export type Prices = {
  readonly find: (sku: string) => Product | undefined;
  readonly version: () => string;
};

function readSnapshot(path: string): Result<Snapshot> {
  try {
    if (statSync(path).size > FILE_BYTES_MAX) return fail('the file is too large');
    return checkJson(snapshotSchema, readFileSync(path, 'utf8'));
  } catch (error) {
    return fail(saying(error));
  }
}

/** What tells one state of a file from the next without reading it; '' when it cannot be looked at. */
function stampOf(path: string): string {
  try {
    const stat = statSync(path);
    return `${stat.ino}/${stat.size}/${stat.mtimeMs}`;
  } catch {
    return ''; // not there, or out of reach: the last good list stays
  }
}

export function openPrices(options: { file: string; dataDir: string; log: Log }): Prices {
  const { file, dataDir, log } = options;
  const lastGood = join(dataDir, 'prices-last-good.json');
  let version = 'built-in';
  let table = new Map<string, Product>();
  let stamp = '';

  const use = (next: { version: string; products: readonly Product[] }): void => {
    version = next.version;
    table = new Map(next.products.map((product) => [product.sku, product]));
  };
  const refresh = (): void => {
    const seen = stampOf(file);
    if (seen === stamp) return;
    stamp = seen;
    if (seen === '') return;
    const read = readSnapshot(file);
    if (!read.ok) {
      log.warn('price list refused: the last good one stays', { reason: read.reason, version });
      return;
    }
    if (read.value.version === version) return;
    use(read.value);
    log.info('price list', { version, products: table.size, currency: read.value.currency });
    try {
      writeAtomically(lastGood, JSON.stringify(read.value));
    } catch (error) {
      log.warn('no copy of the price list was kept', { reason: saying(error) });
    }
  };

  const kept = readSnapshot(lastGood);
  use(kept.ok ? kept.value : { version, products: products(1, BUILT_IN_COUNT) });
  refresh();
  return {
    find: (wanted) => {
      refresh();
      return table.get(wanted);
    },
    version: () => version,
  };
}

export { CURRENCY };
