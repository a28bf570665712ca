// All identities in memory, because a handshake is answered out of it. What decides about being let in is on disk before
// it is true here; what a terminal says of itself at each connect (its machine, its trust document, that its new
// certificate works) is true here at once and written a second later for all together, because ten thousand reconnects
// must not be ten thousand commits.

import type { Clock, Timers } from '../clock.ts';
import type { Database } from '../fleet/database.ts';
import type { Log } from '../ports.ts';
import { type IdentityEvent, type IdentityModel, newIdentity, step } from './machine.ts';
import type { IdentityStore } from './store.ts';
import { IDENTITY_STATES, type IdentityState } from './types.ts';

const FLUSH_MS = 1_000;

export type Records = ReturnType<typeof openRecords>;

export type RecordsOptions = {
  readonly store: Pick<IdentityStore, 'loadIdentities' | 'saveIdentity'>;
  readonly database: Pick<Database, 'transact' | 'afterCommit'>;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly timers: Pick<Timers, 'every'>;
  readonly log: Log;
};

export function openRecords({ store, database, clock, timers, log }: RecordsOptions) {
  const models = new Map(store.loadIdentities().map((model) => [model.terminal, model]));
  const unwritten = new Set<string>();
  const get = (terminal: string): IdentityModel => models.get(terminal) ?? newIdentity(terminal);

  function flush(): void {
    if (unwritten.size === 0) return;
    const saved = database.transact(() => {
      for (const terminal of unwritten) store.saveIdentity(get(terminal));
    });
    if (saved.ok) unwritten.clear();
    else log.warn('what terminals say of themselves is not on disk', { reason: saved.reason });
  }
  const cancel = timers.every(FLUSH_MS, flush);

  return {
    get,
    known: (terminal: string): IdentityModel | undefined => models.get(terminal),
    all: (): Iterable<IdentityModel> => models.values(),
    counts: (): Record<IdentityState, number> => {
      const counts = Object.fromEntries(IDENTITY_STATES.map((state) => [state, 0]));
      for (const { state } of models.values()) counts[state] = (counts[state] ?? 0) + 1;
      return counts as Record<IdentityState, number>;
    },
    /** Within a transaction, once for a terminal; in memory when that is on disk. */
    change: (terminal: string, event: IdentityEvent): void => {
      const model = step(get(terminal), event, clock.wallMs());
      store.saveIdentity(model);
      database.afterCommit(() => models.set(terminal, model));
    },
    /** In memory at once, on disk a moment later. @returns whether that changed anything. */
    note: (terminal: string, event: IdentityEvent): boolean => {
      const before = models.get(terminal);
      if (before === undefined) return false;
      const model = step(before, event, clock.wallMs());
      if (model === before) return false;
      models.set(terminal, model);
      unwritten.add(terminal);
      return true;
    },
    close: (): void => {
      cancel();
      flush();
    },
  };
}
