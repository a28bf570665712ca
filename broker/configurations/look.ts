// What a new version has to be looked at against: other documents, who is there, who is left out and why, and whether
// the fleet is still what it was when somebody was shown the plan. Asks and says; changes nothing.

import type { Bulks } from '../bulk/desk.ts';
import { BULK_TARGETS_MAX, type Selector } from '../bulk/select.ts';
import { isServed, type StateOf } from '../commands/standing.ts';
import { type Refusal, refuse } from '../commands/view.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { TerminalView } from '../fleet/view.ts';
import { releasedOf, rollingOf, type Version } from './model.ts';
import {
  conflictOf,
  createResolver,
  isIn,
  type Meant,
  type Place,
  type Resolved,
  type Scope,
  scopeOf,
} from './resolve.ts';
import { leftOutFor, lostFor } from './standing.ts';
import type { ConfigurationStore } from './store.ts';

export type LookOptions = {
  readonly fleet: Pick<Fleet, 'search' | 'configurationOf'>;
  readonly bulks: Pick<Bulks, 'get'>;
  readonly stateOf: StateOf;
  /** Where a terminal stands now. */
  readonly placeAt: (terminal: string) => Place;
  /** Whether the file of stores names it. */
  readonly isPlanned: (rank: 'store' | 'label' | 'region', value: string) => boolean;
};

export const placeOf = ({ id, store, region, labels }: TerminalView): Place => ({
  ...{ id, store, region, labels },
});

/** A store that is spelt wrong would be a version for nobody, and nobody would notice. */
function createScopes({ isPlanned }: LookOptions) {
  return (selector: Selector, places: readonly Place[]): Scope | Refusal => {
    const read = scopeOf(selector);
    if (!read.ok) return refuse('invalid', read.reason);
    const scope = read.value;
    if (scope.rank === 'all') return scope;
    if (scope.rank === 'terminals') {
      const known = new Set(places.map(({ id }) => id));
      const stranger = scope.terminals.find((id) => !known.has(id));
      if (stranger === undefined) return scope;
      return refuse('invalid', `selector.terminals: not in this fleet: ${stranger.slice(0, 64)}`);
    }
    const isKnown =
      places.some((place) => isIn(scope, place)) || isPlanned(scope.rank, scope.value);
    if (isKnown) return scope;
    const unknown = `nothing in this fleet has the ${scope.rank} ${scope.value.slice(0, 64)}`;
    return refuse('invalid', `selector: ${unknown}: is it spelt so?`);
  };
}

export function createLook(options: LookOptions, store: ConfigurationStore) {
  const { fleet, bulks } = options;

  /** Of other names: released, or on their way. */
  const others = (name: string): readonly Version[] =>
    store
      .names()
      .filter((other) => other !== name)
      .flatMap((other) => {
        const versions = store.versionsOf(other);
        return [releasedOf(versions), rollingOf(versions)].filter((one) => one !== undefined);
      });
  const everybody = (): readonly TerminalView[] => {
    const found = fleet.search({ sort: 'id', limit: BULK_TARGETS_MAX });
    return found.ok ? found.value.terminals : [];
  };

  /** Why it may not be begun, or not any more: the fleet is not what it was when it was shown. */
  function wrongNow(version: Version): Refusal | undefined {
    const versions = store.versionsOf(version.name);
    const released = releasedOf(versions)?.version ?? 0;
    const { name, base, state } = version;
    if (state !== 'planned' && state !== 'rolling') {
      return refuse('conflict', `version ${version.version} is ${state} already`);
    }
    if (state === 'planned' && released !== base) {
      const now = `version ${released} of ${name} was released since this was shown`;
      return refuse('conflict', `${now}: look at the difference again`);
    }
    const other = rollingOf(versions);
    if (other !== undefined && other.version !== version.version) {
      if (bulks.get(other.bulk)?.state === 'running') {
        const how = `wait for it, or end it: tillwatch bulk abort ${other.bulk}`;
        return refuse('conflict', `version ${other.version} of ${name} is rolling: ${how}`);
      }
    }
    const why = conflictOf(version, others(name), everybody().map(placeOf));
    return why === undefined ? undefined : refuse('conflict', why);
  }
  const resolverWith = (version: Version): ((place: Place) => Resolved) => {
    const meant = [version, ...others(version.name).filter(({ state }) => state === 'released')];
    return createResolver(meant satisfies readonly Meant[]);
  };
  /** Which of those in its list it is not for any more, and why: stores change while it rolls out. */
  function lostBy(version: Version): (terminal: string) => string | undefined {
    const resolve = resolverWith(version);
    return (terminal) => {
      const place = options.placeAt(terminal);
      return lostFor(version, place, resolve(place));
    };
  }
  /** Which of those that it is meant for do not get it now, and why. */
  function leaveOutFor(version: Version) {
    const resolve = resolverWith(version);
    return (view: TerminalView): string | undefined => {
      const place = placeOf(view);
      const configured = fleet.configurationOf(view.id);
      return leftOutFor(version, resolve(place), configured, view.connected);
    };
  }

  /** Named terminals that were retired since do not keep the others from going back. */
  function stillThere(selector: Selector): Selector {
    if (selector.terminals === undefined) return selector;
    const known = new Set(everybody().map(({ id }) => id));
    const left = selector.terminals.filter((id) => known.has(id));
    return left.length === 0 ? selector : { ...selector, terminals: left };
  }

  function countFirst(version: Version, views: readonly TerminalView[]) {
    const leaveOut = leaveOutFor(version);
    const meant = views.filter((view) => isIn(version.scope, placeOf(view)));
    const out = meant.flatMap((view) => {
      const state = options.stateOf(view.id);
      const reason = isServed(state) ? leaveOut(view) : `it is ${state}`;
      return reason === undefined ? [] : [{ terminal: view.id, reason }];
    });
    return { leaveOut, out, isNobody: out.length === meant.length };
  }

  return {
    others,
    everybody,
    lostBy,
    stillThere,
    wrongNow,
    wrongScope: createScopes(options),
    countFirst,
  };
}
export type Look = ReturnType<typeof createLook>;
