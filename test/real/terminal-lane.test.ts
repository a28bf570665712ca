// The lane on its own files, in this process: what a crash leaves behind is made by hand, one state after
// the other, and a new lane on the same files must put it right. The payment is a fake, so that it can
// forget, think and fail as a test wants.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Channel } from '../../agent/channel/client.ts';
import type { Authoriser } from '../../terminal/sale/authoriser.ts';
import type { PaymentStatus, Tender } from '../../terminal/sale/basket.ts';
import { Journal, SCHEMA } from '../../terminal/sale/journal.ts';
import { Lane } from '../../terminal/sale/lane.ts';
import { Sales } from '../../terminal/sale/sales.ts';
import { type Database, openDatabase } from '../../terminal/shared/database.ts';
import { silentLog } from '../../terminal/shared/log.ts';

const HOUR_MS = 3_600_000;
const item = { sku: '1', quantity: 1 };
const product = { sku: '1', name: 'Bread', priceMinor: 100 };
const place = { store: 's', terminal: 't', version: '1' };

/** Knows exactly what it was told to know, and counts what it was asked. */
class FakePayment implements Authoriser {
  answers = new Map<string, PaymentStatus[]>();
  asked: string[] = [];
  reversed: string[] = [];
  authorise = (serviceId: string): void => {
    this.asked.push(serviceId);
  };
  status = (serviceId: string): PaymentStatus => {
    const left = this.answers.get(serviceId) ?? [{ kind: 'approved', token: 'tok' }];
    return (left.length > 1 ? left.shift() : left[0]) ?? { kind: 'not_found' };
  };
  reverse = (serviceId: string): void => {
    this.reversed.push(serviceId);
  };
  close = (): void => undefined;
}

let dir: string;
let db: Database;
let payment: FakePayment;
let said: string[];
let nowMs: number;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tw-lane-'));
  nowMs = 1_800_000_000_000;
  payment = new FakePayment();
  said = [];
  reopen();
});
afterEach(() => {
  db.close();
  rmSync(dir, { recursive: true, force: true });
});

function reopen(): void {
  db = openDatabase({ path: join(dir, 'sale.db'), schema: SCHEMA, log: silentLog, nowMs });
}

const nothing = (): void => undefined;
const channel: Channel = {
  ...{ ready: nothing, status: nothing, extend: nothing, stopping: nothing, trouble: nothing },
  busy: (id) => said.push(`busy ${id}`),
  idle: (id) => said.push(`idle ${id}`),
  begin: () => ({ touch: nothing, end: nothing }),
  span: nothing,
  close: nothing,
};

function lane(): { lane: Lane; journal: Journal; sales: Sales } {
  const journal = new Journal(db);
  const sales = new Sales(db, place, nowMs);
  const prices = { find: (sku: string) => (sku === '1' ? product : undefined), version: () => 'v' };
  const now = (): number => nowMs;
  const parts = { journal, sales, prices, authoriser: payment, channel, log: silentLog, now };
  const made = new Lane({ ...parts, version: '1', onCompleted: nothing });
  return { lane: made, journal, sales };
}

async function withOneItem() {
  const made = lane();
  await made.lane.resolve();
  const added = made.lane.addItem(item);
  if (!added.ok) throw new Error(added.reason);
  return { ...made, basket: added.value };
}

const intent = (basket: string): Tender => ({
  serviceId: 'service-1',
  ...{ basket, kind: 'card', amountMinor: 100, state: 'intent', token: '' },
});

