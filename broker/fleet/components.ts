// The components of one terminal: state and version from events, corrected by samples where an event
// was lost, restarts from both (tally.ts). A sample corrects only what is clearly older than itself,
// because the agent's corrected clock moves a little with every acknowledgement.

import { CAUSES, COMPONENT_STATES, type EventFields } from '../../protocol/events.ts';
import { isId } from '../../protocol/ids.ts';
import type { Sample } from '../../protocol/metric-body.ts';
import type { MetricName } from '../../protocol/metrics.ts';
import { configurationIn } from './configuration.ts';
import { deviceRules } from './devices.ts';
import {
  COMPONENTS_MAX,
  type ComponentModel,
  isNewer,
  NEW_COMPONENT,
  own,
  type Place,
  RESTART_COUNTERS_MAX,
  type TerminalModel,
  WORD_CHARS_MAX,
} from './model.ts';
import { countEvent, NO_TALLY, readCounter, type Tally, totalOf } from './tally.ts';

/** Times of one terminal closer together than this do not say which came first. */
const SKEW_MS = 2_000;
const OTHER = 'other';

const short = (text: string): string => text.slice(0, WORD_CHARS_MAX);

/** What can be the name of a time zone; whether there is one called so, whoever shows times finds out. */
const TIME_ZONE = /^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/;

/** @returns the model with one component changed; unchanged where it would be one too many. */
function withComponent(
  model: TerminalModel,
  name: string,
  change: (component: ComponentModel) => ComponentModel,
): TerminalModel {
  const known = own(model.components, name);
  if (known === undefined) {
    if (!isId(name) || Object.keys(model.components).length >= COMPONENTS_MAX) return model;
  }
  const component = change(known ?? NEW_COMPONENT);
  if (component === known) return model;
  return { ...model, components: { ...model.components, [name]: component } };
}

function withRestarts(
  component: ComponentModel,
  cause: string,
  version: string,
  change: (tally: Tally) => Tally,
): ComponentModel {
  const wanted = `${cause} ${short(version)}`;
  const full = Object.keys(component.restarts).length >= RESTART_COUNTERS_MAX;
  const key = own(component.restarts, wanted) === undefined && full ? `${cause} ${OTHER}` : wanted;
  const known = own(component.restarts, key) ?? NO_TALLY;
  const tally = change(known);
  // An agent reports every cause it knows; what never happened needs no record.
  if (tally === known || (known === NO_TALLY && totalOf(tally) === 0)) return component;
  return { ...component, restarts: { ...component.restarts, [key]: tally } };
}

const hasProcess = (state: ComponentModel['state']): boolean =>
  state === 'starting' || state === 'ready' || state === 'suspect' || state === 'stopping';

function withState(
  component: ComponentModel,
  fields: EventFields<'component_state'>,
  place: Place,
): ComponentModel {
  if (!isNewer(place, component.stateAt)) return component;
  if (place.timeMs + SKEW_MS < component.stateSampleMs) return component;
  const process = hasProcess(fields.to);
  return {
    ...component,
    listed: true,
    version: short(fields.version),
    state: fields.to,
    stateAt: place,
    sinceMs: fields.to === component.state ? component.sinceMs : place.timeMs,
    reason: fields.reason.slice(0, 500),
    // What it last failed of stays readable after it is well again.
    cause: fields.cause ?? component.cause,
    pid: process ? (fields.pid ?? component.pid) : undefined,
    instance: process ? (fields.instance ?? component.instance)?.slice(0, 64) : undefined,
  };
}

/** A start with a cause is a restart; the first start of a component has none. */
export function changeState(
  model: TerminalModel,
  name: string,
  fields: EventFields<'component_state'>,
  place: Place,
): TerminalModel {
  return withComponent(model, name, (known) => {
    const component = withState(known, fields, place);
    if (fields.to !== 'starting' || fields.cause === undefined) return component;
    return withRestarts(component, fields.cause, fields.version, (tally) =>
      countEvent(tally, place.timeMs),
    );
  });
}

/** What runs here now: components that it no longer names are hidden, not forgotten. */
export function setInventory(
  model: TerminalModel,
  fields: EventFields<'inventory'>,
  place: Place,
): TerminalModel {
  if (!isNewer(place, model.inventoryAt)) return model;
  const named = new Map(fields.components.map((entry) => [entry.name, entry]));
  const { timeZone } = fields;
  const zone = timeZone !== undefined && TIME_ZONE.test(timeZone) ? timeZone : undefined;
  const configuration = configurationIn(model, fields, place);
  let next: TerminalModel = { ...model, inventoryAt: place, timeZone: zone, configuration };
  for (const name of new Set([...Object.keys(model.components), ...named.keys()])) {
    next = withComponent(next, name, (component) => ({
      ...component,
      listed: named.has(name),
      version: short(named.get(name)?.version ?? component.version),
      mode: named.get(name)?.mode,
    }));
  }
  return next;
}

/** Reads one kind of sample into the model. */
type SampleRule = (model: TerminalModel, sample: Sample, timeMs: number) => TerminalModel;

const componentOf = (sample: Sample): string => sample.labels['component'] ?? '';

function correctState(model: TerminalModel, sample: Sample, timeMs: number): TerminalModel {
  const state = COMPONENT_STATES.find((known) => known === sample.labels['state']);
  if (sample.value !== 1 || state === undefined) return model;
  return withComponent(model, componentOf(sample), (component) => {
    if (state === component.state || timeMs < component.stateAt.timeMs + SKEW_MS) return component;
    const process = hasProcess(state);
    return {
      ...component,
      state,
      stateSampleMs: timeMs,
      sinceMs: timeMs,
      pid: process ? component.pid : undefined,
      instance: process ? component.instance : undefined,
    };
  });
}

/** The few series that the registry looks at; all others are only counted. */
const sampleRules: Partial<Record<MetricName, SampleRule>> = {
  ...deviceRules,
  pos_component_state: correctState,
  pos_component_info: (model, sample) => {
    const version = short(sample.labels['version'] ?? '');
    if (sample.value !== 1 || version === '') return model;
    return withComponent(model, componentOf(sample), (component) =>
      component.version === '' ? { ...component, version } : component,
    );
  },
  pos_component_restarts_total: (model, sample, timeMs) => {
    const cause = CAUSES.find((known) => known === sample.labels['cause']);
    if (cause === undefined) return model;
    return withComponent(model, componentOf(sample), (component) =>
      withRestarts(component, cause, sample.labels['version'] ?? '', (tally) =>
        readCounter(tally, sample.value, timeMs),
      ),
    );
  },
  pos_agent_starts_total: (model, sample, timeMs) => ({
    ...model,
    agentStarts: readCounter(model.agentStarts, sample.value, timeMs),
  }),
  pos_agent_info: (model, sample) =>
    model.agent.version === '' && sample.value === 1
      ? {
          ...model,
          agent: {
            ...model.agent,
            version: short(sample.labels['version'] ?? ''),
            node: short(sample.labels['node'] ?? ''),
          },
        }
      : model,
};

/** @param timeMs when the samples were taken; the caller has seen that none as new was read. */
export function readSnapshot(
  model: TerminalModel,
  samples: readonly Sample[],
  timeMs: number,
): TerminalModel {
  return samples.reduce(
    (current, sample) => {
      const rule = Object.hasOwn(sampleRules, sample.name)
        ? sampleRules[sample.name as MetricName]
        : undefined;
      return rule?.(current, sample, timeMs) ?? current;
    },
    { ...model, sampleMs: timeMs },
  );
}
