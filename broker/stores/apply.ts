// From a file of stores to the registry: what it would change is shown, and applied with the digest of what was shown,
// so that of two operators the second one looks again. Everything is one transaction with its audit entries: a broker
// that is killed in the middle has all of it or nothing.

import type { Audit } from '../audit.ts';
import type { Actor } from '../commands/commands.ts';
import { wrongReason } from '../commands/request.ts';
import { type Refusal, refuse } from '../commands/view.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Identities, Lifecycle } from '../identity/types.ts';
import { type Difference, differenceOf, type Standing } from './difference.ts';
import { readStores, textOf } from './shape.ts';
import type { StoreTable } from './table.ts';
import type { Store } from './types.ts';

/** Of one answer; what a person reads is far less. */
export const CHANGES_SHOWN_MAX = 2_000;
const NAMED_MAX = 20;
const PROBLEMS_TOLD = 5;

export type StoresWish = {
  /** As a file says them. */
  readonly stores: unknown;
  /** Also forget those that are not among them. */
  readonly prune?: boolean | undefined;
  readonly actor: Actor;
};
export type StoresPlan = Pick<Difference, 'counts' | 'digest' | 'changes'> & {
  /** Stores that are not in the file and stay; the first of them. */
  readonly absent: readonly string[];
  /** Changes that did not fit the answer. */
  readonly more: number;
  readonly applied: boolean;
};
export type StoresAnswer = { readonly ok: true; readonly plan: StoresPlan } | Refusal;

export type ApplyParts = {
  readonly fleet: Pick<Fleet, 'database' | 'planner' | 'models'>;
  readonly identities: Pick<Lifecycle, 'move'> & Pick<Identities, 'stateOf'>;
  readonly audit: Pick<Audit, 'write'>;
  readonly table: StoreTable;
  readonly known: () => ReadonlyMap<string, Store>;
  /** Called once it is on disk. */
  readonly keep: (difference: Difference) => void;
};

/** Takes the whole transaction back. */
class Undone extends Error {}

function planOf(difference: Difference, applied: boolean): StoresPlan {
  const { changes, counts, digest, absent } = difference;
  const shown = changes.slice(0, CHANGES_SHOWN_MAX);
  const more = changes.length - shown.length;
  return { counts, digest, changes: shown, more, absent: absent.slice(0, NAMED_MAX), applied };
}

function standingNow({ fleet, identities }: ApplyParts): Standing {
  const counts = new Map<string, number>();
  for (const { store } of fleet.models()) counts.set(store, (counts.get(store) ?? 0) + 1);
  return {
    storeOf: fleet.planner.storeOf,
    isRetired: (terminal) => identities.stateOf(terminal) === 'retired',
    countOf: (store) => counts.get(store) ?? 0,
  };
}

/** One entry for each store that changes, and one for the whole. */
function writeAudit(
  { audit }: ApplyParts,
  difference: Difference,
  operator: string,
  reason: string,
): void {
  const write = (action: string, subject: string, detail: Record<string, unknown>): void => {
    const written = audit.write({ operator, action, subject, reason, outcome: 'ok', detail });
    if (!written.ok) throw new Undone(written.reason);
  };
  const { counts, digest, changes } = difference;
  const added = new Map(difference.write.map((store) => [store.id, store]));
  write('stores.apply', 'stores', { ...counts, digest, changes: changes.length });
  for (const { kind, store, sentence } of changes) {
    // What was kept as it was is no act; the entry of the whole has the digest of what was said about it.
    if (kind === 'kept' || kind === 'retired') continue;
    const whole = kind === 'added' ? added.get(store) : undefined;
    write(`store.${kind}`, store, { what: sentence, ...(whole && { store: textOf(whole) }) });
  }
}

function perform(parts: ApplyParts, difference: Difference, actor: Actor, reason: string): void {
  const { table, fleet, identities } = parts;
  for (const store of difference.write) table.save(store);
  for (const id of difference.remove) table.remove(id);
  for (const { terminal, store } of difference.plan) fleet.planner.plan(terminal, store);
  for (const { terminal, store } of difference.move) {
    const moved = identities.move(terminal, store, { operator: actor.name, reason });
    if (!moved.ok) throw new Undone(moved.reason);
  }
  writeAudit(parts, difference, actor.name, reason);
  fleet.database.afterCommit(() => parts.keep(difference));
}

export function createApplying(parts: ApplyParts) {
  function compare({ stores, prune = false }: StoresWish): Difference | Refusal {
    const read = readStores({ stores });
    if (!read.ok) {
      const told = read.found
        .slice(0, PROBLEMS_TOLD)
        .map(({ path, sentence }) => `${path.join('.')}: ${sentence}`);
      return refuse('invalid', told.join('; '));
    }
    return differenceOf(parts.known(), read.stores, standingNow(parts), prune);
  }
  return {
    plan: (wish: StoresWish): StoresAnswer => {
      const difference = compare(wish);
      return 'ok' in difference ? difference : { ok: true, plan: planOf(difference, false) };
    },
    /** @param wish with the digest that the plan has shown. */
    apply: (wish: StoresWish & { digest: string; reason: string }): StoresAnswer => {
      const wrong = wrongReason(wish.reason);
      if (wrong !== undefined) return refuse('invalid', wrong);
      const difference = compare(wish);
      if ('ok' in difference) return difference;
      if (difference.digest !== wish.digest) {
        const why = 'stores or terminals changed since this was shown, or it is another file';
        return refuse('conflict', `${why}: look at the difference again`);
      }
      if (difference.changes.length === 0) return { ok: true, plan: planOf(difference, false) };
      try {
        const done = parts.fleet.database.transact(() =>
          perform(parts, difference, wish.actor, wish.reason.trim()),
        );
        if (!done.ok) return refuse('unavailable', done.reason);
      } catch (cause) {
        if (!(cause instanceof Undone)) throw cause;
        return refuse('conflict', cause.message);
      }
      return { ok: true, plan: planOf(difference, true) };
    },
  };
}
