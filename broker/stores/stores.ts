// The stores of a fleet: what an operator's file says of them, and what follows from that now. Everything is in memory,
// because each view of a terminal asks which region and labels it has; on disk is what a file said (table.ts). Whoever
// else knows of maintenances hands that in (leaveOutBy), so that this room knows none.

import type { Clock } from '../clock.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { TerminalModel } from '../fleet/model.ts';
import type { Log } from '../ports.ts';
import { type ApplyParts, createApplying } from './apply.ts';
import type { Difference } from './difference.ts';
import { isSelling, lanesExpectedOf } from './expected.ts';
import { isOpenAt } from './hours.ts';
import { seriesOf, stateOf } from './series.ts';
import { openStoreTable } from './table.ts';
import type { InMaintenance, Store, Stores, StoreView } from './types.ts';

export type StoresOptions = Omit<ApplyParts, 'table' | 'known' | 'keep' | 'fleet'> & {
  readonly fleet: ApplyParts['fleet'] &
    Pick<Fleet, 'describeBy' | 'observeStores' | 'view' | 'storeOf'>;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly log: Pick<Log, 'error'>;
};

export type StoresRoom = Stores &
  ReturnType<typeof createApplying> & {
    /** By state: open, closed, unknown. */
    readonly counts: () => Readonly<Record<string, number>>;
  };

const NOBODY: InMaintenance = { ofTerminal: () => false, ofStore: () => false };
const NONE: readonly never[] = [];

/** What is known of stores, and what was looked up from it before. */
function createKnown(loaded: readonly Store[]) {
  const stores = new Map(loaded.map((store) => [store.id, store]));
  let labels = new Map<string, readonly string[]>();
  const index = (): void => {
    labels = new Map();
    for (const { terminals } of stores.values()) {
      for (const one of terminals) if (one.labels.length > 0) labels.set(one.id, one.labels);
    }
  };
  index();
  return {
    stores,
    ownLabels: (terminal: string): readonly string[] => labels.get(terminal) ?? NONE,
    change: ({ write, remove }: Difference): void => {
      for (const store of write) stores.set(store.id, store);
      for (const id of remove) stores.delete(id);
      index();
    },
  };
}

type Counted = StoreView['counts'];
function countOf(models: readonly TerminalModel[], left: InMaintenance): Counted {
  const counts = { terminals: 0, online: 0, selling: 0, never: 0, maintenance: 0 };
  for (const model of models) {
    counts.terminals += 1;
    if (model.presence === 'online') counts.online += 1;
    if (model.presence === 'never') counts.never += 1;
    if (isSelling(model)) counts.selling += 1;
    if (left.ofTerminal(model.id)) counts.maintenance += 1;
  }
  return counts;
}

export function openStoresRoom(options: StoresOptions): StoresRoom {
  const { fleet, clock } = options;
  const table = openStoreTable(fleet.database, options.log);
  const { stores, ownLabels, change } = createKnown(table.load());
  const listeners = new Set<() => void>();
  let left = NOBODY;
  const keep = (difference: Difference): void => {
    change(difference);
    for (const listener of listeners) listener();
  };

  const labelsAt = (terminal: string, where: string): readonly string[] => {
    const own = ownLabels(terminal);
    const shared = stores.get(where)?.labels ?? NONE;
    if (own.length === 0) return shared;
    return shared.length === 0 ? own : [...new Set([...own, ...shared])].sort();
  };
  fleet.describeBy({
    region: (_terminal, { store }) => stores.get(store)?.region,
    labels: (terminal, { store }) => labelsAt(terminal, store),
  });

  function viewOf(store: Store, models: readonly TerminalModel[], nowMs: number): StoreView {
    const counts = countOf(models, left);
    const { lanes } = store;
    const open = isOpenAt(store, nowMs);
    const lanesExpected = lanesExpectedOf({
      ...{ open, lanes, standing: counts.terminals, maintained: counts.maintenance },
      isMaintained: left.ofStore(store.id),
    });
    return { ...store, open, lanesExpected, counts };
  }
  const standingIn = (store: string): readonly TerminalModel[] =>
    fleet.models().filter((model) => model.store === store);
  function views(nowMs: number): StoreView[] {
    const models = Map.groupBy(fleet.models(), ({ store }) => store);
    return [...stores.values()]
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .map((store) => viewOf(store, models.get(store.id) ?? NONE, nowMs));
  }
  function get(id: string, nowMs = clock.wallMs()): StoreView | undefined {
    const store = stores.get(id);
    return store && viewOf(store, standingIn(id), nowMs);
  }
  const isOpen = (id: string, nowMs: number): boolean | undefined => {
    const store = stores.get(id);
    return store && isOpenAt(store, nowMs);
  };
  fleet.observeStores((nowMs) => seriesOf(views(nowMs)));

  return {
    ...createApplying({ ...options, table, known: () => stores, keep }),
    get: (id) => get(id),
    all: () => views(clock.wallMs()),
    files: () => [...stores.values()],
    file: (id) => stores.get(id),
    isOpen,
    zoneOf: (id) => stores.get(id)?.timeZone,
    regionOf: (id) => stores.get(id)?.region,
    labelsOf: (terminal) => labelsAt(terminal, fleet.storeOf(terminal)),
    plannedTerminals: (id) => (stores.get(id)?.terminals ?? []).map((one) => one.id),
    lanesExpected: (id, nowMs) => get(id, nowMs)?.lanesExpected ?? 0,
    leaveOutBy: (provider) => {
      left = provider;
    },
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    counts: () => {
      const counts: Record<string, number> = { open: 0, closed: 0, unknown: 0 };
      const nowMs = clock.wallMs();
      for (const store of stores.values()) {
        const state = stateOf(isOpenAt(store, nowMs));
        counts[state] = (counts[state] ?? 0) + 1;
      }
      return counts;
    },
  };
}
