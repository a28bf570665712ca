// What may be asked of the registry: views, pages of them, sums, events. Each view is put together when somebody asks, from
// the record and from what other rooms say of the terminal then (describe.ts); nothing of it is kept.

import type { Result } from '../../protocol/result.ts';
import type { Clock } from '../clock.ts';
import type { ConfigurationModel, RefusedModel } from './configuration.ts';
import type { Descriptions } from './describe.ts';
import type { EventPage, EventQuery, EventRow } from './events.ts';
import type { TerminalModel } from './model.ts';
import type { Models } from './models.ts';
import { type Observed, observedOf } from './observations.ts';
import type { Planned } from './plans.ts';
import { createRollup, type Rollup } from './rollup.ts';
import { createSearch, type TerminalPage, type TerminalQuery } from './search.ts';
import type { FleetStore } from './store.ts';
import { type IdentityOf, type LogsOf, type TerminalView, viewOf, withLogs } from './view.ts';

export type Configured = {
  readonly running: ConfigurationModel | undefined;
  readonly refused: RefusedModel | undefined;
};

export function createQueries(
  models: Models,
  store: FleetStore,
  clock: Clock,
  descriptions: Descriptions,
) {
  const rollUp = createRollup();
  let identityOf: IdentityOf = () => undefined;
  let logsOf: LogsOf = () => undefined;
  const show = (model: TerminalModel): TerminalView =>
    viewOf(model, clock.wallMs(), identityOf(model.id), logsOf, descriptions.now());
  const attach = (row: EventRow): EventRow => {
    const { incident } = row.kind === 'incident_opened' ? row.fields : {};
    return typeof incident === 'string' ? withLogs(row, logsOf(row.terminal, incident)) : row;
  };
  const search = createSearch(show, descriptions.now);
  const { describeBy, observeBy, observeStores } = descriptions;
  return {
    ...{ describeBy, observeBy, observeStores },
    identifyBy: (by: IdentityOf): void => {
      identityOf = by;
    },
    attachBy: (by: LogsOf): void => {
      logsOf = by;
    },
    eventPage: (query: EventQuery): EventPage => {
      const { events, ...page } = store.queryEvents(query);
      return { ...page, events: events.map(attach) };
    },
    search: (query: TerminalQuery): Result<TerminalPage> => search(models.listed(), query),
    view: (id: string): TerminalView | undefined => {
      const model = models.get(id);
      const isRead = model !== undefined && (model.retired === true || models.isShown(model));
      return isRead ? show(model) : undefined;
    },
    models: models.listed,
    views: (): readonly TerminalView[] => models.listed().map(show),
    rollup: (): Rollup => rollUp(models.all(), models.isShown),
    observed: (max: number): readonly Observed[] | undefined => {
      const listed = models.listed();
      return listed.length > max
        ? undefined
        : listed.map((model) => observedOf(model, descriptions.moreOf(model)));
    },
    samplesOfStores: () => descriptions.samplesOfStores(clock.wallMs()),
    connected: (): readonly Planned[] =>
      models.all().filter((model) => model.sessions > 0 && models.isShown(model)),
    /** What it runs and what it went back from, without the rest of its view. */
    configurationOf: (id: string): Configured => {
      const model = models.get(id);
      return { running: model?.configuration, refused: model?.refusedConfiguration };
    },
    timeZoneOf: (id: string): string | undefined => models.get(id)?.timeZone,
    isConnected: (id: string): boolean => (models.get(id)?.sessions ?? 0) > 0,
  };
}
