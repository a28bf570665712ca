// The way back from memory to the disk: an outbox that could not be written when the agent began (a read-only file
// system, a file that an ending agent still held) goes home as soon as it can. Only what was never sealed moves:
// a sealed batch carries the epoch of the memory, so whoever calls waits until all of those are acknowledged.

import { accessSync, constants } from 'node:fs';
import { dirname } from 'node:path';
import { type Opened, type OpenOptions, type Outcome, openStore, type Store } from './store.ts';

const COLUMNS = {
  sample: 'time_ms, until_ms, snapshots, samples, mono, encoding, crc, body',
  event: 'kind, mono, crc, body',
  result: 'crc, body',
  span: 'time_ms, until_ms, spans, mono, encoding, crc, body',
  dead_letter: 'stream, seq, reason, time_ms, bytes',
} as const;

/** The store on disk, if it can be written now. Cheap while it cannot; then it is opened and checked once. */
export function findHome(options: OpenOptions): Opened | undefined {
  try {
    accessSync(dirname(options.path), constants.W_OK);
  } catch {
    return undefined;
  }
  const nothing = (): void => undefined;
  const log = { info: nothing, warn: nothing, error: nothing };
  const opened = openStore({ ...options, log, busyMsMax: 0 });
  if (opened.store.durable) return opened;
  opened.store.close();
  return undefined;
}

/** Everything unsealed, in its order, behind what is there. All or nothing. */
export const moveHome = (from: Store, to: Store): Outcome<void> =>
  to.transact(() => {
    for (const [table, columns] of Object.entries(COLUMNS)) {
      const names = columns.split(', ');
      const places = names.map(() => '?').join(', ');
      const insert = to.sql(`insert into ${table} (${columns}) values (${places})`);
      for (const row of from.sql(`select ${columns} from ${table} order by id`).iterate()) {
        insert.run(...names.map((name) => row[name] ?? null));
      }
    }
  });
