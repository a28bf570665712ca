// The decisions of the fleet registry, pure: what a terminal's record becomes when a session opens or
// closes, a batch has been decoded, or time passes. One model is one terminal, because nothing here
// concerns two of them and copying ten thousand for one batch would cost more than the batch.
// Terminals resend and catch up, so whatever arrives may be old; places and times decide (model.ts).

import * as v from 'valibot';
import { DRILL_COMPONENT } from '../../protocol/drill.ts';
import { type EventKind, eventSchemas, knownFields } from '../../protocol/events.ts';
import { isId } from '../../protocol/ids.ts';
import type { Snapshot } from '../../protocol/metric-body.ts';
import { isLive, readClock, setAway } from './away.ts';
import { changeState, readSnapshot, setInventory } from './components.ts';
import { tellConfiguration } from './configuration.ts';
import {
  type BatchContent,
  CLOSED_INCIDENTS_MAX,
  COMPONENTS_MAX,
  type FleetEffect,
  type FleetEvent,
  type Incident,
  isNewer,
  NOWHERE,
  own,
  type Place,
  type PlacedEvent,
  type TerminalModel,
  WORD_CHARS_MAX,
} from './model.ts';
import {
  afterCut,
  broken,
  judge,
  type Moment,
  NO_PULSE,
  opened,
  type Presence,
  type PresenceLimits,
  spoke,
} from './presence.ts';
import { countEvent } from './tally.ts';

type Fields = Readonly<Record<string, unknown>>;
/** Puts one event of a kind into the model; `fields` passed the kind's schema at decoding. */
type Rule = (model: TerminalModel, event: PlacedEvent, place: Place) => TerminalModel;

const word = (value: unknown): string =>
  typeof value === 'string' ? value.slice(0, WORD_CHARS_MAX) : '';
const sentence = (value: unknown): string => (typeof value === 'string' ? value.slice(0, 500) : '');

const withAgent = (model: TerminalModel, fields: Fields, place: Place): TerminalModel =>
  isNewer(place, model.agent.at)
    ? {
        ...model,
        agent: { version: word(fields['version']), node: word(fields['node']), at: place },
      }
    : model;

/** How often it sends is believed before it is seen: after a change of its configuration nothing else tells. */
function withRhythm(model: TerminalModel, { fields }: PlacedEvent, place: Place): TerminalModel {
  const said = fields['sendMs'];
  // Only of the newest start, which is the one that `agent` was taken from.
  if (model.agent.at !== place) return model;
  const saidMs = typeof said === 'number' && said > 0 ? said : 0;
  return saidMs === model.pulse.saidMs ? model : { ...model, pulse: { ...NO_PULSE, saidMs } };
}

function openIncident(model: TerminalModel, event: PlacedEvent, place: Place): TerminalModel {
  const incident = word(event.fields['incident']);
  const known = own(model.incidents, event.component);
  const closed = model.closedIncidents.find((one) => one.incident === incident);
  // One that is opened again after its end failed again before it was stable: it is the same story.
  if (closed !== undefined && !isNewer(place, closed.at)) return model;
  const isSame = known?.incident === incident;
  if (isSame && !isNewer(place, known.at ?? NOWHERE)) return model;
  // A component has one incident at a time; a younger one means that the older is over.
  if (known !== undefined && known.openedMs > place.timeMs && !isSame) return model;
  if (known === undefined && Object.keys(model.incidents).length >= COMPONENTS_MAX) return model;
  const present = own(model.components, event.component);
  if (present?.state === 'ready' && isNewer(present.stateAt, place)) return model;
  const opened: Incident = {
    incident,
    cause: word(event.fields['cause']),
    reason: sentence(event.fields['reason']),
    openedMs: isSame ? known.openedMs : place.timeMs,
    quarantined: event.kind === 'incident_quarantined',
    at: place,
  };
  return { ...model, incidents: { ...model.incidents, [event.component]: opened } };
}

