// Where targets are set and cleared, and what the rest of the broker is told of them: in views, as series, in the list.
// A wish is shown first (what it replaces, whom it means) with a digest of what is set then; who sets it names that
// digest, so that two people who do it at once do not undo each other without knowing.

import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Audit } from '../audit.ts';
import type { Clock } from '../clock.ts';
import type { Actor } from '../commands/commands.ts';
import { wrongReason } from '../commands/request.ts';
import { type Refusal, refuse } from '../commands/view.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { TerminalModel } from '../fleet/model.ts';
import type { Stores } from '../stores/types.ts';
import { type Behind, createBehind, type TargetBehind, type TargetCounts } from './behind.ts';
import { createResolve, keyOf, type Place, type Rank, type Target, whoOf } from './model.ts';
import { openTargetStore, type TargetStore } from './store.ts';
import {
  digestOf,
  type TargetClear,
  type TargetWish,
  textOf,
  valuesOf,
  wished,
  wrongWhom,
  wrongWish,
} from './wish.ts';

/** Versions with a role that are told as series. */
const ROLES_TOLD_MAX = 200;
export type TargetView = Target & TargetCounts & { readonly conflicts: number };
export type TargetChange = {
  readonly rank: Rank;
  readonly value: string;
  /** Undefined: nothing was set. */
  readonly before: string | undefined;
  /** Undefined: it is cleared. */
  readonly after: string | undefined;
};
export type TargetPlan = {
  readonly changes: readonly TargetChange[];
  /** Terminals that the wish means, and those of them for which something more specific is set. */
  readonly meant: number;
  readonly overruled: number;
  /** Of those that it will be the target of. */
  readonly behind: number;
  readonly silent: number;
  /** Of what is set now. */
  readonly digest: string;
};
export type Done = { readonly ok: true; readonly plan: TargetPlan } | Refusal;
type Said = {
  readonly actor: Actor;
  readonly reason: string;
  /** As it was shown; undefined: whatever is set now. */
  readonly digest?: string | undefined;
};
type Own = { readonly by: string; readonly reason: string; readonly nowMs: number };

export type TargetsOptions = {
  readonly fleet: Pick<Fleet, 'database' | 'models' | 'describeBy' | 'observeBy'>;
  readonly stores: Pick<Stores, 'regionOf' | 'labelsOf' | 'onChange'>;
  readonly audit: Pick<Audit, 'write'>;
  readonly clock: Pick<Clock, 'wallMs'>;
};

export type Targets = {
  readonly list: () => readonly TargetView[];
  readonly digest: () => string;
  readonly behind: (asked: Parameters<Behind['list']>[1]) => readonly TargetBehind[];
  readonly plan: (wish: TargetWish | TargetClear) => Done;
  readonly set: (wish: TargetWish, said: Said) => Done;
  readonly clear: (wish: TargetClear, said: Said) => Done;
  /** For /metrics. */
  readonly roles: () => readonly Pick<Target, 'component' | 'version' | 'role'>[];
  /** Terminals behind, by component. */
  readonly behindCounts: () => Readonly<Record<string, number>>;
  readonly close: () => void;
};
type Next = { readonly next: readonly Target[]; readonly made: readonly Target[] };
type Wish = TargetWish | TargetClear;
type Now = {
  readonly targets: readonly Target[];
  readonly models: readonly TerminalModel[];
  readonly placeOf: (model: TerminalModel) => Place;
};

const isSet = (wish: Wish): wish is TargetWish => 'version' in wish;
const keysOf = (wish: Wish): ReadonlySet<string> =>
  new Set(valuesOf(wish).map((value) => keyOf({ ...wish, value })));

function look(wish: Wish, { targets, models, placeOf }: Now, said: Own): Result<Next> {
  const keys = keysOf(wish);
  if (isSet(wish)) {
    const next = wished(targets, wish, said, models.map(placeOf));
    if (!next.ok) return next;
    return ok({ next: next.value, made: next.value.filter((one) => keys.has(keyOf(one))) });
  }
  const next = targets.filter((one) => !keys.has(keyOf(one)));
  if (next.length < targets.length) return ok({ next, made: [] });
  const [value = ''] = valuesOf(wish);
  return fail(`nothing is set of ${wish.component} for ${whoOf({ ...wish, value })}`);
}

const sum = (counts: ReadonlyMap<string, TargetCounts>, key: keyof TargetCounts): number =>
  [...counts].reduce((total, [, one]) => total + one[key], 0);

/** Whom it means as if it stood alone, and as it stands among all others. */
function planOf(wish: Wish, { targets, models, placeOf }: Now, { next, made }: Next): TargetPlan {
  const before = new Map(targets.map((one) => [keyOf(one), one]));
  const after = new Map(made.map((one) => [keyOf(one), one]));
  const changes = valuesOf(wish).map((value) => {
    const key = keyOf({ ...wish, value });
    const texts = { before: textOf(before.get(key)), after: textOf(after.get(key)) };
    return { rank: wish.rank, value, ...texts };
  });
  const countWith = (those: readonly Target[]) => {
    const behind = createBehind(placeOf);
    behind.renew(createResolve(those));
    return behind.counts(models);
  };
  const alone = countWith(made.length > 0 ? made : targets.filter((one) => !next.includes(one)));
  const own = new Map([...countWith(next)].filter(([key]) => after.has(key)));
  const meant = sum(alone, 'meant');
  return {
    ...{ changes, meant, overruled: made.length === 0 ? 0 : meant - sum(own, 'meant') },
    ...{ behind: sum(own, 'behind'), silent: sum(own, 'silent'), digest: digestOf(targets) },
  };
}

