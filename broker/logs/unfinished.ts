// An answer may end in the middle of a line: it is cancelled, refused, or its terminal gives up. That half line waited for
// its rest before it was looked at (check.ts), and what lies on the disk for weeks has to be looked at. How far was
// looked stays as it was, because the terminal's word may still correct an end that the broker assumed.

import type { Database } from '../fleet/database.ts';
import type { Metrics } from '../metrics.ts';
import type { Log } from '../ports.ts';
import { checkBytes } from './check.ts';
import type { Finish } from './ending.ts';
import type { LogFiles } from './files.ts';
import type { LogRecord } from './model.ts';
import type { LogStore } from './store.ts';

export type UnfinishedOptions = {
  readonly database: Pick<Database, 'afterCommit'>;
  readonly metrics: Pick<Metrics, 'logMissed'>;
  readonly log: Log;
  readonly files: Pick<LogFiles, 'part' | 'replace' | 'sync'>;
  readonly store: Pick<LogStore, 'save'>;
};

const NOTHING = Buffer.alloc(0);

/** Masks what an answer without an end leaves unfinished, and then writes down its end; within a transaction. */
export function finishLooked(options: UnfinishedOptions, finish: Finish): Finish {
  const { database, metrics, log, files, store } = options;

  function look(record: LogRecord): LogRecord {
    const { id, bytes, checked = 0, masked = 0, sha256, what } = record;
    if (what === 'diagnosis' || sha256 !== '' || checked >= bytes) return record;
    const { carried, hits } = checkBytes(files.part(id, checked, bytes), NOTHING, true);
    if (hits === 0) return record;
    files.replace(id, checked, bytes, carried);
    files.sync([id]);
    const looked = { ...record, masked: masked + hits };
    store.save(looked);
    database.afterCommit(() => metrics.logMissed(hits));
    return looked;
  }

  return (record, state, error) => {
    let looked = record;
    try {
      looked = look(record);
    } catch (cause) {
      const reason = (cause as Error).message;
      log.error('the end of an answer is not looked at', { request: record.id, reason });
    }
    finish(looked, state, error);
  };
}
