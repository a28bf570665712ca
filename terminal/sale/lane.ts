// The lane at work: asks the rules (basket.ts), writes to the journal, then acts. The order is always
// the same - decide, commit, act - so that a kill at any point leaves something to go on from. A card
// payment is asked for under a service id that is already on disk; after a restart that id is asked about
// before anything else happens, and money is never asked for twice (research/pos.md 6).

import { randomUUID } from 'node:crypto';
import type { Channel, WorkItem } from '../../agent/channel/client.ts';
import { isDiskTrouble } from '../shared/database.ts';
import type { Log } from '../shared/log.ts';
import { DISK_PAUSE_MS, sleep } from '../shared/loops.ts';
import { saying } from '../shared/result.ts';
import type { Authoriser } from './authoriser.ts';
import {
  type Basket,
  done,
  mayAdd,
  mayComplete,
  mayTender,
  mayVoid,
  type Outcome,
  refuse,
  settled,
  type Tender,
  type TenderRequest,
} from './basket.ts';
import type { Journal } from './journal.ts';
import type { Prices } from './prices.ts';
import type { Sale, Sales } from './sales.ts';
import type { SaleTraces } from './tracing.ts';

/** A sale in progress holds off planned restarts at most this long (design.md, Recovery ladder). */
export const BUSY_CEILING_MS = 180_000;
const POLL_MS = 25;
const TOUCH_MS = 1_000;
/** A tender that is neither asked about nor answered for this long is stuck. */
const TENDER_DEADLINE_MS = 10_000;
const COMPLETE_DEADLINE_MS = 5_000;
/** After this the cashier gets an answer although the payment has none; it goes on being asked. */
const ANSWER_MS_MAX = 30_000;

const STILL_RESOLVING = 'A payment from before the restart is being cleared up: try again shortly.';

export type Item = {
  readonly id?: string | undefined;
  readonly sku: string;
  readonly quantity: number;
};
type Parts = {
  readonly journal: Journal;
  readonly sales: Sales;
  readonly prices: Prices;
  readonly authoriser: Authoriser;
  readonly channel: Channel;
  readonly log: Log;
  readonly version: string;
  readonly now: () => number;
  readonly onCompleted: () => void;
  readonly traces?: SaleTraces;
};

export class Lane {
  readonly #parts: Parts;
  readonly #ending = new AbortController();
  #resolving = true;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** First of all after a start: clears up what was in doubt when the last process ended. */
  async resolve(): Promise<void> {
    const { journal, channel, log } = this.#parts;
    this.#busy(this.basket());
    for (const tender of journal.tendersInDoubt()) {
      log.warn('a tender is in doubt: asking the payment', { serviceId: tender.serviceId });
      const basket = this.basket();
      if (tender.state === 'reversing' && basket) this.#reverse(tender, basket);
      else await this.#settle(tender, channel.begin('tender', TENDER_DEADLINE_MS));
    }
    this.#resolving = false;
  }

  resolving(): boolean {
    return this.#resolving;
  }

  basket(): Basket | undefined {
    return this.#parts.journal.live();
  }

  inDoubt(): number {
    return this.#parts.journal.tendersInDoubt().length;
  }

