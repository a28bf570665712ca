// Takes the chunks of one commit from the front: bytes to their files, one flush a file, one transaction for all. A chunk
// is acknowledged when its bytes and what they mean are on disk.

import { requestOfEpoch } from '../../protocol/logs.ts';
import type { ChunkVerdict, LogIntake, NewChunk } from '../ports.ts';
import type { Finish } from './ending.ts';
import type { LogFiles } from './files.ts';
import type { LogsOptions } from './logs.ts';
import { extend, failed, heldSeq, judgeChunk, type LogRecord, progressed } from './model.ts';
import type { LogStore } from './store.ts';

const NOT_STORED = 'the broker cannot store it';

export type IntakeParts = {
  readonly store: Pick<LogStore, 'get' | 'save'>;
  readonly files: LogFiles;
  readonly finish: Finish;
  /** More of it is on disk, or it has ended. */
  readonly tell: (id: string) => void;
};

export function createIntake(
  options: LogsOptions,
  { store, files, finish, tell }: IntakeParts,
): LogIntake {
  const { fleet, clock, metrics, log } = options;

  function judge(records: Map<string, LogRecord>, { terminal, batch }: NewChunk): ChunkVerdict {
    const id = requestOfEpoch(batch.epoch);
    const record = records.get(id) ?? store.get(id);
    const judged = judgeChunk(record, terminal, batch);
    if (record === undefined || judged.kind === 'ahead') {
      return judged.kind === 'refused' ? judged : { kind: 'failed' };
    }
    if (judged.kind === 'held') {
      const told = judged.chunk === undefined ? record : progressed(record, judged.chunk);
      if (told !== record) records.set(id, told);
      return { kind: 'held', upTo: heldSeq(record), isNew: false };
    }
    if (judged.kind === 'refused') {
      if (judged.ends) records.set(id, failed(record, judged.reason, clock.wallMs()));
      return judged;
    }
    let next: LogRecord;
    try {
      files.append(id, record.bytes, judged.bytes);
      const upTo = record.bytes + judged.bytes.length;
      next = extend(record, judged, () => files.digest(id, upTo), clock.wallMs());
    } catch (cause) {
      files.forget(id);
      next = failed(record, `${NOT_STORED}: ${(cause as Error).message}`, clock.wallMs());
    }
    records.set(id, next);
    if (next.state === 'failed') return { kind: 'refused', reason: next.error };
    return { kind: 'held', upTo: heldSeq(next), isNew: true };
  }

  function save(records: ReadonlyMap<string, LogRecord>): boolean {
    try {
      files.sync(records.keys());
    } catch (cause) {
      log.error('received logs are not on disk', { reason: (cause as Error).message });
      return false;
    }
    const saved = fleet.database.transact(() => {
      for (const record of records.values()) {
        const bytes = record.bytes - (store.get(record.id)?.bytes ?? 0);
        store.save(record);
        fleet.database.afterCommit(() => {
          metrics.logBytes(bytes);
          tell(record.id);
        });
        if (record.state !== 'open') finish(record);
      }
    });
    if (!saved.ok) log.error('received logs are not in the registry', { reason: saved.reason });
    return saved.ok;
  }

  return {
    take: (chunks) => {
      const records = new Map<string, LogRecord>();
      const verdicts = chunks.map((chunk) => judge(records, chunk));
      if (records.size === 0 || save(records)) return verdicts;
      // Nothing of this counts: the next chunk cuts it off, and the terminal sends it again.
      for (const id of records.keys()) files.forget(id);
      return chunks.map(() => ({ kind: 'failed' }));
    },
  };
}
