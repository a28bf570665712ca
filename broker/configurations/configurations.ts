// The configuration of the fleet at the centre: documents in versions, who is meant, how far a rollout is, and who runs
// what. The rooms behind it: desk (what operators do), rolling (what becomes of a version), pursue (who comes later).

import { lastRestore } from '../backup/restored.ts';
import type { StateOf } from '../commands/standing.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { TerminalModel } from '../fleet/model.ts';
import type { Stores } from '../stores/types.ts';
import { createDesk, type Desk, type DeskOptions } from './desk.ts';
import { createMeant } from './meant.ts';
import { releasedOf, VERSION_STATES, type Version, type VersionState } from './model.ts';
import { createPursuer, type PursueOptions } from './pursue.ts';
import type { Place } from './resolve.ts';
import { createRolling, type RollingOptions } from './rolling.ts';
import { describeStanding, type Known, type Standing, standingOf } from './standing.ts';
import { openConfigurationStore } from './store.ts';
import {
  type DocumentView,
  documentView,
  NO_COUNTS,
  type StandingCounts,
  type VersionView,
  versionView,
} from './views.ts';

export type Figures = {
  /** Terminals that do not run what is meant for them. */
  readonly behind: number;
  /** Versions by state. */
  readonly versions: Readonly<Record<VersionState, number>>;
};
export type Configurations = Desk & {
  readonly list: () => readonly DocumentView[];
  readonly get: (name: string) => DocumentView | undefined;
  /** The newest first. */
  readonly history: (name: string) => readonly VersionView[] | undefined;
  readonly version: (
    name: string,
    version: number,
  ) => (VersionView & { readonly text: string }) | undefined;
  readonly standing: (terminal: string) => Standing;
  readonly figures: () => Figures;
  readonly close: () => void;
};

export type ConfigurationsOptions = Omit<DeskOptions, 'fleet' | 'bulks' | 'isPlanned' | 'placeAt'> &
  Omit<PursueOptions, 'fleet' | 'bulks' | 'failurePercent'> & {
    readonly fleet: DeskOptions['fleet'] &
      PursueOptions['fleet'] &
      Pick<Fleet, 'describeBy' | 'observeBy' | 'models'>;
    readonly bulks: DeskOptions['bulks'] & PursueOptions['bulks'] & RollingOptions['bulks'];
    readonly stores: Pick<Stores, 'files' | 'regionOf' | 'labelsOf'>;
    readonly stateOf: StateOf;
    readonly failurePercent: number;
  };

const isPlannedIn =
  ({ files }: Pick<Stores, 'files'>): DeskOptions['isPlanned'] =>
  (rank, value) =>
    files().some(({ id, region, labels, terminals }) => {
      if (rank === 'store') return id === value;
      if (rank === 'region') return region === value;
      return labels.includes(value) || terminals.some((one) => one.labels.includes(value));
    });

const isHeard = ({ presence }: Pick<TerminalModel, 'presence'>): boolean => presence !== 'never';

/** Of each document, by walking over the fleet once. */
function countAll(
  models: readonly TerminalModel[],
  standing: (model: TerminalModel) => Standing,
): Map<string, StandingCounts> {
  const counts = new Map<string, { -readonly [K in keyof StandingCounts]: number }>();
  for (const model of models) {
    const { target, state, refused } = standing(model);
    const name = target?.name ?? (state === 'ahead' ? model.configuration?.name : undefined);
    if (name === undefined) continue;
    const of = counts.get(name) ?? { ...NO_COUNTS };
    counts.set(name, of);
    if (target !== undefined) of.meant += 1;
    if (state === 'running' || state === 'ahead') of[state] += 1;
    else if (!isHeard(model)) of.never += 1;
    else if (refused !== undefined) of.refused += 1;
    else of.behind += 1;
  }
  return counts;
}

export function openConfigurations(options: ConfigurationsOptions): Configurations {
  const { fleet, stores, bulks } = options;
  const { database } = fleet;
  const store = openConfigurationStore(database);
  const rolling = createRolling({ ...options, database }, store);
  const placeAt = (id: string, at = fleet.storeOf(id)): Place => ({
    ...{ id, store: at, region: stores.regionOf(at), labels: stores.labelsOf(id) },
  });
  const asked = {
    ...options,
    isPlanned: isPlannedIn(stores),
    placeAt: (id: string) => placeAt(id),
  };
  const desk = createDesk(asked, store, rolling);
  const pursuer = createPursuer(options, store);
  const meant = createMeant(store);
  const known: Known = {
    resolve: (place) => meant()(place),
    versionsOf: store.versionsOf,
    givenUp: pursuer.givenUp,
    isRestored: lastRestore(database) !== undefined,
  };
  const standing = (id: string): Standing =>
    standingOf(placeAt(id), fleet.configurationOf(id), known);
  const ofModel = ({ id, store: at, ...model }: TerminalModel): Standing => {
    const configured = { running: model.configuration, refused: model.refusedConfiguration };
    return standingOf(placeAt(id, at), configured, known);
  };
  const isBehind = (model: TerminalModel): boolean => {
    const { state } = ofModel(model);
    return isHeard(model) && (state === 'behind' || state === 'unclear');
  };
  fleet.describeBy({
    configuration: (_id, model) => {
      const { configuration: running, refusedConfiguration: refused } = model;
      return describeStanding(ofModel(model), { running, refused }, isHeard(model));
    },
  });
  fleet.observeBy((_id, model) =>
    store.names().length === 0
      ? []
      : [{ name: 'pos_terminal_config_behind', labels: {}, value: isBehind(model) ? 1 : 0 }],
  );
  rolling.catchUp();
  pursuer.start(standing);
  const all = (): readonly Version[] => store.names().flatMap((name) => store.versionsOf(name));
  const show = (name: string, counts: ReadonlyMap<string, StandingCounts>) => {
    const versions = store.versionsOf(name);
    const released = releasedOf(versions);
    const held = released && pursuer.held(released);
    return documentView(versions, counts.get(name) ?? NO_COUNTS, held, bulks.get);
  };
  const countNow = () => countAll(fleet.models(), ofModel);
  return {
    ...desk,
    list: () => {
      const counts = countNow();
      const views = store.names().map((name) => show(name, counts));
      return views.filter((view) => view !== undefined);
    },
    get: (name) => (store.versionsOf(name).length === 0 ? undefined : show(name, countNow())),
    history: (name) => {
      const begun = store.versionsOf(name).filter(({ state }) => state !== 'planned');
      const views = begun.map((one) => versionView(one, bulks.get)).toReversed();
      return views.length === 0 ? undefined : views;
    },
    version: (name, number) => {
      const found = store.versionsOf(name).find(({ version }) => version === number);
      if (found === undefined) return undefined;
      return { ...versionView(found, bulks.get), text: store.textOf(name, number) };
    },
    standing,
    figures: () => {
      const versions = Object.fromEntries(VERSION_STATES.map((state) => [state, 0])) as Record<
        VersionState,
        number
      >;
      for (const { state } of all()) versions[state] += 1;
      const names = store.names().length;
      return { versions, behind: names === 0 ? 0 : fleet.models().filter(isBehind).length };
    },
    close: pursuer.stop,
  };
}
