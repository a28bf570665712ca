// What the registry knows of one terminal: plain data that goes into its database as JSON and comes
// back unchanged. Facts that may arrive late or twice carry the place they were read at, so that an
// older one never overwrites a newer one.

import type {
  AwayReason,
  Cause,
  ComponentState,
  Mode,
  TerminalEvent,
} from '../../protocol/events.ts';
import type { Snapshot } from '../../protocol/metric-body.ts';
import type { Stream } from '../../protocol/wire.ts';
import type { ConfigurationModel, RefusedModel } from './configuration.ts';
import { NO_PULSE, NO_RUN, type Presence, type Pulse, type Run } from './presence.ts';
import { NO_TALLY, type Tally } from './tally.ts';

/** Components of one terminal, and counters of restarts of one component (cause and version). */
export const COMPONENTS_MAX = 64;
export const RESTART_COUNTERS_MAX = 64;
/** Incidents that are over, remembered with the place of their end in case their opening arrives after it. */
export const CLOSED_INCIDENTS_MAX = 32;
/** Names and versions are cut to this before they become state or labels. */
export const WORD_CHARS_MAX = 64;

/** Where a fact stands: within one outbox by number, across outboxes by time. */
export type Place = {
  readonly epoch: string;
  readonly seq: number;
  readonly index: number;
  readonly timeMs: number;
};
export const NOWHERE: Place = { epoch: '', seq: 0, index: 0, timeMs: 0 };

/** The terminal's clock may be set back and forth, its sequence numbers may not. */
export const isNewer = (place: Place, known: Place): boolean =>
  place.epoch === known.epoch
    ? place.seq > known.seq || (place.seq === known.seq && place.index > known.index)
    : place.timeMs >= known.timeMs;

