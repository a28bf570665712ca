// Opens the room of maintenances: the desk, the telling of tills, the recurring windows; and hands the rest of the broker
// what it knows: in views, as muting series, and whose lanes nobody expects to sell.

import type { Sample } from '../../protocol/metric-body.ts';
import type { Audit } from '../audit.ts';
import { lastRestore } from '../backup/restored.ts';
import type { Bulks } from '../bulk/desk.ts';
import type { Clock, Timers } from '../clock.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { TerminalModel } from '../fleet/model.ts';
import type { Presence } from '../fleet/presence.ts';
import type { Metrics } from '../metrics.ts';
import type { InMaintenance, Stores } from '../stores/types.ts';
import { type Calendar, openCalendar } from './calendar.ts';
import { type Desk, openDesk } from './desk.ts';
import { type Maintenance, type Running, type Scope, viewOf } from './model.ts';
import { createScheduler } from './scheduler.ts';
import { openMaintenanceStore } from './store.ts';
import { createTelling, type TellingOptions } from './telling.ts';
import type { WindowStore } from './windows.ts';

const TICK_MS = 1_000;

export type MaintenanceOptions = TellingOptions & {
  readonly fleet: TellingOptions['fleet'] &
    Pick<
      Fleet,
      'view' | 'models' | 'timeZoneOf' | 'describeBy' | 'observeBy' | 'observeStores' | 'observeNow'
    >;
  readonly stores: Pick<Stores, 'zoneOf' | 'regionOf' | 'file' | 'files' | 'leaveOutBy'>;
  readonly bulks: Pick<Bulks, 'plan' | 'start' | 'get' | 'abort'>;
  readonly audit: Pick<Audit, 'write'>;
  readonly clock: Pick<Clock, 'wallMs' | 'monotonicMs'>;
  readonly timers: Pick<Timers, 'every'>;
  readonly metrics: Pick<Metrics, 'dropped'>;
};

export type MaintenanceListed = Maintenance & {
  /** Terminals that it means now, and those that said that they only watch. */
  readonly terminals: number;
  readonly held: number;
};

export type Maintenances = {
  readonly start: Desk['start'];
  readonly end: Desk['end'];
  /** Those that run, and the newest of those that are over. */
  readonly list: (overMax: number) => readonly MaintenanceListed[];
  readonly windows: Pick<Calendar, 'list' | 'add' | 'remove'>;
  readonly inMaintenance: InMaintenance;
  /** Terminals of which one runs, by presence. */
  readonly count: () => Readonly<Record<Presence, number>>;
  readonly terminalReady: (terminal: string) => void;
  readonly close: () => void;
};

type Store = { readonly id: string; readonly terminals: readonly TerminalModel[] };

/** Stores of the file and those where terminals stand. */
function storesNow({ fleet, stores }: MaintenanceOptions): ReadonlyMap<string, Store> {
  const found = Map.groupBy(fleet.models(), ({ store }) => store);
  const ids = new Set([...stores.files().map(({ id }) => id), ...found.keys()]);
  return new Map([...ids].map((id) => [id, { id, terminals: found.get(id) ?? [] }]));
}

/** Where no file says it, the zone that its tills run in. */
function windowStores(options: MaintenanceOptions): readonly WindowStore[] {
  const { stores } = options;
  return [...storesNow(options).values()].map(({ id, terminals }) => ({
    ...{ id, region: stores.regionOf(id), labels: stores.file(id)?.labels ?? [] },
    zone: stores.zoneOf(id) ?? terminals.find(({ timeZone }) => timeZone !== undefined)?.timeZone,
  }));
}

/** Hands in what views and series tell. */
function describe({ fleet, stores }: MaintenanceOptions, desk: Desk): InMaintenance {
  const of = (terminal: string, store: string): Running | undefined =>
    desk.cover().of(terminal, store);
  const inMaintenance: InMaintenance = {
    ofTerminal: (terminal) => of(terminal, fleet.storeOf(terminal)) !== undefined,
    ofStore: (store) => desk.cover().ofStore(store) !== undefined,
  };
  fleet.describeBy({
    maintenance: (terminal, { store }) => {
      const running = of(terminal, store);
      return running && viewOf(running);
    },
  });
  fleet.observeBy((terminal, { store }) => [
    { name: 'pos_terminal_maintenance', labels: {}, value: of(terminal, store) ? 1 : 0 },
  ]);
  fleet.observeStores((): readonly Sample[] => {
    const ids = new Set([...stores.files().map(({ id }) => id)]);
    for (const { store } of fleet.models()) ids.add(store);
    return [...ids].map((store) => ({
      name: 'pos_store_maintenance',
      labels: { store },
      value: inMaintenance.ofStore(store) ? 1 : 0,
    }));
  });
  stores.leaveOutBy(inMaintenance);
  return inMaintenance;
}

