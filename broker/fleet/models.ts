// The terminals in memory. What an open transaction changes lies in `staged` on top and sinks into
// `models` once it is on disk, so that nobody is ever told something that a crash takes back.

import { isId } from '../../protocol/ids.ts';
import { type FleetEffect, type FleetEvent, newTerminal, type TerminalModel } from './model.ts';
import { type Plan, type Planned, settlePlans } from './plans.ts';
import type { Moment, PresenceLimits } from './presence.ts';
import { step } from './registry.ts';

/** Terminals that were never planned and still may register, when the configuration lets them. */
export const UNPLANNED_MAX = 20_000;
/** The store of a terminal that nobody planned. */
export const UNASSIGNED = 'unassigned';

export type StoresListener = (stores: ReadonlyMap<string, string>) => void;

export type ModelsOptions = {
  readonly loaded: readonly TerminalModel[];
  readonly terminals: readonly Planned[];
  /** What was planned at run time (plans.ts). */
  readonly plans?: readonly Plan[];
  readonly acceptUnknown: boolean;
  readonly presence: PresenceLimits;
  /** While a batch is applied. */
  readonly reading: () => Moment;
};

export type Models = ReturnType<typeof openModels>;

export function openModels(options: ModelsOptions) {
  const { loaded, terminals, acceptUnknown, presence, reading } = options;
  const models = new Map(loaded.map((model) => [model.id, model]));
  const staged = new Map<string, TerminalModel>();
  settlePlans(models, terminals, options.plans ?? []);
  const unplannedMax = terminals.length + UNPLANNED_MAX;
  const listeners = new Set<StoresListener>();
  /** Sorting ten thousand names takes milliseconds, and every scrape asks several times. */
  let order: readonly string[] = [];
  const inOrder = (): readonly string[] => {
    // A terminal that was once known stays so: retired ones are only not shown.
    if (order.length !== models.size) order = [...models.keys()].sort();
    return order;
  };
  const put = (id: string, model: TerminalModel): void => {
    const isTold = models.get(id)?.store === model.store;
    models.set(id, model);
    if (isTold) return;
    for (const listener of listeners) listener(new Map([[id, model.store]]));
  };

  const isShown = (model: TerminalModel): boolean =>
    model.retired !== true && (model.planned || acceptUnknown);
  const shown = (id: string): TerminalModel | undefined => {
    const model = models.get(id);
    return model !== undefined && isShown(model) ? model : undefined;
  };
  const get = (id: string): TerminalModel | undefined => staged.get(id) ?? models.get(id);

  /** @returns what is to be told of it; undefined when nothing changed. */
  function decide(
    id: string,
    event: FleetEvent,
    keepIt: (id: string, model: TerminalModel) => void,
    at: Moment,
  ): readonly FleetEffect[] | undefined {
    // A terminal that nobody planned keeps its history, whether or not it is shown.
    const known = get(id) ?? newTerminal(id, UNASSIGNED, false);
    const { model, effects } = step(known, event, at, presence);
    if (model === known) return undefined;
    keepIt(id, model);
    return effects;
  }

  return {
    get,
    shown,
    isShown,
    all: (): readonly TerminalModel[] => [...models.values()],
    listed: (): readonly TerminalModel[] =>
      inOrder()
        .map(shown)
        .filter((model) => model !== undefined),
    storeOf: (id: string): string => get(id)?.store ?? UNASSIGNED,
    /** Told at once where every terminal stands, later of those that are new or were moved. @returns an undo. */
    onStores: (listener: StoresListener): (() => void) => {
      listeners.add(listener);
      listener(new Map([...models.values()].map(({ id, store }) => [id, store])));
      return () => listeners.delete(listener);
    },
    isKnown: (id: string): boolean => {
      if (shown(id) !== undefined) return true;
      const isNew = get(id)?.retired !== true && models.size < unplannedMax;
      return acceptUnknown && isNew && isId(id);
    },
    put,
    /** Takes effect at once, between transactions. */
    change: (id: string, event: FleetEvent, at: Moment) => decide(id, event, put, at),
    /** Takes effect with `keep`, or not at all. */
    stage: (id: string, event: FleetEvent) =>
      decide(id, event, (key, model) => staged.set(key, model), reading()),
    staged: (): readonly TerminalModel[] => [...staged.values()],
    keep: (): void => {
      for (const [id, model] of staged) put(id, model);
      staged.clear();
    },
    forget: (): void => staged.clear(),
  };
}