/** `constructor` is a valid component name; what an object inherits is not a component. */
export const own = <T>(record: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(record, key) ? record[key] : undefined;

export type ComponentModel = {
  readonly version: string;
  /** As its inventory says; agents before 0.2 did not. */
  readonly mode?: Mode | undefined;
  /** False once a newer inventory no longer names it; its restarts still count. */
  readonly listed: boolean;
  readonly state: ComponentState | 'unknown';
  readonly stateAt: Place;
  /** When a sample last corrected the state. */
  readonly stateSampleMs: number;
  readonly sinceMs: number | undefined;
  readonly reason: string;
  readonly cause: Cause | undefined;
  readonly pid: number | undefined;
  readonly instance: string | undefined;
  /** By `cause version`. */
  readonly restarts: Readonly<Record<string, Tally>>;
};

export const NEW_COMPONENT: ComponentModel = {
  version: '',
  listed: true,
  state: 'unknown',
  stateAt: NOWHERE,
  stateSampleMs: 0,
  sinceMs: undefined,
  reason: '',
  cause: undefined,
  pid: undefined,
  instance: undefined,
  restarts: {},
};

export type Incident = {
  readonly incident: string;
  readonly cause: string;
  readonly reason: string;
  readonly openedMs: number;
  readonly quarantined: boolean;
  /** Of the newest word of it; absent in records of older brokers. */
  readonly at?: Place | undefined;
};

/** What samples last said of a device; `signs` are its troubles in words, by kind. */
export type DeviceModel = {
  readonly component: string;
  readonly device: string;
  readonly state: string;
  readonly signs: Readonly<Record<string, string>>;
  readonly atMs: number;
};

/** A technician holds the terminal: its watchdog only observes. */
export type Hold = {
  readonly active: boolean;
  readonly by: string;
  readonly reason: string;
  readonly untilMs: number | undefined;
  readonly at: Place;
};
/** What the terminal gives up for want of disk. */
export type DiskModel = { readonly level: string; readonly reason: string; readonly at: Place };

/** The last time without the broker, as its agent told it afterwards. */
export type Absence = {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly why: AwayReason;
  /** Milliseconds by reason. */
  readonly parts: Readonly<Partial<Record<AwayReason, number>>>;
  readonly reason: string;
};

/** How far its own clock is ahead of the broker's, and how much of that it knows and corrects. */
export type ClockModel = {
  readonly skewMs: number;
  readonly leftMs: number;
  readonly atMs: number;
};

export type TerminalModel = {
  readonly id: string;
  readonly store: string;
  /** Whether the configuration names it; a terminal that it does not name keeps its history. */
  readonly planned: boolean;
  /** It is no part of the fleet any more: in no count, its history can still be read. */
  readonly retired?: boolean | undefined;
  /** Open MQTT sessions; two for a moment while a reconnect takes over. */
  readonly sessions: number;
  readonly closed: { readonly why: string; readonly timeMs: number } | undefined;
  readonly presence: Presence;
  /** The rhythm of its live batches; absent in records of older brokers. */
  readonly pulse: Pulse;
  /** Of this run of the broker only. */
  readonly run: Run;
  readonly lastSeenMs: number | undefined;
  readonly agent: { readonly version: string; readonly node: string; readonly at: Place };
  /** IANA name of its local time, as its inventory says; absent where none did. */
  readonly timeZone?: string | undefined;
  readonly agentStarts: Tally;
  readonly inventoryAt: Place;
  readonly components: Readonly<Record<string, ComponentModel>>;
  /** The open incident of each component. */
  readonly incidents: Readonly<Record<string, Incident>>;
  readonly closedIncidents: readonly { readonly incident: string; readonly at: Place }[];
  /** By `component/device`. */
  readonly devices: Readonly<Record<string, DeviceModel>>;
  /** Absent in records of older brokers. */
  readonly hold?: Hold | undefined;
  readonly disk?: DiskModel | undefined;
  readonly away?: Absence | undefined;
  readonly clock?: ClockModel | undefined;
  readonly configuration?: ConfigurationModel | undefined;
  readonly refusedConfiguration?: RefusedModel | undefined;
  readonly clockOffsetMs: number;
  readonly clockOffsetAtMs: number;
  /** Time of the newest snapshot: backlog that comes after it is history. */
  readonly sampleMs: number;
  readonly samples: number;
  readonly events: number;
};

export const newTerminal = (id: string, store: string, planned: boolean): TerminalModel => ({
  id,
  store,
  planned,
  sessions: 0,
  closed: undefined,
  presence: 'never',
  pulse: NO_PULSE,
  run: NO_RUN,
  lastSeenMs: undefined,
  agent: { version: '', node: '', at: NOWHERE },
  agentStarts: NO_TALLY,
  inventoryAt: NOWHERE,
  components: {},
  incidents: {},
  closedIncidents: [],
  devices: {},
  clockOffsetMs: 0,
  clockOffsetAtMs: 0,
  sampleMs: 0,
  samples: 0,
  events: 0,
});

/** An event with its place in the batch that brought it. */
export type PlacedEvent = TerminalEvent & { readonly index: number };

export type BatchContent =
  | { readonly stream: 'events'; readonly events: readonly PlacedEvent[] }
  | { readonly stream: 'metrics'; readonly snapshots: readonly Snapshot[] }
  | { readonly stream: Exclude<Stream, 'events' | 'metrics'> | 'undecodable' };

export type FleetEvent =
  | { readonly kind: 'opened' }
  /** `why`: gone, lost, taken_over ...: a hint for people, never a proof of health. */
  | { readonly kind: 'closed'; readonly why: string }
  | {
      readonly kind: 'batch';
      readonly epoch: string;
      readonly seq: number;
      readonly receivedMs: number;
      /** The same on the monotonic clock of this run. */
      readonly arrivedMs: number;
      readonly createdMs: number;
      readonly clockOffsetMs: number;
      readonly content: BatchContent;
    }
  | { readonly kind: 'tick' };

export type FleetEffect = {
  readonly kind: 'presence';
  readonly from: Presence;
  readonly to: Presence;
};