function openRoomDesk(options: MaintenanceOptions, kept: ReturnType<typeof openMaintenanceStore>) {
  const { fleet, audit, clock, stores, metrics } = options;
  const isStore = (id: string): boolean =>
    stores.file(id) !== undefined || fleet.models().some(({ store }) => store === id);
  const unknown = (scope: Scope, subject: string): string | undefined => {
    const isKnown =
      scope === 'store' ? isStore(subject) : fleet.models().some(({ id }) => id === subject);
    return isKnown ? undefined : `there is no ${scope} "${subject.slice(0, 40)}" in this fleet`;
  };
  const dropped = (count: number): void => metrics.dropped('maintenances', count);
  const { database } = fleet;
  return { isStore, desk: openDesk({ database, audit, clock, unknown, dropped }, kept) };
}

export function openMaintenances(options: MaintenanceOptions): Maintenances {
  const { fleet, audit, clock, bulks, log, timers } = options;
  const { database } = fleet;
  const kept = openMaintenanceStore(database);
  const { desk, isStore } = openRoomDesk(options, kept);
  const holderOf = (terminal: string) => fleet.view(terminal)?.held;
  const telling = createTelling({ ...options, holderOf }, kept);
  const inMaintenance = describe(options, desk);
  const stores = () => windowStores(options);
  const calendar = openCalendar({ database, audit, clock, stores, isStore }, kept, (window) =>
    scheduler.forget(window),
  );
  const scheduler = createScheduler(
    {
      ...{ database, bulks, audit, clock, log, stores, restored: lastRestore(database) },
      terminalsOf: (among) =>
        fleet
          .models()
          .filter((one) => among.has(one.store) && !inMaintenance.ofTerminal(one.id))
          .map((one) => one.id),
      forbidden: (id) => {
        const running = desk.cover().ofStore(id);
        return running && `a maintenance by ${running.by} ran: ${running.reason}`;
      },
    },
    kept,
    desk,
    calendar.all,
  );
  let shown = desk.cover();
  const look = (): void => {
    const cover = desk.cover();
    telling.look(cover);
    if (cover === shown) return;
    // Alerts are muted by it: that cannot wait for a minute.
    for (const { id, store } of fleet.models()) {
      const isIn = cover.of(id, store) !== undefined;
      if (isIn !== (shown.of(id, store) !== undefined)) fleet.observeNow(id);
    }
    shown = cover;
  };
  const cancel = timers.every(TICK_MS, () => {
    desk.tick();
    scheduler.tick();
    look();
  });
  const told = <T extends { readonly ok: boolean }>(answer: T): T => {
    if (answer.ok) look();
    return answer;
  };
  const list = (overMax: number): readonly MaintenanceListed[] => {
    const running = desk.running().map(({ endMs: _, ...one }) => one);
    const models = running.length === 0 ? [] : fleet.models();
    const stands = Map.groupBy(models, ({ store }) => store);
    const ids = new Map(models.map((model) => [model.id, model]));
    return [...running, ...kept.over(overMax)].map((one) => {
      const { ended, scope, subject } = one;
      const found = scope === 'store' ? stands.get(subject) : [ids.get(subject) ?? []].flat();
      const meant = ended === undefined ? (found ?? []) : [];
      const held = meant.filter(({ id }) => telling.isHeld(id)).length;
      return { ...one, terminals: meant.length, held };
    });
  };
  return {
    start: (wish) => told(desk.start(wish)),
    end: (wish) => told(desk.end(wish)),
    list,
    windows: { list: calendar.list, add: calendar.add, remove: calendar.remove },
    inMaintenance,
    count: () => {
      const counts = { never: 0, online: 0, late: 0, lost: 0 };
      for (const { id, store, presence } of fleet.models()) {
        if (desk.cover().of(id, store) !== undefined) counts[presence] += 1;
      }
      return counts;
    },
    terminalReady: (terminal) => telling.back(terminal),
    close: cancel,
  };
}
