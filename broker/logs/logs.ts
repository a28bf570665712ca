// Requests for logs at work: takes one from an operator (asking.ts), takes the chunks of its answer from the
// front, and keeps both with an end to how much. A chunk is acknowledged when its
// bytes and what they mean are on disk; who asked for which lines, why, and what came, is in the audit log.

import { requestOfEpoch } from '../../protocol/logs.ts';
import type { Audit } from '../audit.ts';
import type { Clock } from '../clock.ts';
import type { Commands, Refusal } from '../commands/commands.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Metrics } from '../metrics.ts';
import type { ChunkVerdict, Log, LogIntake, NewChunk } from '../ports.ts';
import { type Asked, createAsking, type DiagnosisAsk, type LogAsk } from './asking.ts';
import { type LogFiles, openLogFiles } from './files.ts';
import { extend, failed, heldSeq, judgeChunk, type LogRecord, REQUESTS_KEPT_MAX } from './model.ts';
import { type LogStore, openLogStore } from './store.ts';
import { type LogView, viewOf } from './view.ts';

const LISTED_MAX = 100;

export type Logs = LogIntake & {
  readonly create: (ask: LogAsk) => Asked | Refusal;
  readonly diagnose: (ask: DiagnosisAsk) => Asked | Refusal;
  readonly get: (id: string) => LogView | undefined;
  /** Newest first. */
  readonly list: () => readonly LogView[];
  /** What has arrived, from a byte on; undefined when nothing lies there. */
  readonly read: LogFiles['read'];
  /**
   * Deletes the lines of one answer that ended before then, or of the oldest while all take more than
   * `bytesMax`; within a transaction. @returns how many answers.
   */
  readonly expire: (beforeMs: number, bytesMax: number) => number;
  readonly close: () => void;
};

export type { Asked } from './asking.ts';

export type LogsOptions = {
  readonly folder: string;
  readonly fleet: Pick<Fleet, 'database' | 'isConnected'>;
  readonly commands: Pick<Commands, 'create' | 'again' | 'get'>;
  readonly audit: Pick<Audit, 'write'>;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly metrics: Pick<Metrics, 'logBytes' | 'logRequests' | 'dropped'>;
  readonly log: Log;
  readonly keptMax?: number;
};

const NOT_STORED = 'the broker cannot store it';

/** Takes all chunks of one commit: bytes to their files, one flush a file, one transaction for all. */
function createIntake(options: LogsOptions, store: LogStore, files: LogFiles): LogIntake {
  const { fleet, audit, clock, metrics, log } = options;

  function judge(records: Map<string, LogRecord>, { terminal, batch }: NewChunk): ChunkVerdict {
    const id = requestOfEpoch(batch.epoch);
    const record = records.get(id) ?? store.get(id);
    const judged = judgeChunk(record, terminal, batch);
    if (record === undefined || judged.kind === 'ahead') {
      return judged.kind === 'refused' ? judged : { kind: 'failed' };
    }
    if (judged.kind === 'held') return { kind: 'held', upTo: heldSeq(record), isNew: false };
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

  function finish(record: LogRecord): void {
    const { operator, reason, terminal, state, id } = record;
    const { command, components, sinceMs, untilMs, bytes, lines, sha256, error } = record;
    const { redactions, truncated } = record;
    const asked = { request: id, command, components, sinceMs, untilMs };
    const detail = { ...asked, bytes, lines, redactions, truncated, sha256, error };
    const action = record.what === 'diagnosis' ? 'diagnosis.receive' : 'logs.receive';
    audit.write({ operator, action, subject: terminal, reason, outcome: state, detail });
    fleet.database.afterCommit(() => {
      metrics.logRequests(state);
      log.info('logs received', { request: id, terminal, state, bytes, lines, error });
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
      for (const record of records.values()) {
        const bytes = record.bytes - (store.get(record.id)?.bytes ?? 0);
        store.save(record);
        fleet.database.afterCommit(() => metrics.logBytes(bytes));
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

/** A disk that cannot hold the folder ends the start of the broker, as any of its files would. */
export function openLogs(options: LogsOptions): Logs {
  const { folder, fleet, commands, clock, metrics, keptMax = REQUESTS_KEPT_MAX } = options;
  const store = openLogStore(fleet.database);
  const files = openLogFiles(folder);
  files.sweep(new Set(store.oldestFirst().map(({ id }) => id)));
  const view = (record: LogRecord): LogView =>
    viewOf(record, commands.get(record.command), fleet.isConnected(record.terminal));

  /** Makes room for one more. @returns whether there is any. */
  function trim(): boolean {
    const all = store.oldestFirst();
    const surplus = all.length + 1 - keptMax;
    const ended = all.filter((record) => !['waiting', 'running'].includes(view(record).state));
    const gone = surplus <= 0 ? [] : ended.slice(0, surplus);
    for (const { id } of gone) {
      store.remove(id);
      fleet.database.afterCommit(() => files.remove(id));
    }
    if (gone.length > 0) metrics.dropped('log_requests', gone.length);
    return gone.length >= surplus;
  }

  function expire(beforeMs: number, bytesMax: number): number {
    const kept = store.oldestFirst().filter(({ goneMs }) => goneMs === undefined);
    const bytes = kept.reduce((sum, record) => sum + record.bytes, 0);
    const gone = kept.find(
      (record) =>
        record.bytes > 0 &&
        (bytes > bytesMax || record.changedMs < beforeMs) &&
        !['waiting', 'running'].includes(view(record).state),
    );
    if (gone === undefined) return 0;
    store.save({ ...gone, goneMs: clock.wallMs() });
    fleet.database.afterCommit(() => files.remove(gone.id));
    return 1;
  }

  return {
    ...createIntake(options, store, files),
    ...createAsking(options, { store, trim, view }),
    expire,
    get: (id) => {
      const record = store.get(id);
      return record && view(record);
    },
    list: () => store.newest(LISTED_MAX).map(view),
    read: files.read,
    close: files.close,
  };
}
