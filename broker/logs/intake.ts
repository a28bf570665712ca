// Takes the chunks of one commit from the front: looks at them once more (check.ts), writes bytes to their files, one
// flush a file, and one transaction for all. A chunk is acknowledged when its bytes and what they mean are on disk.

import { requestOfEpoch } from '../../protocol/logs.ts';
import type { ChunkVerdict, LogIntake, NewChunk } from '../ports.ts';
import { checkBytes } from './check.ts';
import { type Finish, wishOf } from './ending.ts';
import type { LogFiles } from './files.ts';
import type { LogsOptions } from './logs.ts';
import {
  extend,
  failed,
  heldSeq,
  type Judged,
  judgeChunk,
  type LogRecord,
  progressed,
} from './model.ts';
import type { LogStore } from './store.ts';

const NOT_STORED = 'the broker cannot store it';
const MISSED =
  'card data in lines that a redactor had passed: it misses something, or the agent is too old';

export type IntakeParts = {
  readonly store: Pick<LogStore, 'get' | 'save'>;
  readonly files: LogFiles;
  readonly finish: Finish;
  /** More of it is on disk, or it has ended. */
  readonly tell: (id: string) => void;
};

type Appended = Extract<Judged, { kind: 'append' }>;

/** Writes what is new of a chunk, with everything masked that should not be in it. */
function keepBytes(
  files: LogFiles,
  record: LogRecord,
  { bytes: more, chunk }: Appended,
  now: number,
): LogRecord {
  const { id, bytes } = record;
  const upTo = bytes + more.length;
  const digest = () => files.digest(id, upTo);
  if (record.what === 'diagnosis') {
    files.append(id, bytes, more);
    return extend(record, { kind: 'append', bytes: more, chunk }, digest, now);
  }
  const { checked = 0, masked = 0 } = record;
  const carried = files.part(id, checked, bytes);
  const seen = checkBytes(carried, more, chunk.last);
  if (!Buffer.from(carried).equals(seen.carried)) files.replace(id, checked, bytes, seen.carried);
  files.append(id, bytes, seen.bytes);
  const looked = { ...record, checked: checked + seen.done, masked: masked + seen.hits };
  return extend(looked, { kind: 'append', bytes: seen.bytes, chunk }, digest, now);
}

const missedOf = ({ missed = 0, masked = 0 }: LogRecord): number => missed + masked;

export function createIntake(
  options: LogsOptions,
  { store, files, finish, tell }: IntakeParts,
): LogIntake {
  const { fleet, audit, clock, metrics, log } = options;

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
      return { kind: 'held', upTo: heldSeq(record), isNew: false, ended: record.state !== 'open' };
    }
    if (judged.kind === 'refused') {
      if (judged.ends) records.set(id, failed(record, judged.reason, clock.wallMs()));
      return judged;
    }
    let next: LogRecord;
    try {
      next = keepBytes(files, record, judged, clock.wallMs());
    } catch (cause) {
      files.forget(id);
      next = failed(record, `${NOT_STORED}: ${(cause as Error).message}`, clock.wallMs());
    }
    records.set(id, next);
    if (next.state === 'failed') return { kind: 'refused', reason: next.error };
    return { kind: 'held', upTo: heldSeq(next), isNew: true, ended: next.state !== 'open' };
  }

  /** Once a request; its end says how much it was. */
  function tellMissed(record: LogRecord): void {
    const { terminal, redactor, masked, id: request } = record;
    const entry = { operator: 'broker', action: 'logs.missed', subject: terminal };
    const detail = { ...wishOf(record), redactor, masked };
    audit.write({ ...entry, reason: MISSED, outcome: 'masked', detail });
    fleet.database.afterCommit(() => log.error(MISSED, { request, terminal, redactor, masked }));
  }

  function keep(record: LogRecord): void {
    const before = store.get(record.id) ?? record;
    const bytes = record.bytes - before.bytes;
    const missed = missedOf(record) - missedOf(before);
    store.save(record);
    if ((record.masked ?? 0) > 0 && (before.masked ?? 0) === 0) tellMissed(record);
    if (record.state !== 'open') finish(record);
    fleet.database.afterCommit(() => {
      metrics.logBytes(bytes);
      if (missed > 0) metrics.logMissed(missed);
      tell(record.id);
    });
  }

  function save(records: ReadonlyMap<string, LogRecord>): boolean {
    try {
      files.sync(records.keys());
    } catch (cause) {
      log.error('received logs are not on disk', { reason: (cause as Error).message });
      return false;
    }
    const saved = fleet.database.transact(() => {
      for (const record of records.values()) keep(record);
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
