// What a cashier notices of a search: the reference sale under a real agent, items rung up one after the other, first
// alone and then while a gigabyte of journal is searched for a text that is not in it.

import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { round, spread, until } from '../harness.ts';
import { fillJournal } from './fill.ts';
import { openLogTill } from './till.ts';

const GIGABYTE = 1_000_000_000;
const ITEMS = 400;
/** Each look costs the machine a TLS handshake, which is not what is measured. */
const LOOK_MS = 1_000;
const SKU = '2000000000015';

type Post = (path: string, body: object) => Promise<number>;

const BASKET_ITEMS = 10;

/** Baskets of ten, each emptied before the next. @returns milliseconds of each answer to an item */
async function ringUp(post: Post, items: number): Promise<number[]> {
  const took: number[] = [];
  for (let at = 1; at <= items; at += 1) {
    took.push(await post('/basket/items', { sku: SKU, quantity: 1 }));
    if (at % BASKET_ITEMS === 0) await post('/basket/void', {});
  }
  return took;
}

export async function measureSales(): Promise<object> {
  const untilMs = Date.now();
  const portFile = (root: string): string => join(root, 'sale', 'sale.json');
  let root = '';
  const till = await openLogTill({
    uplinkShare: 0.3,
    fill: (journal) => fillJournal(journal, 'sale', GIGABYTE, untilMs),
    components: (dir) => {
      root = dir;
      const env = {
        ...{ POS_DATA_DIR: join(dir, 'sale'), POS_STORE: 'bench', POS_TERMINAL: 'lane-1' },
        ...{ POS_SALE_PORT: '0', POS_HARDWARE_URL: 'http://127.0.0.1:9' },
        POS_PRICES_FILE: join(dir, 'prices.json'),
      };
      const command = [process.execPath, resolve('dist', 'sale.mjs')];
      return [{ name: 'sale', command, version: '1', env }];
    },
  });
  try {
    const port = await until('the sale', () => {
      const path = portFile(root);
      if (!existsSync(path)) return undefined;
      return (JSON.parse(readFileSync(path, 'utf8')) as { port: number }).port;
    });
    const post: Post = async (path, body) => {
      const startedMs = performance.now();
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      await answer.arrayBuffer();
      if (!answer.ok) throw new Error(`the sale answers ${answer.status}`);
      return performance.now() - startedMs;
    };
    await ringUp(post, 50);
    const before = await ringUp(post, ITEMS);
    const startedMs = performance.now();
    const id = await till.ask({
      ...{ sinceMs: 0, untilMs, bytesMax: 1_000_000 },
      ...{ pattern: 'this is (nowhere|not there) [0-9]+', searchMs: 15 * 60_000 },
    });
    let isOver = false;
    const ended = till.ended(id, LOOK_MS).finally(() => {
      isOver = true;
    });
    const during: number[] = [];
    while (!isOver) during.push(...(await ringUp(post, 20)));
    await ended;
    const searchSeconds = round((performance.now() - startedMs) / 1_000);
    const searched = spread(during);
    // Before and behind it: what else the machine does changes within minutes.
    const alone = spread([...before, ...(await ringUp(post, ITEMS))]);
    return { aloneMs: alone, searchedMs: searched, searchSeconds };
  } finally {
    await till.close();
  }
}
