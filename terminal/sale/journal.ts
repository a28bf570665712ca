// The sale's file on disk: the open basket line by line, tenders with their intent, completed sales,
// receipts and counters. Every function is one committed transaction, so that kill -9 between any two
// leaves a state from which the sale goes on. What must never be is kept impossible by the schema itself:
// two open baskets, two payments of one basket, two sales of one basket, a sequence number used twice.

import { randomUUID } from 'node:crypto';
import { type Database, num, type Row, text } from '../shared/database.ts';
import type { Basket, BasketState, Line, Tender, TenderKind, TenderState } from './basket.ts';

export const SCHEMA = `
  CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS baskets (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('open', 'tendering', 'paid', 'completed', 'voided')),
    opened_ms INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX IF NOT EXISTS one_live_basket ON baskets ((1))
    WHERE state IN ('open', 'tendering', 'paid');
  CREATE TABLE IF NOT EXISTS lines (
    basket TEXT NOT NULL REFERENCES baskets (id) ON DELETE CASCADE,
    line INTEGER NOT NULL,
    client_id TEXT UNIQUE,
    sku TEXT NOT NULL,
    name TEXT NOT NULL,
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    unit_minor INTEGER NOT NULL CHECK (unit_minor >= 0),
    PRIMARY KEY (basket, line)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS tenders (
    service_id TEXT PRIMARY KEY,
    basket TEXT NOT NULL REFERENCES baskets (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('cash', 'card')),
    amount_minor INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN
      ('intent', 'authorised', 'declined', 'abandoned', 'reversing', 'reversed')),
    token TEXT NOT NULL,
    begun_ms INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX IF NOT EXISTS one_tender_of_a_basket ON tenders (basket)
    WHERE state IN ('intent', 'authorised', 'reversing');
  CREATE TABLE IF NOT EXISTS sales (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    basket TEXT NOT NULL UNIQUE,
    completed_ms INTEGER NOT NULL,
    acked_ms INTEGER,
    body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS unconfirmed ON sales (sequence) WHERE acked_ms IS NULL;
  CREATE TABLE IF NOT EXISTS receipts (
    sale TEXT PRIMARY KEY,
    text TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'sent', 'printed', 'failed', 'unknown')),
    until_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS unprinted ON receipts (until_ms) WHERE state IN ('pending', 'sent');
  CREATE TABLE IF NOT EXISTS counters (
    result TEXT NOT NULL, version TEXT NOT NULL, count INTEGER NOT NULL, last_ms INTEGER NOT NULL,
    PRIMARY KEY (result, version)
  ) STRICT`;

const LIVE = "('open', 'tendering', 'paid')";

const readLine = (row: Row): Line => ({
  line: num(row['line']),
  clientId: text(row['client_id']),
  sku: text(row['sku']),
  name: text(row['name']),
  quantity: num(row['quantity']),
  unitMinor: num(row['unit_minor']),
});
const readTender = (row: Row): Tender => ({
  serviceId: text(row['service_id']),
  basket: text(row['basket']),
  kind: text(row['kind']) as TenderKind,
  amountMinor: num(row['amount_minor']),
  state: text(row['state']) as TenderState,
  token: text(row['token']),
});

export type NewLine = Omit<Line, 'line'>;

export class Journal {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** The one basket that is not finished, if there is one. */
  live(): Basket | undefined {
    const row = this.#db.get(`SELECT * FROM baskets WHERE state IN ${LIVE}`);
    return row === undefined ? undefined : this.#readBasket(row);
  }

