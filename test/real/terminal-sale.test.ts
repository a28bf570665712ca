// The sale as a real process that is killed without warning at random points, again and again, while a
// scripted cashier goes on selling and repeats whatever got no answer. Afterwards the files are read by
// somebody else and must tell of every sale once.

import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { products } from '../../terminal/shared/products.ts';
import { type Json, type Program, type Reply, Rig, seeded, until } from './terminal-rig.ts';

const CARD_DELAY_MS = 60;
const env = { POS_CARD_DELAY_MS: String(CARD_DELAY_MS), POS_LOG_LEVEL: 'error' };
const goods = products(1, 8);

/** Reads a whole table as it is on disk, beside the process that owns it. */
function table(file: string, sql: string): Json[] {
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    return db.prepare(sql).all();
  } finally {
    db.close();
  }
}

let rig: Rig;
beforeEach(() => {
  rig = new Rig();
});
afterEach(async () => {
  await rig.close();
});
const saleFile = (): string => join(rig.folder('sale'), 'sale.db');
const paymentFile = (): string => join(rig.folder('sale'), 'authoriser.db');

/** Starts the sale, and starts it again whenever it is killed, as a watchdog would. */
class Keeper {
  kills = 0;
  #program: Program | undefined;
  #killing: Promise<void> = Promise.resolve();

  async start(): Promise<void> {
    this.#program = await rig.start('sale', env);
  }

  killSoon(ms: number): void {
    const program = this.#program;
    if (program === undefined) return;
    this.#program = undefined;
    this.#killing = (async () => {
      await pause(ms);
      await rig.kill(program);
      this.kills += 1;
      await this.start();
    })();
  }

  /** One request, said again until somebody answers and does not say "shortly". */
  async insist(method: 'GET' | 'POST', path: string, body?: unknown): Promise<Reply> {
    return await until(`an answer to ${path}`, async () => {
      const reply = await rig.ask('sale', method, path, body);
      if (reply === undefined) await this.#killing;
      return reply?.status === 503 ? undefined : reply;
    });
  }

  settled(): Promise<void> {
    return this.#killing;
  }
}

describe('a sale process that is killed at random points', () => {
  const seed = Date.now() % 100_000;
  it(`loses no sale, doubles none and charges each card once (seed ${seed})`, async () => {
    const random = seeded(seed);
    const keeper = new Keeper();
    await keeper.start();
    const maybeKill = (): void => {
      if (random() < 0.5) keeper.killSoon(Math.floor(random() * CARD_DELAY_MS * 1.5));
    };
    const answered: Json[] = [];
    const SALES = 10;
    for (let number = 0; number < SALES; number += 1) {
      const baskets = new Set<unknown>();
      let total = 0;
      for (let line = 0; line < 1 + Math.floor(random() * 3); line += 1) {
        const product = goods[Math.floor(random() * goods.length)];
        const item = { id: `s${number}-l${line}`, sku: product?.sku, quantity: 1 + (line % 2) };
        maybeKill();
        const reply = await keeper.insist('POST', '/basket/items', item);
        expect(reply).toMatchObject({ status: 200, json: { state: 'open' } });
        baskets.add(reply.json['id']);
        total = Number(reply.json['totalMinor']);
      }
      const kind = random() < 0.7 ? 'card' : 'cash';
      await until('the payment', async () => {
        maybeKill();
        const reply = await keeper.insist('POST', '/basket/tender', { kind, amountMinor: total });
        if (reply.status !== 200) expect([402, 409]).toContain(reply.status);
        return reply.status === 200 || undefined;
      });
      const basket = [...baskets][0];
      maybeKill();
      const completed = await keeper.insist('POST', '/basket/complete', { basket });
      expect(completed).toMatchObject({ status: 200, json: { basket, totalMinor: total } });
      // Every line of a sale landed in one basket, whatever was killed in between.
      expect(baskets.size).toBe(1);
      answered.push(completed.json);
    }
    await keeper.settled();
    expect(keeper.kills).toBeGreaterThan(0);

    const stored = table(saleFile(), 'SELECT * FROM sales ORDER BY sequence');
    expect(stored.map((row) => row['id'])).toEqual(answered.map((sale) => sale['id']));
    expect(stored.map((row) => JSON.parse(String(row['body'])))).toEqual(answered);
    expect(new Set(stored.map((row) => row['sequence'])).size).toBe(SALES);
    expect(table(saleFile(), "SELECT * FROM tenders WHERE state IN ('intent')")).toEqual([]);

    const cards = answered.filter((sale) => (sale['tender'] as Json)['kind'] === 'card');
    const charged = table(paymentFile(), 'SELECT * FROM authorisations WHERE reversed = 0');
    expect(charged.map((row) => [row['reference'], row['amount_minor']]).sort()).toEqual(
      cards.map((sale) => [sale['basket'], sale['totalMinor']]).sort(),
    );
    const counted = 'pos_transactions_total{result="completed",version="dev"}';
    expect(await rig.metric('sale', counted)).toBe(SALES);
  }, 180_000);

  it('goes on with the same basket and says so after kill -9', async () => {
    const first = await rig.start('sale', env);
    const item = { sku: goods[0]?.sku, quantity: 2 };
    const before = await rig.ask('sale', 'POST', '/basket/items', item);
    await rig.kill(first);
    await rig.start('sale', env);
    expect((await rig.ask('sale', 'GET', '/basket'))?.json).toEqual(before?.json);
    expect(await rig.metric('sale', 'pos_basket_open')).toBe(1);
  });

  it('clears up a payment in doubt before anything else, and charges nothing more', async () => {
    const slow = { ...env, POS_CARD_DELAY_MS: '1500' };
    const first = await rig.start('sale', slow);
    await rig.ask('sale', 'POST', '/basket/items', { sku: goods[0]?.sku, quantity: 1 });
    const tender = { kind: 'card', amountMinor: goods[0]?.priceMinor };
    const pending = rig.ask('sale', 'POST', '/basket/tender', tender);
    await until('the intent', () =>
      table(paymentFile(), 'SELECT 1 FROM authorisations')[0] ? true : undefined,
    );
    await rig.kill(first);
    expect(await pending).toBeUndefined();

    await rig.start('sale', { ...slow, POS_CARD_DELAY_MS: '30000' });
    // The payment is at work on what it was asked: nothing else may happen meanwhile.
    const early = await rig.ask('sale', 'POST', '/basket/items', { sku: goods[1]?.sku });
    if (early?.status === 503) expect(early.json['detail']).toContain('before the restart');
    await until('the outcome', async () => {
      const doubt = await rig.metric('sale', 'pos_tender_in_doubt');
      return doubt === 0 ? true : undefined;
    });
    expect((await rig.ask('sale', 'GET', '/basket'))?.json).toMatchObject({ state: 'paid' });
    expect((await rig.ask('sale', 'POST', '/basket/tender', tender))?.status).toBe(200);
    expect(table(paymentFile(), 'SELECT * FROM authorisations')).toHaveLength(1);
  });
});