describe('a lane that starts on what a crash left', () => {
  it('opens the basket again when the payment never heard of the tender', async () => {
    const { journal, basket } = await withOneItem();
    journal.beginTender(intent(basket.id), nowMs);
    payment.answers.set('service-1', [{ kind: 'not_found' }]);
    const again = lane().lane;
    await again.resolve();
    expect(again.basket()).toMatchObject({ id: basket.id, state: 'open' });
    expect(payment.asked).toEqual([]);
    const paid = await again.tender({ kind: 'card', amountMinor: 100 });
    expect(paid).toMatchObject({ ok: true, value: { state: 'paid' } });
    expect(payment.asked).toHaveLength(1);
    expect(payment.asked).not.toContain('service-1');
  });

  it('does nothing else until the payment made up its mind', async () => {
    const { journal, basket } = await withOneItem();
    journal.beginTender(intent(basket.id), nowMs);
    const thinking: PaymentStatus[] = [{ kind: 'processing' }, { kind: 'processing' }];
    payment.answers.set('service-1', [...thinking, { kind: 'approved', token: 'tok' }]);
    const again = lane().lane;
    const resolved = again.resolve();
    expect(again.inDoubt()).toBe(1);
    expect(again.addItem(item)).toMatchObject({ ok: false, kind: 'unavailable' });
    expect(again.complete(undefined)).toMatchObject({ ok: false, kind: 'unavailable' });
    expect(again.voidBasket()).toMatchObject({ ok: false, kind: 'unavailable' });
    await resolved;
    expect(again.inDoubt()).toBe(0);
    expect(again.basket()).toMatchObject({ state: 'paid', tender: { token: 'tok' } });
    expect(said).toContain(`busy ${basket.id}`);
  });

  it('finishes giving money back that was begun', async () => {
    const { lane: first, journal, basket } = await withOneItem();
    await first.tender({ kind: 'card', amountMinor: 100 });
    const { tender } = first.basket() ?? {};
    if (tender) journal.beginReversal(tender);
    const again = lane().lane;
    await again.resolve();
    expect(payment.reversed).toEqual([tender?.serviceId]);
    expect(again.basket()).toBeUndefined();
    expect(said.at(-1)).toBe(`idle ${basket.id}`);
  });

  it('goes on asking when the disk fails at the wrong moment', async () => {
    const { journal, basket } = await withOneItem();
    journal.beginTender(intent(basket.id), nowMs);
    const again = lane();
    let failures = 1;
    const write = again.journal.settleTender.bind(again.journal);
    again.journal.settleTender = (...told) => {
      failures -= 1;
      if (failures >= 0)
        throw Object.assign(new Error('disk is full'), { code: 'ERR_SQLITE_ERROR', errcode: 13 });
      write(...told);
    };
    await again.lane.resolve();
    expect(again.lane.basket()).toMatchObject({ state: 'paid' });
  });
});

describe('the file of the sale', () => {
  it('refuses by itself what must never be', async () => {
    const { lane: first, journal, sales, basket } = await withOneItem();
    await first.tender({ kind: 'card', amountMinor: 100 });
    expect(() => journal.beginTender({ ...intent(basket.id), serviceId: '2' }, nowMs)).toThrow();
    expect(() => db.run("INSERT INTO baskets VALUES ('other', 'open', 0)")).toThrow();
    const paid = first.basket();
    if (paid === undefined) throw new Error('there is no basket');
    sales.complete(paid, 'one', nowMs);
    expect(() => sales.complete(paid, 'two', nowMs)).toThrow();
    expect(sales.unconfirmed(0, 50).sales).toHaveLength(1);
  });

  it('never gives a sequence number twice, also when old sales were purged', async () => {
    const sequences: number[] = [];
    for (let round = 0; round < 4; round += 1) {
      const { lane: till, sales } = lane();
      await till.resolve();
      till.addItem(item);
      await till.tender({ kind: 'cash', amountMinor: 100 });
      const sale = till.complete(undefined);
      if (!sale.ok) throw new Error(sale.reason);
      sequences.push(sale.value.sequence);
      expect(sales.confirm([sale.value.id, 'unknown'], nowMs)).toBe(1);
      expect(sales.confirm([sale.value.id], nowMs)).toBe(0);
      nowMs += 8 * 24 * HOUR_MS;
      sales.purge(nowMs);
      db.close();
      reopen();
    }
    expect(sequences).toEqual([1, 2, 3, 4]);
    expect(db.all('SELECT sequence FROM sales')).toEqual([{ sequence: 4 }]);
    expect(db.get('SELECT count(*) AS n FROM baskets')).toEqual({ n: 1 });
  });

  it('keeps what the head office has not confirmed, however old', async () => {
    const { lane: till, sales } = await withOneItem();
    await till.tender({ kind: 'cash', amountMinor: 500 });
    till.complete(undefined);
    nowMs += 400 * 24 * HOUR_MS;
    expect(sales.purge(nowMs)).toBe(0);
    expect(sales.unconfirmed(0, 50)).toMatchObject({ pending: 1 });
  });
});
