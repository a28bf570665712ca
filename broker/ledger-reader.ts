// Reads the ledger: over the connection of whoever writes it, or, for sinks and history in threads of
// their own, over one that can only read. WAL lets readers go on while the broker commits.

import { DatabaseSync } from 'node:sqlite';
import type { Stream } from '../protocol/wire.ts';

/** One read hands out at most this many bytes of bodies, whatever its row limit is. */
export const READ_BYTES_MAX = 4 * 1024 * 1024;

export type LedgerRow = {
  readonly id: number;
  readonly terminal: string;
  /** 32 hexadecimal digits. */
  readonly epoch: string;
  readonly stream: Stream;
  readonly seq: number;
  readonly receivedMs: number;
  /** The encoded `Batch`. */
  readonly bytes: Uint8Array;
};

export type LedgerReader = {
  /** Rows after `id` in order: at most `limit`, and at most READ_BYTES_MAX but for the first. */
  readonly readAfter: (id: number, limit: number) => LedgerRow[];
  /** 0 when there is none. */
  readonly newestId: () => number;
  readonly close: () => void;
};

/** @throws Error when the file cannot be read. */
export function openLedgerReader(path: string): LedgerReader {
  const db = new DatabaseSync(path, { readOnly: true, timeout: 2_000 });
  const newest = db.prepare('SELECT max(id) AS id FROM batch');
  return {
    readAfter: openReader(db),
    newestId: () => Number(newest.get()?.['id'] ?? 0),
    close: () => db.close(),
  };
}

/** @returns a function that reads rows after an id, in order, over an open connection. */
export function openReader(db: DatabaseSync): (id: number, limit: number) => LedgerRow[] {
  const select = db.prepare(
    `SELECT batch.id, terminal, epoch, stream, seq, received_ms AS receivedMs, body
     FROM batch JOIN lane ON lane.id = batch.lane WHERE batch.id > ? ORDER BY batch.id LIMIT ?`,
  );
  return (id, limit) => {
    const rows: LedgerRow[] = [];
    let size = 0;
    for (const raw of select.iterate(id, limit)) {
      const { body, ...rest } = raw as Omit<LedgerRow, 'bytes'> & { body: Uint8Array };
      size += body.length;
      if (rows.length > 0 && size > READ_BYTES_MAX) break;
      rows.push({ ...rest, bytes: body });
    }
    return rows;
  };
}
