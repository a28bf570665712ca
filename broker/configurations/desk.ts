// Where versions of documents are planned, started and gone back from. Planning checks the text as a till would, shows
// the difference against what is released and freezes the list of a bulk action; starting it is refused when somebody
// else has released or begun another meanwhile, because what was shown would not be what is done.

import type { BulkStart } from '../bulk/desk.ts';
import { PLAN_MS_MAX } from '../bulk/machine.ts';
import type { BulkView } from '../bulk/view.ts';
import { wrongReason } from '../commands/request.ts';
import { type Refusal, refuse } from '../commands/view.ts';
import { differenceOf } from './difference.ts';
import { createLook, placeOf } from './look.ts';
import { DOCUMENTS_MAX, releasedOf, type Version } from './model.ts';
import { readText } from './read.ts';
import { createRemove } from './remove.ts';
import { conflictOf } from './resolve.ts';
import type { Rolling } from './rolling.ts';
import type { ConfigurationStore } from './store.ts';
import { type VersionView, versionView } from './views.ts';
import {
  type Answer,
  type DeskOptions,
  NOT_THERE,
  type Parts,
  type PlanWish,
  wrongActor,
} from './wish.ts';

export type { Answer, DeskOptions } from './wish.ts';

/** Terminals that go away meanwhile are waited for so long; who comes later gets it by itself. */
const LASTS_MS = 30 * 60_000;

export type PlanView = {
  readonly version: VersionView;
  /** Unified; empty where nothing is different. */
  readonly difference: string;
  /** The version that it is the difference to; null: nothing is released. */
  readonly against: number | null;
  readonly count: number;
  readonly stores: number;
  readonly confirm?: string | undefined;
  readonly leftOut: BulkView['leftOut'];
  readonly firstWave: number;
};
const PROBLEMS_SHOWN = 10;
const NO_DIFFERENCE = 'is released with this text, and for these terminals, already';

function showPlan(
  store: ConfigurationStore,
  version: Version,
  text: string,
  bulk: BulkView | undefined,
): PlanView {
  const { name, base } = version;
  const from = base === 0 ? '' : store.textOf(name, base);
  const names = [base === 0 ? 'nothing' : `${name} version ${base}`, `${name} new`] as const;
  const difference = differenceOf({ name: names[0], text: from }, { name: names[1], text });
  return {
    version: versionView(version, () => bulk),
    difference,
    against: base === 0 ? null : base,
    ...{ count: bulk?.count ?? 0, stores: bulk?.stores ?? 0 },
    ...(bulk?.confirm === undefined ? {} : { confirm: bulk.confirm }),
    leftOut: bulk?.leftOut ?? { count: 0, first: [] },
    firstWave: bulk?.limits.firstWave ?? 0,
  };
}

/** Plans without a bulk action have nobody who lets them expire. */
function dropOld(store: ConfigurationStore, nowMs: number): void {
  const before = nowMs - PLAN_MS_MAX;
  for (const version of store.names().flatMap((name) => store.versionsOf(name))) {
    const { state, bulk, createdMs } = version;
    if (state === 'planned' && bulk === '' && createdMs < before) store.remove(version);
  }
}

function createPlanner(options: DeskOptions, { store, look }: Parts) {
  const { fleet, bulks, audit, clock } = options;
  const { database } = fleet;

  function wrongWish({ name, reason, actor }: PlanWish): Refusal | undefined {
    const forbidden = wrongActor(actor);
    if (forbidden !== undefined) return forbidden;
    const unclear = wrongReason(reason);
    if (unclear !== undefined) return refuse('invalid', unclear);
    if (store.versionsOf(name).length > 0 || store.names().length < DOCUMENTS_MAX) return undefined;
    return refuse('too_many', `at most ${DOCUMENTS_MAX} configurations are kept`);
  }

  function planRead(
    wish: PlanWish,
    read: { sha256: string; bytes: number; packed: string },
  ): Answer<PlanView> {
    dropOld(store, clock.wallMs());
    const { name, text, actor, reason, readyMs, restores } = wish;
    const versions = store.versionsOf(name);
    const released = releasedOf(versions);
    const latest = versions.findLast(({ state }) => state !== 'planned');
    const selector = wish.selector ?? (released ?? latest)?.selector ?? {};
    const views = look.everybody();
    const scope = look.wrongScope(selector, views.map(placeOf));
    if ('ok' in scope) return scope;
    const same = released?.sha256 === read.sha256;
    if (same && JSON.stringify(released?.scope) === JSON.stringify(scope)) {
      if (latest === released)
        return refuse('conflict', `version ${released?.version} ${NO_DIFFERENCE}`);
    }
    const number = (versions.at(-1)?.version ?? 0) + 1;
    const first: Version = {
      ...{ name, version: number, sha256: read.sha256, bytes: read.bytes, selector, scope },
      ...{ by: actor.name, reason: reason.trim(), createdMs: clock.wallMs(), state: 'planned' },
      ...{ why: '', bulk: '', base: released?.version ?? 0, restores, readyMs },
    };
    const why = conflictOf(first, look.others(name), views.map(placeOf));
    if (why !== undefined) return refuse('conflict', why);
    const { leaveOut, out, isNobody } = look.countFirst(first, views);
    const args = {
      ...{ name, version: number, sha256: read.sha256, packed: read.packed },
      ...(readyMs === undefined ? {} : { readyMs }),
    };
    const lastsMs = wish.lastsMs ?? LASTS_MS;
    const asked = {
      kind: 'apply',
      arguments: args,
      selector,
      reason: first.reason,
      actor,
      lastsMs,
    };
    const bulk = isNobody ? undefined : bulks.plan({ ...asked, leaveOut, ofGuard: true });
    if (bulk?.ok === false) return bulk;
    const version = { ...first, bulk: bulk?.view.id ?? '' };
    store.add(version, text);
    const { sha256 } = version;
    const entry = {
      operator: actor.name,
      action: 'config.plan',
      subject: name,
      outcome: 'planned',
    };
    const detail = { version: number, sha256, selector, bulk: version.bulk, restores };
    audit.write({ ...entry, reason: first.reason, detail });
    const shown = showPlan(store, version, text, bulk?.view);
    const leftOut = { count: out.length, first: out.slice(0, PROBLEMS_SHOWN) };
    return { ok: true, view: bulk === undefined ? { ...shown, leftOut } : shown };
  }

  return async (wish: PlanWish): Promise<Answer<PlanView>> => {
    const wrong = wrongWish(wish);
    if (wrong !== undefined) return wrong;
    const read = await readText(wish.text);
    if (!read.ok) {
      const more = read.problems.length - PROBLEMS_SHOWN;
      const rest = more > 0 ? [`and ${more} more`] : [];
      return refuse('invalid', [...read.problems.slice(0, PROBLEMS_SHOWN), ...rest].join('; '));
    }
    const made = database.transact(() => planRead(wish, read));
    return made.ok ? made.value : refuse('unavailable', made.reason);
  };
}

