// Completed sales in the sale's file: written once with a random id and a sequence number that is never
// given twice (AUTOINCREMENT, so not even after the newest rows were purged), read by sync oldest first, marked when the
// head office confirmed them, purged long after. The receipt is written in the same transaction: no
// paper without a record and no record that forgets its paper.

import { type Database, num, type Row, text } from '../shared/database.ts';
import { CURRENCY } from '../shared/products.ts';
import { type Basket, changeMinor, type TenderKind, totalMinor } from './basket.ts';
import { countResult } from './journal.ts';
import { receiptText } from './receipt-text.ts';

export type Sale = {
  readonly id: string;
  readonly sequence: number;
  /** Changes when the file was lost and numbering began anew; with it a number stays unique. */
  readonly generation: number;
  readonly store: string;
  readonly terminal: string;
  readonly basket: string;
  readonly completedMs: number;
  readonly currency: string;
  readonly lines: readonly {
    readonly sku: string;
    readonly name: string;
    readonly quantity: number;
    readonly unitMinor: number;
  }[];
  readonly totalMinor: number;
  readonly tender: {
    readonly kind: TenderKind;
    readonly amountMinor: number;
    readonly changeMinor: number;
    readonly token: string;
  };
  readonly version: string;
};
export type Page = {
  readonly sales: readonly Sale[];
  /** All that the head office has not confirmed. */
  readonly pending: number;
};
export type Receipt = {
  readonly sale: string;
  readonly text: string;
  readonly state: 'pending' | 'sent';
  readonly untilMs: number;
};
export type ReceiptState = Receipt['state'] | 'printed' | 'failed' | 'unknown';
export type Place = { readonly store: string; readonly terminal: string; readonly version: string };

export const PAGE_MAX = 50;
/** A receipt that is older than this belongs to a customer who has left. */
export const RECEIPT_LIFE_MS = 120_000;
const KEEP_CONFIRMED_MS = 7 * 24 * 3_600_000;
/** Versions whose counters are still shown: each is a series, and the budget is 25. */
const VERSIONS_SHOWN = 3;

export class Sales {
  readonly #db: Database;
  readonly #place: Place;
  readonly #generation: number;

  constructor(db: Database, place: Place, nowMs: number) {
    this.#db = db;
    this.#place = place;
    db.run("INSERT INTO meta VALUES ('generation', ?) ON CONFLICT DO NOTHING", nowMs);
    this.#generation = num(db.get("SELECT value FROM meta WHERE key = 'generation'")?.['value']);
  }

  /** The sale is on disk, with its receipt waiting, when this returns. */
  complete(basket: Basket, saleId: string, atMs: number): Sale {
    const db = this.#db;
    return db.transaction(() => {
      const empty = "INSERT INTO sales (id, basket, completed_ms, body) VALUES (?, ?, ?, '')";
      db.run(empty, saleId, basket.id, atMs);
      const sequence = num(db.get('SELECT sequence FROM sales WHERE id = ?', saleId)?.['sequence']);
      const sale = toSale(basket, saleId, sequence, this.#generation, this.#place, atMs);
      db.run('UPDATE sales SET body = ? WHERE id = ?', JSON.stringify(sale), saleId);
      db.run("UPDATE baskets SET state = 'completed' WHERE id = ?", basket.id);
      const waiting = "INSERT INTO receipts VALUES (?, ?, 'pending', ?)";
      db.run(waiting, saleId, receiptText(sale), atMs + RECEIPT_LIFE_MS);
      countResult(db, 'completed', this.#place.version, atMs);
      return sale;
    });
  }

  ofBasket(basket: string): Sale | undefined {
    const row = this.#db.get('SELECT body FROM sales WHERE basket = ?', basket);
    return row && parse(row);
  }

  unconfirmed(after: number, limit: number): Page {
    const open = 'FROM sales WHERE acked_ms IS NULL';
    const sql = `SELECT body ${open} AND sequence > ? ORDER BY sequence LIMIT ?`;
    const pending = num(this.#db.get(`SELECT count(*) AS n ${open}`)?.['n']);
    return { sales: this.#db.all(sql, after, limit).map(parse), pending };
  }

  /** @returns how many became confirmed by this; unknown and known ids are no error. */
  confirm(ids: readonly string[], atMs: number): number {
    const sql = 'UPDATE sales SET acked_ms = ? WHERE id = ? AND acked_ms IS NULL';
    return this.#db.transaction(() =>
      ids.reduce((sum, id) => sum + this.#db.run(sql, atMs, id).changes, 0),
    );
  }

  /** Removes what the head office has had for long, except the newest sale. */
  purge(atMs: number): number {
    const old = atMs - KEEP_CONFIRMED_MS;
    return this.#db.transaction(() => {
      const { changes } = this.#db.run(
        `DELETE FROM sales WHERE acked_ms < ? AND sequence < (SELECT max(sequence) FROM sales)`,
        old,
      );
      this.#db.run('DELETE FROM receipts WHERE until_ms < ?', old);
      this.#db.run(
        `DELETE FROM baskets WHERE opened_ms < ? AND (state = 'voided' OR
           (state = 'completed' AND id NOT IN (SELECT basket FROM sales)))`,
        old,
      );
      return changes;
    });
  }

  lastCompletedMs(): number {
    const sql = 'SELECT completed_ms FROM sales ORDER BY sequence DESC LIMIT 1';
    return num(this.#db.get(sql)?.['completed_ms']);
  }

  /** Transactions by result and version, of the newest few versions. */
  counts(): { labels: { result: string; version: string }; value: number }[] {
    const rows = this.#db.all(
      `SELECT result, version, count FROM counters WHERE version IN
         (SELECT version FROM counters GROUP BY version ORDER BY max(last_ms) DESC LIMIT ?)`,
      VERSIONS_SHOWN,
    );
    return rows.map((row) => ({
      labels: { result: text(row['result']), version: text(row['version']) },
      value: num(row['count']),
    }));
  }

  nextReceipt(): Receipt | undefined {
    const row = this.#db.get(
      `SELECT * FROM receipts WHERE state IN ('pending', 'sent') ORDER BY until_ms LIMIT 1`,
    );
    if (row === undefined) return undefined;
    return {
      sale: text(row['sale']),
      text: text(row['text']),
      state: text(row['state']) as Receipt['state'],
      untilMs: num(row['until_ms']),
    };
  }

  setReceipt(sale: string, state: ReceiptState): void {
    this.#db.run('UPDATE receipts SET state = ? WHERE sale = ?', state, sale);
  }

  receiptsPending(): number {
    const sql = "SELECT count(*) AS n FROM receipts WHERE state IN ('pending', 'sent')";
    return num(this.#db.get(sql)?.['n']);
  }
}

const parse = (row: Row): Sale => JSON.parse(text(row['body'])) as Sale;

function toSale(
  basket: Basket,
  id: string,
  sequence: number,
  generation: number,
  place: Place,
  completedMs: number,
): Sale {
  const { store, terminal, version } = place;
  const { tender } = basket;
  if (tender === undefined) throw new Error('a sale without a payment cannot be completed');
  return {
    id,
    sequence,
    generation,
    store,
    terminal,
    basket: basket.id,
    completedMs,
    currency: CURRENCY,
    lines: basket.lines.map(({ sku, name, quantity, unitMinor }) => ({
      sku,
      name,
      quantity,
      unitMinor,
    })),
    totalMinor: totalMinor(basket),
    tender: {
      kind: tender.kind,
      amountMinor: tender.amountMinor,
      changeMinor: changeMinor(basket),
      token: tender.token,
    },
    version,
  };
}