function plan(wish: Wish, now: Now): Done {
  const wrong = isSet(wish) ? wrongWish(wish) : wrongWhom(wish);
  if (wrong !== undefined) return refuse('invalid', wrong);
  const next = look(wish, now, { by: '', reason: '', nowMs: 0 });
  return next.ok
    ? { ok: true, plan: planOf(wish, now, next.value) }
    : refuse('conflict', next.reason);
}

/** By key: terminals of which another one of the same rank wins, since their labels changed. */
function conflictsOf({ targets, models, placeOf }: Now): ReadonlyMap<string, number> {
  const resolve = createResolve(targets);
  const counts = new Map<string, number>();
  for (const model of models) {
    for (const { target, rivals } of resolve(placeOf(model))) {
      for (const one of rivals.filter(({ version }) => version !== target.version)) {
        counts.set(keyOf(one), (counts.get(keyOf(one)) ?? 0) + 1);
      }
    }
  }
  return counts;
}

/** @param keep takes what is set from now on, once it is on disk. */
function createChange(
  { fleet, audit, clock }: TargetsOptions,
  store: TargetStore,
  now: () => Now,
  keep: (targets: readonly Target[]) => void,
) {
  return (wish: Wish, { actor, reason, digest }: Said): Done => {
    const unclear = wrongReason(reason);
    if (unclear !== undefined) return refuse('invalid', unclear);
    const shown = plan(wish, now());
    if (!shown.ok) return shown;
    if (digest !== undefined && digest !== shown.plan.digest) {
      const why = 'somebody has changed targets since this was shown: look at it again';
      return refuse('conflict', why);
    }
    const said = { by: actor.name, reason: reason.trim(), nowMs: clock.wallMs() };
    const looked = look(wish, now(), said);
    if (!looked.ok) return refuse('conflict', looked.reason);
    const action = isSet(wish) ? 'target.set' : 'target.clear';
    const done = fleet.database.transact(() => {
      for (const value of valuesOf(wish)) store.remove({ ...wish, value });
      for (const one of looked.value.made) store.save(one);
      const entry = { operator: said.by, action, subject: wish.component, reason: said.reason };
      audit.write({ ...entry, outcome: 'ok', detail: { changes: shown.plan.changes } });
    });
    if (!done.ok) return refuse('unavailable', done.reason);
    keep(looked.value.next);
    return shown;
  };
}

/** What is told of targets as series of the broker. */
const figures = (behind: Behind, now: () => Now): Pick<Targets, 'roles' | 'behindCounts'> => ({
  roles: () => {
    const lines = now().targets.map(
      ({ component, version, role }) =>
        [`${component}\0${version}\0${role}`, { component, version, role }] as const,
    );
    return [...new Map(lines).values()].slice(0, ROLES_TOLD_MAX);
  },
  behindCounts: () => {
    const { targets, models } = now();
    const sums: Record<string, number> = {};
    for (const { component } of targets) sums[component] = 0;
    for (const [key, { behind: late }] of behind.counts(models)) {
      const [component = ''] = key.split('\0');
      sums[component] = (sums[component] ?? 0) + late;
    }
    return sums;
  },
});

const NONE: TargetCounts = { meant: 0, running: 0, behind: 0, silent: 0 };

export function openTargets(options: TargetsOptions): Targets {
  const { fleet, stores } = options;
  const store = openTargetStore(fleet.database);
  const placeOf = ({ id, store: at }: TerminalModel): Place => ({
    ...{ terminal: id, store: at, region: stores.regionOf(at), labels: stores.labelsOf(id) },
  });
  const behind = createBehind(placeOf);
  let targets = store.all();
  const renew = (): void => behind.renew(createResolve(targets));
  renew();
  const forget = stores.onChange(renew);
  fleet.describeBy({ behind: (_terminal, model) => behind.of(model) });
  fleet.observeBy((_terminal, model) => [
    { name: 'pos_terminal_versions_behind', labels: {}, value: behind.of(model).length },
  ]);
  const now = (): Now => ({ targets, models: fleet.models(), placeOf });
  const change = createChange(options, store, now, (next) => {
    targets = next;
    renew();
  });
  return {
    list: () => {
      const counts = behind.counts(fleet.models());
      const conflicts = conflictsOf(now());
      return targets.map((one) => {
        const key = keyOf(one);
        return { ...one, ...(counts.get(key) ?? NONE), conflicts: conflicts.get(key) ?? 0 };
      });
    },
    digest: () => digestOf(targets),
    behind: (asked) => behind.list(fleet.models(), asked),
    plan: (wish) => plan(wish, now()),
    set: change,
    clear: change,
    ...figures(behind, now),
    close: forget,
  };
}
