// What becomes of a version while its bulk action goes on: within the transaction of each step, so that there is no
// moment in which the bulk is done and its version is not released. What was not heard because somebody else changed
// the files meanwhile (a backup that was restored) is put right at the start.

import type { Audit } from '../audit.ts';
import type { Bulks } from '../bulk/desk.ts';
import { type BulkModel, countsOf } from '../bulk/model.ts';
import type { BulkView } from '../bulk/view.ts';
import type { Clock } from '../clock.ts';
import { AUTOMATIC_OPERATOR } from '../commands/request.ts';
import type { Database } from '../fleet/database.ts';
import type { Log } from '../ports.ts';
import { rollingOf, type Version, verdictOf } from './model.ts';
import type { ConfigurationStore } from './store.ts';

export type RollingOptions = {
  readonly database: Database;
  readonly bulks: Pick<Bulks, 'get' | 'list' | 'abort' | 'onStep'>;
  readonly audit: Pick<Audit, 'write'>;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly log: Log;
};

const OWN = { name: AUTOMATIC_OPERATOR, role: 'admin' } as const;
const GONE = 'its bulk action is not kept any more';
const BULKS_LISTED = 1_000;

type Ended = Pick<BulkView, 'state' | 'why' | 'counts' | 'limits'>;

export function createRolling(options: RollingOptions, store: ConfigurationStore) {
  const { database, bulks, audit, clock, log } = options;

  function write(version: Version, step: string, operator: string, reason: string): void {
    const { name, version: number, sha256, bulk } = version;
    const entry = { operator, action: `config.${step}`, subject: name, reason };
    audit.write({ ...entry, outcome: version.state, detail: { version: number, sha256, bulk } });
  }

  function end(version: Version, state: 'released' | 'stopped', why: string): void {
    const ended = { ...version, state, why, endedMs: clock.wallMs() };
    store.save(ended);
    write(ended, state, AUTOMATIC_OPERATOR, why);
    const { name, version: number } = version;
    database.afterCommit(() => log.info(`configuration ${state}`, { name, version: number, why }));
  }

  /** Whatever of the name stands still gives way to a newer one. Within a transaction. */
  function replace({ name, version }: Version): void {
    const older = rollingOf(store.versionsOf(name));
    if (older === undefined || older.version === version) return;
    end(older, 'stopped', `version ${version} came instead`);
    database.afterCommit(() => {
      if (older.bulk !== '') bulks.abort(older.bulk, OWN, `version ${version} came instead`);
    });
  }

  function settle(version: Version, { state, why, counts, limits }: Ended): void {
    if (version.state === 'planned') {
      store.remove(version);
      return;
    }
    const verdict = verdictOf(counts as never, limits.failurePercent, why);
    end(version, state === 'done' ? verdict.state : 'stopped', why);
  }

  function start(version: Version, by: string, reason: string): void {
    const rolling = {
      ...version,
      state: 'rolling' as const,
      by,
      reason,
      startedMs: clock.wallMs(),
    };
    store.save(rolling);
    write(rolling, 'start', by, reason);
    replace(rolling);
  }

  bulks.onStep((model: BulkModel, before) => {
    if (model.content.kind !== 'apply') return;
    const version = store.byBulk(model.id);
    if (version === undefined) return;
    const isOpen = version.state === 'planned' || version.state === 'rolling';
    if (before?.state === 'planned' && model.state === 'running') {
      start(version, model.startedBy?.name ?? version.by, model.reason);
    } else if (isOpen && ['done', 'aborted', 'expired'].includes(model.state)) {
      settle(version, { ...model, counts: countsOf(model) });
    }
  });

  return {
    /** What nobody is there for is released as it is. Within a transaction. */
    releaseAtOnce: (version: Version, by: string, reason: string): void => {
      const started = { ...version, by, reason, startedMs: clock.wallMs() };
      end(started, 'released', 'no terminal was there that would take it');
      replace(version);
    },
    /** At the start, when every bulk action is known again. */
    catchUp: (): void => {
      const open = store
        .names()
        .flatMap((name) => store.versionsOf(name))
        .filter(({ state, bulk }) => (state === 'planned' || state === 'rolling') && bulk !== '');
      database.transact(() => {
        for (const version of open) {
          const bulk = bulks.get(version.bulk);
          if (bulk === undefined && version.state === 'planned') store.remove(version);
          else if (bulk === undefined) end(version, 'stopped', GONE);
          else if (['done', 'aborted', 'expired'].includes(bulk.state)) settle(version, bulk);
        }
      });
      for (const { id, kind, state } of bulks.list(BULKS_LISTED)) {
        const isOpen = ['planned', 'running', 'paused'].includes(state);
        const version = kind === 'apply' && isOpen ? store.byBulk(id) : undefined;
        const isWanted = version?.state === 'planned' || version?.state === 'rolling';
        if (kind === 'apply' && isOpen && !isWanted) bulks.abort(id, OWN, 'its version is over');
      }
    },
  };
}
export type Rolling = ReturnType<typeof createRolling>;
