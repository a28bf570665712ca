// What the fleet is like at this moment, as far as the machine of a bulk action must know it: who can be reached, where
// each till stands now, what each store has left that sells, who is gone for ever. The list was frozen when it was
// planned and the stores were not: they are looked at again before each wave.

import { goneReason, isGone, isServed, type StateOf } from '../commands/standing.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { BulkEvent } from './machine.ts';
import { type BulkModel, inFlightOf, isInFlight } from './model.ts';

export type LookOptions = {
  readonly fleet: Pick<Fleet, 'isConnected' | 'storeOf' | 'connected'>;
  readonly stateOf: StateOf;
  /** A recurring window lets those alone that somebody works on. */
  readonly inMaintenance?: ((terminal: string) => boolean) | undefined;
  /** Why somebody in the list is not meant any more; asked of those that could be begun with. */
  readonly lostBy?: LostBy | undefined;
};
export type LostBy = (model: BulkModel) => ((terminal: string) => string | undefined) | undefined;
type Tick = Extract<BulkEvent, { kind: 'tick' }>;
type Open = { there: Set<string>; moved: Map<string, string>; gone: Map<string, string> };

/** A wave that is not over: only time or another result can change anything. */
export const hasUnderWay = (model: BulkModel | undefined): boolean =>
  model?.targets.some(({ state }) => state === 'sent') === true;

/** @param isFree a wave can begin. */
function lookAtList(model: BulkModel, isFree: boolean, options: LookOptions): Open {
  const { fleet, stateOf, inMaintenance } = options;
  const open: Open = { there: new Set(), moved: new Map(), gone: new Map() };
  // Those that wait for the wave before are looked at when it is over.
  const whyLost = isFree ? options.lostBy?.(model) : undefined;
  const isLooking = isFree || model.state === 'paused';
  for (const target of model.targets) {
    const { terminal, store, state } = target;
    const isWaiting = state === 'waiting';
    if (!(isInFlight(target) || (isWaiting && isLooking))) continue;
    const standing = stateOf(terminal);
    if (isGone(standing)) open.gone.set(terminal, goneReason(standing));
    else {
      const now = fleet.storeOf(terminal);
      if (now !== store) open.moved.set(terminal, now);
      const isLeftAlone = model.window !== undefined && inMaintenance?.(terminal) === true;
      const isThere = isWaiting && isFree && !isLeftAlone && fleet.isConnected(terminal);
      if (!(isThere && isServed(standing))) continue;
      const lost = whyLost?.(terminal);
      if (lost === undefined) open.there.add(terminal);
      else open.gone.set(terminal, lost);
    }
  }
  return open;
}

/** What sells and is in nobody's hands, of each store. */
function lookAtStores(
  models: readonly BulkModel[],
  { fleet, stateOf }: LookOptions,
): ReadonlyMap<string, number> {
  const held = new Set(
    models.flatMap(({ targets }) => targets.filter(isInFlight).map(({ terminal }) => terminal)),
  );
  const selling = new Map<string, number>();
  for (const { id, store } of fleet.connected()) {
    if (held.has(id) || !isServed(stateOf(id))) continue;
    selling.set(store, (selling.get(store) ?? 0) + 1);
  }
  return selling;
}

export function lookAround(
  model: BulkModel,
  models: readonly BulkModel[],
  options: LookOptions,
): Tick {
  // Twenty plans of the whole fleet must not cost anything each second.
  if (model.state === 'planned') return NOTHING;
  const isFree = model.state === 'running' && !hasUnderWay(model);
  const { there, moved, gone } = lookAtList(model, isFree, options);
  const facts = { kind: 'tick', there, moved, gone } as const;
  if (there.size === 0) return { ...facts, selling: new Map(), others: new Map() };
  const others = new Map<string, number>();
  for (const other of models) {
    if (other.id === model.id) continue;
    const now = new Map(
      other.targets
        .filter(isInFlight)
        .map(({ terminal }) => [terminal, options.fleet.storeOf(terminal)]),
    );
    for (const [store, count] of inFlightOf(other, now)) {
      others.set(store, (others.get(store) ?? 0) + count);
    }
  }
  return { ...facts, selling: lookAtStores(models, options), others };
}

const NOTHING: Tick = {
  ...{ kind: 'tick', there: new Set(), moved: new Map(), gone: new Map() },
  ...{ selling: new Map(), others: new Map() },
};
