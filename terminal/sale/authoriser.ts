// A stand-in for the payment service behind a card terminal: slow, remembers every request by its
// service id, and goes on deciding while the till is dead. Its state is a database of its own, because
// in a real shop it is another machine: asked after a crash for a service id it says processed, in progress
// or not found (research/pos.md 6), and asking it twice for one service id charges once.

import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { num, openDatabase, text } from '../shared/database.ts';
import type { Log } from '../shared/log.ts';
import type { PaymentStatus } from './basket.ts';

export type Authoriser = {
  /** The same service id again changes nothing. */
  readonly authorise: (serviceId: string, amountMinor: number, reference: string) => void;
  readonly status: (serviceId: string) => PaymentStatus;
  /** Gives the money back; again changes nothing. */
  readonly reverse: (serviceId: string) => void;
  readonly close: () => void;
};

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS authorisations (
    service_id TEXT PRIMARY KEY,
    reference TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    asked_ms INTEGER NOT NULL,
    decided_ms INTEGER NOT NULL,
    approved INTEGER NOT NULL,
    reversed INTEGER NOT NULL DEFAULT 0,
    token TEXT NOT NULL
  ) STRICT`;

export function openAuthoriser(options: {
  readonly dataDir: string;
  readonly delayMs: number;
  /** A card pays at most this much; more is declined. */
  readonly amountMinorMax: number;
  readonly now: () => number;
  readonly log: Log;
}): Authoriser {
  const { dataDir, delayMs, amountMinorMax, now, log } = options;
  const path = join(dataDir, 'authoriser.db');
  const db = openDatabase({ path, schema: SCHEMA, log, nowMs: now() });
  return {
    authorise: (serviceId, amountMinor, reference) => {
      db.run(
        `INSERT INTO authorisations
           (service_id, reference, amount_minor, asked_ms, decided_ms, approved, token)
         VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (service_id) DO NOTHING`,
        serviceId,
        reference,
        amountMinor,
        now(),
        now() + delayMs,
        amountMinor <= amountMinorMax ? 1 : 0,
        `tok_${randomUUID()}`,
      );
    },
    status: (serviceId) => {
      const row = db.get('SELECT * FROM authorisations WHERE service_id = ?', serviceId);
      if (row === undefined) return { kind: 'not_found' };
      if (num(row['reversed']) === 1) return { kind: 'reversed' };
      // Clocks on tills jump: a decision further away than the delay allows has long been made.
      const leftMs = num(row['decided_ms']) - now();
      if (leftMs > 0 && leftMs <= delayMs) return { kind: 'processing' };
      if (num(row['approved']) === 0) return { kind: 'declined' };
      return { kind: 'approved', token: text(row['token']) };
    },
    reverse: (serviceId) => {
      db.run('UPDATE authorisations SET reversed = 1 WHERE service_id = ?', serviceId);
    },
    close: () => db.close(),
  };
}