export function createDesk(options: DeskOptions, store: ConfigurationStore, rolling: Rolling) {
  const { fleet, bulks } = options;
  const { database } = fleet;
  const look = createLook(options, store);
  const plan = createPlanner(options, { store, look });
  bulks.guardBy('apply', (bulk) => {
    const version = store.byBulk(bulk);
    if (version !== undefined) return look.wrongNow(version);
    return refuse('conflict', 'its version is not kept any more');
  });
  bulks.leaveOutBy('apply', (bulk) => {
    const version = store.byBulk(bulk);
    return version && look.lostBy(version);
  });

  function find(name: string, number: number): Version | undefined {
    return store.versionsOf(name).find(({ version }) => version === number);
  }

  function startNobody(version: Version, { count, reason, actor }: BulkStart): Answer<VersionView> {
    const wrong = wrongActor(actor) ?? look.wrongNow(version);
    if (wrong !== undefined) return wrong;
    const unclear = wrongReason(reason);
    if (unclear !== undefined) return refuse('invalid', unclear);
    if (count !== 0) return refuse('invalid', 'count: no terminal is there for it; write 0');
    // Who came since would get it without waves.
    if (!look.countFirst(version, look.everybody()).isNobody) {
      return refuse('conflict', 'terminals have come since this was shown: look at it again');
    }
    const done = database.transact(() => rolling.releaseAtOnce(version, actor.name, reason.trim()));
    return done.ok ? shown(version) : refuse('unavailable', done.reason);
  }

  function shown({ name, version }: Version): Answer<VersionView> {
    const found = find(name, version);
    if (found === undefined) return refuse('unknown_terminal', NOT_THERE);
    return { ok: true, view: versionView(found, bulks.get) };
  }

  return {
    plan,
    remove: createRemove(options, { store, look }),
    start: (name: string, number: number, start: BulkStart): Answer<VersionView> => {
      const version = find(name, number);
      if (version === undefined) return refuse('unknown_terminal', NOT_THERE);
      if (version.state !== 'planned') {
        return refuse('conflict', `version ${number} is ${version.state} already`);
      }
      if (version.bulk === '') return startNobody(version, start);
      const begun = bulks.start(version.bulk, start);
      return begun.ok ? shown(version) : begun;
    },
    /** Plans an older text anew: without a number, the last that was good. */
    rollback: async (
      name: string,
      to: number | undefined,
      wish: Pick<PlanWish, 'reason' | 'actor'>,
    ): Promise<Answer<PlanView>> => {
      const versions = store.versionsOf(name).filter(({ state }) => state !== 'planned');
      if (versions.length === 0) return refuse('unknown_terminal', NOT_THERE);
      const good = versions.filter(({ state }) => state === 'released');
      // After a stop that is what is released; else what was before it.
      const isStopped = versions.at(-1)?.state !== 'released';
      const back = to === undefined ? good.at(isStopped ? -1 : -2) : find(name, to);
      if (back === undefined || back.state === 'planned') {
        const why = to === undefined ? 'has no older version' : `has no version ${to}`;
        return refuse('conflict', `${name} ${why} that it could go back to`);
      }
      const text = store.textOf(name, back.version);
      const { readyMs, version: restores } = back;
      const selector = look.stillThere(back.selector);
      return await plan({ ...wish, name, text, selector, readyMs, restores });
    },
  };
}
export type Desk = ReturnType<typeof createDesk>;