  /** The basket in which a client's line id was used, live or finished. */
  basketOfLine(clientId: string): Basket | undefined {
    const row = this.#db.get(
      'SELECT * FROM baskets WHERE id = (SELECT basket FROM lines WHERE client_id = ?)',
      clientId,
    );
    return row === undefined ? undefined : this.#readBasket(row);
  }

  /** Adds a line to the live basket, or to a new one. */
  addLine(line: NewLine, nowMs: number): void {
    const db = this.#db;
    db.transaction(() => {
      let id = text(db.get(`SELECT id FROM baskets WHERE state IN ${LIVE}`)?.['id']);
      if (id === '') {
        id = randomUUID();
        db.run('INSERT INTO baskets VALUES (?, ?, ?)', id, 'open', nowMs);
      }
      db.run(
        `INSERT INTO lines SELECT ?, coalesce(max(line), 0) + 1, ?, ?, ?, ?, ?
           FROM lines WHERE basket = ?`,
        id,
        line.clientId === '' ? null : line.clientId,
        line.sku,
        line.name,
        line.quantity,
        line.unitMinor,
        id,
      );
    });
  }

  /** Written before the payment is asked: from now on its outcome is in doubt. */
  beginTender(tender: Tender, nowMs: number): void {
    this.#db.transaction(() => {
      this.#insertTender(tender, nowMs);
      this.#setBasket(tender.basket, 'tendering');
    });
  }

  /** Cash is in the drawer when the cashier says so: never in doubt, hence one transaction. */
  payCash(tender: Tender, nowMs: number): void {
    this.#db.transaction(() => {
      this.#insertTender(tender, nowMs);
      this.#setBasket(tender.basket, 'paid');
    });
  }

  settleTender(tender: Tender, state: TenderState, token: string): void {
    this.#db.transaction(() => {
      this.#setTender(tender.serviceId, state, token);
      this.#setBasket(tender.basket, state === 'authorised' ? 'paid' : 'open');
    });
  }

  /** Written before the money is given back. */
  beginReversal(tender: Tender): void {
    this.#db.transaction(() => {
      this.#setTender(tender.serviceId, 'reversing', tender.token);
      this.#setBasket(tender.basket, 'tendering');
    });
  }

  voidBasket(basket: Basket, version: string, nowMs: number): void {
    const { id, tender } = basket;
    this.#db.transaction(() => {
      if (tender) this.#setTender(tender.serviceId, 'reversed', tender.token);
      this.#setBasket(id, 'voided');
      countResult(this.#db, 'voided', version, nowMs);
    });
  }

  tendersInDoubt(): Tender[] {
    const rows = this.#db.all("SELECT * FROM tenders WHERE state IN ('intent', 'reversing')");
    return rows.map(readTender);
  }

  #setBasket(id: string, state: BasketState): void {
    this.#db.run('UPDATE baskets SET state = ? WHERE id = ?', state, id);
  }

  #setTender(serviceId: string, state: TenderState, token: string): void {
    const sql = 'UPDATE tenders SET state = ?, token = ? WHERE service_id = ?';
    this.#db.run(sql, state, token, serviceId);
  }

  #insertTender(tender: Tender, nowMs: number): void {
    const { serviceId, basket, kind, amountMinor, state, token } = tender;
    const sql = 'INSERT INTO tenders VALUES (?, ?, ?, ?, ?, ?, ?)';
    this.#db.run(sql, serviceId, basket, kind, amountMinor, state, token, nowMs);
  }

  #readBasket(row: Row): Basket {
    const id = text(row['id']);
    const tender = this.#db.get(
      `SELECT * FROM tenders WHERE basket = ? AND state IN ('intent', 'authorised', 'reversing')`,
      id,
    );
    return {
      id,
      state: text(row['state']) as BasketState,
      openedMs: num(row['opened_ms']),
      lines: this.#db.all('SELECT * FROM lines WHERE basket = ? ORDER BY line', id).map(readLine),
      ...(tender ? { tender: readTender(tender) } : {}),
    };
  }
}

/** To be called inside a transaction, with the change that it counts. */
export function countResult(db: Database, result: string, version: string, nowMs: number): void {
  db.run(
    `INSERT INTO counters VALUES (?, ?, 1, ?)
       ON CONFLICT (result, version) DO UPDATE SET count = count + 1, last_ms = excluded.last_ms`,
    result,
    version,
    nowMs,
  );
}