function closeIncident(model: TerminalModel, event: PlacedEvent, place: Place): TerminalModel {
  const incident = word(event.fields['incident']);
  const known = own(model.incidents, event.component);
  const { [event.component]: _, ...others } = model.incidents;
  const before = model.closedIncidents.find((one) => one.incident === incident);
  const at = before === undefined || isNewer(place, before.at) ? place : before.at;
  const rest = model.closedIncidents.filter((one) => one !== before);
  // Across two outboxes only clocks tell, and those may be wrong: there an end is an end.
  const isOld = known?.at?.epoch === place.epoch && !isNewer(place, known.at);
  return {
    ...model,
    closedIncidents: [...rest, { incident, at }].slice(-CLOSED_INCIDENTS_MAX),
    incidents: known?.incident === incident && !isOld ? others : model.incidents,
  };
}

/** Ready is well, whoever says it: an agent that began after the failure knows nothing of the incident. */
function endIncident(model: TerminalModel, component: string, place: Place): TerminalModel {
  const known = own(model.incidents, component);
  if (known === undefined || !isNewer(place, known.at ?? NOWHERE)) return model;
  const { [component]: _, ...others } = model.incidents;
  return { ...model, incidents: others };
}

function setHold(model: TerminalModel, { fields }: PlacedEvent, place: Place): TerminalModel {
  const checked = v.safeParse(eventSchemas.hold, fields);
  if (!checked.success || !isNewer(place, model.hold?.at ?? NOWHERE)) return model;
  const { active, untilMs } = checked.output;
  const words = { by: word(fields['by']), reason: sentence(fields['reason']) };
  return { ...model, hold: { active, ...words, untilMs, at: place } };
}

function setDisk(model: TerminalModel, { fields }: PlacedEvent, place: Place): TerminalModel {
  if (!isNewer(place, model.disk?.at ?? NOWHERE)) return model;
  const told = { level: word(fields['level']), reason: sentence(fields['reason']) };
  return { ...model, disk: { ...told, at: place } };
}

const same: Rule = (model) => model;

/** Every kind that the protocol knows has an entry, so that a new one cannot be forgotten. */
const rules: Record<EventKind, Rule> = {
  agent_started: (model, event, place) => ({
    ...withRhythm(withAgent(model, event.fields, place), event, place),
    agentStarts: countEvent(model.agentStarts, place.timeMs),
  }),
  agent_stopping: same,
  inventory: (model, event, place) => {
    const known = knownFields('inventory', event.fields);
    return known === undefined ? model : setInventory(model, known, place);
  },
  component_state: (model, event, place) => {
    const known = knownFields('component_state', event.fields);
    if (known === undefined) return model;
    const next = changeState(model, event.component, known, place);
    return known.to === 'ready' ? endIncident(next, event.component, place) : next;
  },
  incident_opened: openIncident,
  incident_recovered: closeIncident,
  incident_quarantined: openIncident,
  gap: same,
  hold: setHold,
  configuration: (model, event, place) => {
    const checked = v.safeParse(eventSchemas.configuration, event.fields);
    return checked.success ? tellConfiguration(model, checked.output, place) : model;
  },
  disk: setDisk,
  away: setAway,
  // Told and searched as events; what a terminal is does not follow from them.
  ...{ recovery: same, recovery_outcome: same, recovery_suppressed: same, reboot: same },
  ...{ resource_held: same, output_dropped: same, drill: same, thinned: same },
  ...{ version_changed: same, series_left_out: same, error_signature: same },
  ...{ redaction_missed: same, identity: same, command_refused: same },
};

/** Kinds of which `component` must be a name before they become state. */
const OF_COMPONENT: readonly string[] = [
  'component_state',
  'incident_opened',
  'incident_recovered',
  'incident_quarantined',
];

/**
 * What is broken on purpose ails nobody: it is no component of the terminal and opens no incident. Its restarts are
 * counted, under its own name.
 */
function applyDrill(model: TerminalModel, event: PlacedEvent, place: Place): TerminalModel {
  if (event.kind !== 'component_state') return model;
  const next = rules.component_state(model, event, place);
  const drill = own(next.components, DRILL_COMPONENT);
  if (drill === undefined) return next;
  const components = { ...next.components, [DRILL_COMPONENT]: { ...drill, listed: false } };
  return { ...next, components };
}

