// A sale that hangs while money moves, under a real agent with the settings that ship: it is not killed before the
// tender's own deadline, and afterwards the basket is there, the payment is cleared up, and nothing was charged twice.
// A sale that hangs with only a basket open is killed at once.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { products } from '../../terminal/shared/products.ts';
import { request } from '../../terminal/shared/request.ts';
import { Rig, until } from '../real/agent-rig.ts';

const goods = products(1, 4);
/** terminal/sale/lane.ts: a tender that is not touched for so long is stuck. */
const TENDER_DEADLINE_MS = 10_000;

let rig: Rig;
let folder: string;
beforeEach(() => {
  rig = new Rig();
  folder = mkdtempSync(join(tmpdir(), 'tw-tender-'));
});
afterEach(async () => {
  await rig.clean();
  rmSync(folder, { recursive: true, force: true });
});

function startSale(cardDelayMs: number): void {
  const nowhere = 'http://127.0.0.1:1';
  rig.configure([
    {
      name: 'sale',
      version: '2.4.1',
      command: [process.execPath, resolve('terminal/sale/main.ts')],
      cwd: resolve('.'),
      env: {
        POS_DATA_DIR: folder,
        POS_SALE_PORT: '0',
        POS_HARDWARE_URL: nowhere,
        POS_PRICES_FILE: join(folder, 'prices.json'),
        POS_STORE: 'berlin-1',
        POS_TERMINAL: 'lane-1',
        POS_CARD_DELAY_MS: String(cardDelayMs),
      },
    },
  ]);
  void rig.start();
}

async function ask(method: 'GET' | 'POST', path: string, body?: unknown) {
  const { port } = JSON.parse(readFileSync(join(folder, 'sale.json'), 'utf8')) as { port: number };
  const url = `http://127.0.0.1:${port}`;
  const asked = await request(url, { method, path, body, timeoutMs: 2_000 });
  return asked.ok ? asked.value : undefined;
}

function authorisations(): readonly unknown[] {
  try {
    const db = new DatabaseSync(join(folder, 'authoriser.db'), { readOnly: true });
    try {
      return db.prepare('SELECT * FROM authorisations WHERE reversed = 0').all();
    } finally {
      db.close();
    }
  } catch {
    return []; // not made yet
  }
}

const killedAt = (): number | undefined => {
  const line = rig.lines('sale').find(({ message }) => message.startsWith('sale is killed'));
  return line === undefined ? undefined : Date.parse(String(line['timestamp']));
};

/** The basket, once it is paid. */
async function paid(): Promise<Record<string, unknown>> {
  for (let tries = 0; tries < 300; tries += 1) {
    const reply = await ask('GET', '/basket');
    const basket = JSON.parse(reply?.body ?? '{}') as Record<string, unknown>;
    if (basket['state'] === 'paid') return basket;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error('the basket was never paid');
}

describe('a sale that hangs', () => {
  it('in the middle of a tender is not killed before the tender could have ended', async () => {
    startSale(4_000);
    const pid = await rig.ready('sale');
    const [item] = goods;
    await ask('POST', '/basket/items', { sku: item?.sku, quantity: 1 });
    void ask('POST', '/basket/tender', { kind: 'card', amountMinor: item?.priceMinor });
    await until('the payment is asked', () => authorisations().length === 1);
    const stoppedAt = Date.now();
    process.kill(pid, 'SIGSTOP');
    const killed = await until('the kill', killedAt);
    // The tender was touched at most a second before.
    expect(killed - stoppedAt).toBeGreaterThan(TENDER_DEADLINE_MS - 3_000);
    expect(killed - stoppedAt).toBeLessThan(60_000);
    await rig.ready('sale', 2);
    const basket = await paid();
    expect(basket).toMatchObject({ state: 'paid' });
    expect(authorisations()).toHaveLength(1);
    const suspect = rig.lines('sale').find(({ to }) => to === 'suspect');
    expect(suspect?.message).toContain('main thread is stopped');
    const why = rig
      .lines('sale')
      .map(({ message }) => message)
      .join('\n');
    expect(why).toContain('tender');
  });

  it('in the middle of a tender and comes back in time is left alone', async () => {
    startSale(6_000);
    const pid = await rig.ready('sale');
    const [item] = goods;
    await ask('POST', '/basket/items', { sku: item?.sku, quantity: 1 });
    void ask('POST', '/basket/tender', { kind: 'card', amountMinor: item?.priceMinor });
    await until('the payment is asked', () => authorisations().length === 1);
    process.kill(pid, 'SIGSTOP');
    await new Promise((done) => setTimeout(done, 5_000));
    process.kill(pid, 'SIGCONT');
    await until('it is ready again', () => {
      const last = rig.lines('sale').findLast(({ to }) => to !== undefined);
      return last?.to === 'ready';
    });
    expect(await paid()).toMatchObject({
      state: 'paid',
    });
    expect(killedAt()).toBeUndefined();
    expect(authorisations()).toHaveLength(1);
  });

  it('with only a basket open is killed at once, and the basket is there again', async () => {
    startSale(60);
    const pid = await rig.ready('sale');
    const [item] = goods;
    const before = await ask('POST', '/basket/items', { sku: item?.sku, quantity: 2 });
    process.kill(pid, 'SIGSTOP');
    const { opened, recovered } = await rig.healed('sale');
    expect(opened.cause).toBe('hang');
    expect(recovered['detectedMs']).toBeLessThan(TENDER_DEADLINE_MS - 3_000);
    const after = await ask('GET', '/basket');
    expect(JSON.parse(after?.body ?? '')).toEqual(JSON.parse(before?.body ?? ''));
  });
});