  addItem(item: Item): Outcome<Basket> {
    const { journal, log, prices, now, traces } = this.#parts;
    const startMs = now();
    if (this.#resolving) return refuse('unavailable', STILL_RESOLVING);
    const clientId = item.id ?? '';
    const earlier = clientId === '' ? undefined : journal.basketOfLine(clientId);
    if (earlier) {
      const line = earlier.lines.find((one) => one.clientId === clientId);
      if (line?.sku === item.sku && line.quantity === item.quantity) return done(earlier);
      return refuse('conflict', `id: ${clientId} names another line already.`);
    }
    const before = this.basket();
    const may = mayAdd(before);
    if (!may.ok) return may;
    const priceFromMs = now();
    const product = prices.find(item.sku);
    const priceUntilMs = now();
    if (product === undefined) {
      const reason = `sku: ${item.sku} is not in price list ${prices.version()}.`;
      // Anything may be typed here, a card number too: whoever collects logs masks them.
      log.warn('item refused', { reason });
      return refuse('invalid', reason);
    }
    const { sku, name, priceMinor } = product;
    const line = { clientId, sku, name, quantity: item.quantity, unitMinor: priceMinor };
    journal.addLine(line, now());
    const after = this.basket();
    if (after === undefined) throw new Error('a line was written and no basket is open');
    if (before === undefined) this.#busy(after);
    const lines = after.lines.length;
    traces?.scanned(after.id, { startMs, priceFromMs, priceUntilMs, lines });
    return done(after);
  }

  async tender(request: TenderRequest): Promise<Outcome<Basket>> {
    if (this.#resolving) return refuse('unavailable', STILL_RESOLVING);
    const may = mayTender(this.basket(), request);
    if (!may.ok) return may;
    const { how, basket } = may.value;
    if (how === 'repeat') return done(basket);
    const { kind, amountMinor } = request;
    const serviceId = randomUUID();
    const common = { serviceId, basket: basket.id, kind, amountMinor, token: '' };
    const step = this.#parts.traces?.begin(basket.id, 'tender', { 'tillwatch.tender': kind });
    try {
      const paid =
        kind === 'card'
          ? await this.#payCard(basket, { ...common, state: 'intent' })
          : this.#payCash(basket, { ...common, state: 'authorised' });
      step?.end(paid.ok ? undefined : paid.reason);
      return paid;
    } catch (error) {
      step?.end(saying(error));
      throw error;
    }
  }

  /** @param basketId makes a retry after a lost answer harmless: a completed one answers its sale. */
  complete(basketId: string | undefined): Outcome<Sale> {
    const { sales, channel, log, now, onCompleted, traces } = this.#parts;
    if (this.#resolving) return refuse('unavailable', STILL_RESOLVING);
    const earlier = basketId === undefined ? undefined : sales.ofBasket(basketId);
    if (earlier) return done(earlier);
    const may = mayComplete(this.basket());
    if (!may.ok) return may;
    const basket = may.value;
    if (basketId !== undefined && basketId !== basket.id) {
      return refuse('conflict', `basket: the open basket is ${basket.id}.`);
    }
    const work = channel.begin('complete', COMPLETE_DEADLINE_MS);
    const step = traces?.begin(basket.id, 'complete');
    let completed = false;
    try {
      const sale = sales.complete(basket, randomUUID(), now());
      completed = true;
      channel.idle(basket.id);
      traces?.completed(basket.id, sale.id);
      log.info('sale', { sale: sale.id, sequence: sale.sequence, totalMinor: sale.totalMinor });
      onCompleted();
      return done(sale);
    } finally {
      work.end(completed);
      step?.end(completed ? undefined : 'the sale could not be written down');
    }
  }

  voidBasket(): Outcome<{ id: string }> {
    const { journal, channel, version, now } = this.#parts;
    if (this.#resolving) return refuse('unavailable', STILL_RESOLVING);
    const may = mayVoid(this.basket());
    if (!may.ok) return may;
    const basket = may.value;
    if (basket.tender) {
      journal.beginReversal(basket.tender);
      this.#reverse(basket.tender, basket);
    } else {
      journal.voidBasket(basket, version, now());
      channel.idle(basket.id);
    }
    this.#parts.traces?.ended(basket.id, 'voided');
    return done({ id: basket.id });
  }

  close(): void {
    this.#ending.abort();
  }

  #busy(basket: Basket | undefined): void {
    const { channel } = this.#parts;
    if (basket) channel.busy(basket.id, 'a sale is in progress', BUSY_CEILING_MS);
  }

  #payCash(basket: Basket, tender: Tender): Outcome<Basket> {
    this.#parts.journal.payCash(tender, this.#parts.now());
    return done(this.basket() ?? basket);
  }

  async #payCard(basket: Basket, tender: Tender): Promise<Outcome<Basket>> {
    const { journal, authoriser, channel, log, now } = this.#parts;
    journal.beginTender(tender, now());
    // Before the payment is asked: whoever would kill us must know that money moves.
    const work = channel.begin('tender', TENDER_DEADLINE_MS);
    try {
      authoriser.authorise(tender.serviceId, tender.amountMinor, basket.id);
    } catch (error) {
      // Not asked, or asked and not heard: the status alone says which.
      log.error('the payment could not be asked', { reason: saying(error) });
    }
    await Promise.race([this.#settle(tender, work), sleep(ANSWER_MS_MAX, this.#ending.signal)]);
    const after = this.basket() ?? basket;
    if (after.state === 'paid') return done(after);
    if (after.state === 'tendering') {
      return refuse('unavailable', 'The payment has no outcome yet; ask for the basket again.');
    }
    return refuse('declined', 'The payment was not authorised; the basket is open again.');
  }

  /** Asks until the payment knows, and writes it down. Ends early only when the lane closes. */
  async #settle(tender: Tender, work: WorkItem): Promise<void> {
    const { log } = this.#parts;
    let touchedMs = performance.now();
    let pauseMs = POLL_MS;
    do {
      try {
        const state = this.#settleOnce(tender);
        if (state !== 'wait') return work.end(state === 'authorised');
        pauseMs = POLL_MS;
      } catch (error) {
        if (!isDiskTrouble(error)) throw error;
        // The outcome is known there and not written here: it stays in doubt and is asked again.
        log.error('the disk fails', { reason: saying(error) });
        pauseMs = DISK_PAUSE_MS;
      }
      if (performance.now() - touchedMs > TOUCH_MS) {
        touchedMs = performance.now();
        work.touch();
      }
    } while (await sleep(pauseMs, this.#ending.signal));
    work.end(false);
  }

  #settleOnce(tender: Tender): ReturnType<typeof settled> {
    const { journal, authoriser, log } = this.#parts;
    const status = authoriser.status(tender.serviceId);
    const state = settled(status);
    if (state === 'wait') return state;
    journal.settleTender(tender, state, status.kind === 'approved' ? status.token : '');
    log.info('tender', { serviceId: tender.serviceId, basket: tender.basket, state });
    return state;
  }

  #reverse(tender: Tender, basket: Basket): void {
    const { journal, authoriser, channel, log, version, now } = this.#parts;
    if (tender.kind === 'card') authoriser.reverse(tender.serviceId);
    journal.voidBasket({ ...basket, tender }, version, now());
    channel.idle(basket.id);
    log.info('payment reversed', { serviceId: tender.serviceId, basket: basket.id });
  }
}
