// Sync between a real sale and a head office that is there, gone, refusing, lying or forgetful. What
// counts is what the head office booked in the end: every sale once.

import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { products } from '../../terminal/shared/products.ts';
import { type Json, Rig, until } from './terminal-rig.ts';

const fast = {
  POS_SYNC_POLL_MS: '50',
  POS_PRICES_EVERY_MS: '200',
  POS_BACKOFF_MS_MAX: '300',
  POS_CARD_DELAY_MS: '0',
  POS_LOG_LEVEL: 'info',
};
const [bread] = products(1);

let rig: Rig;
let fake: Server | undefined;
beforeEach(() => {
  rig = new Rig();
});
afterEach(async () => {
  fake?.closeAllConnections();
  fake?.close();
  fake = undefined;
  await rig.close();
});

async function sell(): Promise<Json> {
  const added = await rig.ask('sale', 'POST', '/basket/items', { sku: bread?.sku });
  const amountMinor = added?.json['totalMinor'];
  await rig.ask('sale', 'POST', '/basket/tender', { kind: 'cash', amountMinor });
  const sale = await rig.ask('sale', 'POST', '/basket/complete');
  expect(sale?.status).toBe(200);
  return sale?.json ?? {};
}

const drained = (): Promise<true> =>
  until('an empty outbox', async () => {
    const page = await rig.ask('sale', 'GET', '/sales');
    return page?.json['pending'] === 0 ? true : undefined;
  });

const booked = async (): Promise<unknown> =>
  (await rig.ask('centre', 'GET', '/sales/count?terminal=lane-7'))?.json['count'];

/** A head office that answers as the test says. */
async function fakeCentre(
  answer: (
    path: string,
    body: string,
    method: string,
  ) => { status: number; body?: unknown } | 'cut',
): Promise<string> {
  fake = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      const reply = answer(request.url ?? '', body, request.method ?? '');
      if (reply === 'cut') return response.destroy();
      return response.writeHead(reply.status).end(JSON.stringify(reply.body ?? {}));
    });
  });
  await new Promise<void>((done) => fake?.listen(0, '127.0.0.1', done));
  return `http://127.0.0.1:${(fake.address() as AddressInfo).port}`;
}

describe('sync and a head office that comes and goes', () => {
  it('brings every sale once, also when the office and sync itself are killed meanwhile', async () => {
    await rig.start('sale', fast);
    for (let n = 0; n < 3; n += 1) await sell();
    // Nobody is there yet: that is degraded, never unhealthy.
    let sync = await rig.start('sync', fast);
    await until('the trouble to show', async () =>
      (await rig.metric('sync', 'pos_outbox_depth')) === 3 ? true : undefined,
    );
    const health = await rig.ask('sync', 'GET', '/healthz');
    expect(health).toMatchObject({ status: 200, json: { status: 'degraded' } });
    expect(await rig.metric('sync', 'pos_uplink_up')).toBe(0);
    expect(await rig.metric('sync', 'pos_outbox_oldest_age_seconds')).toBeGreaterThan(0);

    let centre = await rig.start('centre');
    await drained();
    expect(await booked()).toBe(3);
    await rig.kill(centre);
    for (let n = 0; n < 4; n += 1) await sell();
    await rig.kill(sync);
    centre = await rig.start('centre');
    sync = await rig.start('sync', fast);
    await sell();
    await drained();
    expect(await booked()).toBe(8);
    expect(await rig.metric('sync', 'pos_uplink_up')).toBe(1);
    expect(await rig.metric('sync', 'pos_outbox_acked_total{version="dev"}')).toBe(8);
  });

  it('is not fooled by a portal that answers 200 to everything', async () => {
    let uploads = 0;
    const url = await fakeCentre((_path, _body, method) => {
      if (method === 'PUT') uploads += 1;
      return { status: 200, body: { welcome: 'to the hotel' } };
    });
    await rig.start('sale', fast);
    await sell();
    await rig.start('sync', { ...fast, POS_CENTRE_URL: url });
    await until('a second attempt', () => (uploads >= 2 ? true : undefined));
    expect(await rig.metric('sync', 'pos_uplink_up')).toBe(0);
    expect((await rig.ask('sale', 'GET', '/sales'))?.json['pending']).toBe(1);
    expect(await rig.metric('sync', 'pos_outbox_dead_letter')).toBe(0);
  });

  it('sets a refused sale aside and goes on with the next, and sends it again when told to', async () => {
    let mercy = false;
    const seen: string[] = [];
    await rig.start('sale', fast);
    const [first, second, third] = [await sell(), await sell(), await sell()];
    const url = await fakeCentre((path, _body, method) => {
      if (method !== 'PUT') return { status: 503 };
      const id = path.split('/')[2] ?? '';
      seen.push(id);
      if (id === second['id'] && !mercy) return { status: 422, body: { detail: 'lines: no.' } };
      return { status: 200, body: { id } };
    });
    await rig.start('sync', { ...fast, POS_CENTRE_URL: url });
    await until('the others', async () =>
      (await rig.ask('sale', 'GET', '/sales'))?.json['pending'] === 1 ? true : undefined,
    );
    expect(seen.slice(0, 3)).toEqual([first['id'], second['id'], third['id']]);
    expect(await rig.metric('sync', 'pos_outbox_dead_letter')).toBe(1);
    expect(await rig.metric('sync', 'pos_outbox_depth')).toBe(0);
    const letters = (await rig.ask('sync', 'GET', '/dead-letters'))?.json['deadLetters'];
    expect(letters).toMatchObject([{ sale: second['id'], status: 422, reason: 'lines: no.' }]);
    mercy = true;
    await rig.ask('sync', 'POST', '/dead-letters/retry');
    await drained();
    expect(await rig.metric('sync', 'pos_outbox_dead_letter')).toBe(0);
  });

  it('sends again what was booked but not answered, and the head office books it once', async () => {
    await rig.start('centre');
    await rig.start('sale', fast);
    const sales = [await sell(), await sell(), await sell()];
    let turn = 0;
    // Every other answer gets lost on its way back.
    const url = await fakeCentre((path, body, method) => {
      if (method !== 'PUT') return { status: 503 };
      turn += 1;
      void rig.ask('centre', 'PUT', path, JSON.parse(body));
      return turn % 2 === 1 ? 'cut' : { status: 200, body: { id: path.split('/')[2] } };
    });
    await rig.start('sync', { ...fast, POS_CENTRE_URL: url });
    await drained();
    await until('the bookings', async () => ((await booked()) === 3 ? true : undefined));
    expect(turn).toBeGreaterThan(3);
    const [first] = sales;
    const other = { ...first, totalMinor: 1 };
    expect((await rig.ask('centre', 'PUT', `/sales/${first?.['id']}`, first))?.status).toBe(200);
    expect((await rig.ask('centre', 'PUT', `/sales/${first?.['id']}`, other))?.status).toBe(409);
  });
});