function applyEvent(model: TerminalModel, event: PlacedEvent, place: Place): TerminalModel {
  const counted = { ...model, events: model.events + 1 };
  if (!Object.hasOwn(rules, event.kind)) return counted;
  if (OF_COMPONENT.includes(event.kind) && !isId(event.component)) return counted;
  if (OF_COMPONENT.includes(event.kind) && event.component === DRILL_COMPONENT) {
    return applyDrill(counted, event, place);
  }
  return rules[event.kind as EventKind](counted, event, place);
}

type BatchEvent = Extract<FleetEvent, { kind: 'batch' }>;

const countSamples = (model: TerminalModel, snapshots: readonly Snapshot[]): TerminalModel => ({
  ...model,
  samples: snapshots.reduce((sum, snapshot) => sum + snapshot.samples.length, model.samples),
});

function applyContent(
  model: TerminalModel,
  content: BatchContent,
  batch: BatchEvent,
): TerminalModel {
  switch (content.stream) {
    case 'events':
      return content.events.reduce((current, event) => {
        // Nothing happens after it was received: a clock that runs ahead must not win for ever.
        const timeMs = Math.min(event.timeMs, batch.receivedMs);
        const { epoch, seq } = batch;
        return applyEvent(current, event, { epoch, seq, index: event.index, timeMs });
      }, model);
    case 'metrics':
      return content.snapshots.reduce(
        (current, snapshot) => {
          const timeMs = Math.min(snapshot.timeMs, batch.receivedMs);
          return timeMs > current.sampleMs
            ? readSnapshot(current, snapshot.samples, timeMs)
            : current;
        },
        countSamples(model, content.snapshots),
      );
    case 'results':
    case 'logs':
    case 'traces':
    case 'undecodable':
      return model;
  }
}

function applyBatch(
  model: TerminalModel,
  batch: BatchEvent,
  limits: PresenceLimits,
): TerminalModel {
  const known = applyContent(model, batch.content, batch);
  const live = isLive(batch, known.pulse.saidMs);
  const seen = {
    ...known,
    ...spoke(known.run, known.pulse, batch.arrivedMs, live, limits),
    lastSeenMs: Math.max(model.lastSeenMs ?? 0, batch.receivedMs),
    clock: readClock(model.clock, batch),
  };
  // Nothing is made after it was received: a clock that ran ahead once must not win for ever.
  const createdMs = Math.min(batch.createdMs, batch.receivedMs);
  return createdMs >= model.clockOffsetAtMs
    ? { ...seen, clockOffsetMs: batch.clockOffsetMs, clockOffsetAtMs: createdMs }
    : seen;
}

function apply(
  model: TerminalModel,
  event: FleetEvent,
  { nowMs, wallMs }: Moment,
  limits: PresenceLimits,
): TerminalModel {
  switch (event.kind) {
    case 'opened':
      return {
        ...model,
        sessions: model.sessions + 1,
        run: opened(model.run, nowMs),
        closed: undefined,
        lastSeenMs: Math.max(model.lastSeenMs ?? 0, wallMs),
      };
    case 'closed': {
      const sessions = Math.max(0, model.sessions - 1);
      if (sessions > 0) return { ...model, sessions, closed: undefined };
      const closed = { why: event.why, timeMs: wallMs };
      return { ...model, sessions, closed, run: broken(model.run, nowMs) };
    }
    case 'batch':
      return applyBatch(model, event, limits);
    case 'tick':
      // The broker's clock was set back: nobody was seen in the future.
      return (model.lastSeenMs ?? 0) > wallMs ? { ...model, lastSeenMs: wallMs } : model;
  }
}

/** Total: any event, in any order, twice or late. */
export function step(
  model: TerminalModel,
  event: FleetEvent,
  moment: Moment,
  limits: PresenceLimits,
): { readonly model: TerminalModel; readonly effects: readonly FleetEffect[] } {
  const next = apply(model, event, moment, limits);
  const isSign = event.kind === 'batch' || event.kind === 'opened';
  const isCut = next.closed?.why === 'cut';
  const judged = (): Presence => judge(model.presence, next, isSign, moment, limits);
  const presence = isCut ? afterCut(model.presence) : judged();
  if (presence === model.presence) return { model: next, effects: [] };
  const effect: FleetEffect = { kind: 'presence', from: model.presence, to: presence };
  return { model: { ...next, presence }, effects: [effect] };
}