describe('the local API of the sale', () => {
  it('answers mistakes with a sentence and keeps the basket as it was', async () => {
    await rig.start('sale', { ...env, POS_CARD_MINOR_MAX: '100' });
    const post = (path: string, body?: unknown) => rig.ask('sale', 'POST', path, body);
    expect((await post('/basket/complete'))?.status).toBe(409);
    expect((await post('/basket/tender', { kind: 'cash', amountMinor: 5 }))?.status).toBe(409);
    expect((await post('/basket/items', { sku: 'nothing' }))?.json['detail']).toMatch(
      /^sku: nothing is not in price list built-in/,
    );
    const wrong = await post('/basket/items', { sku: '', quantity: 0, pan: '4111' });
    expect(wrong?.status).toBe(422);
    expect(wrong?.json['detail']).toMatch(/sku: .*quantity: .*pan: this field is not known/);
    const item = { id: 'one', sku: goods[1]?.sku, quantity: 1 };
    await post('/basket/items', item);
    expect((await post('/basket/items', item))?.json['lines']).toHaveLength(1);
    expect((await post('/basket/items', { ...item, quantity: 3 }))?.status).toBe(409);
    const due = goods[1]?.priceMinor ?? 0;
    expect((await post('/basket/tender', { kind: 'cash', amountMinor: due - 1 }))?.status).toBe(
      422,
    );
    expect((await post('/basket/tender', { kind: 'card', amountMinor: due }))?.status).toBe(402);
    expect((await rig.ask('sale', 'GET', '/basket'))?.json).toMatchObject({ state: 'open' });
    expect((await post('/basket/items', 'x'.repeat(20_000)))?.status).toBe(413);
    expect((await rig.ask('sale', 'PUT', '/basket'))?.status).toBe(405);
    expect((await rig.ask('sale', 'GET', '/nothing'))?.status).toBe(404);
    expect((await post('/fault', { kind: 'exit' }))?.status).toBe(404);
    expect((await post('/basket/void'))?.status).toBe(200);
    expect((await rig.ask('sale', 'GET', '/basket'))?.json).toEqual({ state: 'none' });
    const voided = 'pos_transactions_total{result="voided",version="dev"}';
    expect(await rig.metric('sale', voided)).toBe(1);
  });

  it('gives the money back when a paid basket is voided', async () => {
    await rig.start('sale', env);
    await rig.ask('sale', 'POST', '/basket/items', { sku: goods[0]?.sku });
    const tender = { kind: 'card', amountMinor: goods[0]?.priceMinor };
    expect((await rig.ask('sale', 'POST', '/basket/tender', tender))?.status).toBe(200);
    expect((await rig.ask('sale', 'POST', '/basket/void'))?.status).toBe(200);
    expect(table(paymentFile(), 'SELECT reversed FROM authorisations')).toEqual([{ reversed: 1 }]);
    expect(await rig.metric('sale', 'pos_tender_in_doubt')).toBe(0);
  });
});