describe('the price list', () => {
  const file = (): string => join(rig.dir, 'prices.json');
  const add = async (sku: string | undefined): Promise<Json> =>
    (await rig.ask('sale', 'POST', '/basket/items', { sku }))?.json ?? {};
  const inUse = async (): Promise<unknown> => (await rig.ask('sale', 'GET', '/healthz'))?.json;

  it('is fetched once, confirmed by its tag, and fetched anew when it changes', async () => {
    await rig.start('centre');
    await rig.start('sync', fast);
    const version = 'pos_dataset_version_info{dataset="price",version="berlin-1-1"}';
    await until('the list', async () =>
      (await rig.metric('sync', version)) === 1 ? true : undefined,
    );
    const inode = statSync(file()).ino;
    const confirmed = statSync(file()).mtimeMs;
    await until('a confirmation', () => (statSync(file()).mtimeMs > confirmed ? true : undefined));
    // Confirmed, not written again.
    expect(statSync(file()).ino).toBe(inode);
    await rig.ask('centre', 'PUT', '/stores/berlin-1/prices', { revision: 2 });
    await until('the new list', () =>
      readFileSync(file(), 'utf8').includes('"berlin-1-2"') ? true : undefined,
    );
    expect(await rig.metric('sync', 'pos_dataset_age_seconds{dataset="price"}')).toBeLessThan(20);
  });

  it('stays the last good one when the file is broken, also over a restart', async () => {
    const sale = await rig.start('sale', fast);
    expect(await inUse()).toMatchObject({ prices: 'built-in' });
    const list = { version: 'v7', currency: 'EUR', products: [{ ...bread, priceMinor: 4242 }] };
    writeFileSync(file(), JSON.stringify(list));
    expect((await add(bread?.sku))['totalMinor']).toBe(4242);
    for (const broken of ['{"version":"v8","curr', '', '{"version":"v8","products":[]}']) {
      writeFileSync(file(), broken);
      await add(bread?.sku);
      expect(await inUse()).toMatchObject({ prices: 'v7' });
    }
    await rig.kill(sale);
    await rig.start('sale', fast);
    expect(await inUse()).toMatchObject({ prices: 'v7' });
    expect((await add(bread?.sku))['totalMinor']).toBe(5 * 4242);
  });
});
