// What the API tells of one terminal. Reachability and health are two things (design.md section 5): presence says only how long it has been
// silent; what its components do is said beside it, as it was last known.

import { CAUSES, type Cause, type ComponentState, type Mode } from '../../protocol/events.ts';
import type { IdentityView } from '../identity/types.ts';
import { type Describe, type Described, describedOf, UNDESCRIBED } from './describe.ts';
import { type Absence, type ComponentModel, own, type TerminalModel } from './model.ts';
import type { Presence } from './presence.ts';
import { totalOf } from './tally.ts';

export { PRESENCES, type Presence, type PresenceLimits } from './presence.ts';

export type ComponentView = {
  readonly name: string;
  readonly version: string;
  /** observe: decided and told, not acted on. */
  readonly mode: Mode;
  readonly state: ComponentState | 'unknown';
  readonly restarts: Readonly<Partial<Record<Cause, number>>>;
  readonly restartsTotal: number;
  readonly lastReason: string;
  readonly lastCause: Cause | undefined;
  readonly pid: number | undefined;
  readonly instance: string | undefined;
  readonly sinceMs: number | undefined;
};

export type IncidentView = {
  readonly incident: string;
  readonly component: string;
  readonly cause: string;
  readonly reason: string;
  readonly openedMs: number;
  readonly quarantined: boolean;
  /** Id of the request for its last lines, which the broker makes by itself. */
  readonly logs?: string;
};
/** The request for the last lines of an incident, if there is one. */
export type LogsOf = (terminal: string, incident: string) => string | undefined;
export const withLogs = <T extends object>(
  of: T,
  logs: string | undefined,
): T & { logs?: string } => (logs === undefined ? of : { ...of, logs });

export type DeviceView = {
  readonly component: string;
  readonly device: string;
  /** A UnifiedPOS state in lower case, or unknown. */
  readonly state: string;
  /** What is wrong with it, in words: out of paper, cover open, offline. */
  readonly troubles: readonly string[];
  readonly atMs: number;
};

export type TerminalView = Described & {
  readonly id: string;
  readonly store: string;
  /** Who it is to this broker; undefined while nobody did anything about that. */
  readonly identity: IdentityView | undefined;
  readonly presence: Presence;
  readonly connected: boolean;
  readonly lastSeenMs: number | undefined;
  /** How the last session ended, while none is open: a hint, nothing more. */
  readonly closed: { readonly why: string; readonly timeMs: number } | undefined;
  readonly agent: { readonly version: string; readonly node: string; readonly starts: number };
  /** IANA name of its local time; undefined where it never said. */
  readonly timeZone: string | undefined;
  readonly components: readonly ComponentView[];
  readonly openIncidents: readonly IncidentView[];
  readonly devices: readonly DeviceView[];
  /** While a technician holds it. */
  readonly held:
    | { readonly by: string; readonly reason: string; readonly untilMs: number }
    | undefined;
  /** While it gives up something for want of disk. */
  readonly disk: { readonly level: string; readonly reason: string } | undefined;
  /** The last time without the broker, and why. */
  readonly away: Absence | undefined;
  readonly clockOffsetMs: number;
  /** The terminal's own clock minus the broker's. */
  readonly clockSkewMs: number | undefined;
  /** How much of that is left in the times that it sends. */
  readonly clockLeftMs: number | undefined;
  readonly samples: number;
  readonly events: number;
};

/** One restart counter of one component, for the fleet's sums. */
export type RestartCount = {
  readonly component: string;
  readonly cause: Cause;
  readonly version: string;
  readonly count: number;
};

function countsOf(name: string, component: ComponentModel): RestartCount[] {
  return Object.entries(component.restarts).flatMap(([key, tally]) => {
    const cause = CAUSES.find((known) => key.startsWith(`${known} `));
    if (cause === undefined) return [];
    const version = key.slice(cause.length + 1);
    return [{ component: name, cause, version, count: totalOf(tally) }];
  });
}

/** Also of components that are no longer listed: a counter must not sink. */
export const restartCounts = (model: TerminalModel): readonly RestartCount[] =>
  Object.entries(model.components).flatMap(([name, component]) => countsOf(name, component));

function componentView(name: string, component: ComponentModel): ComponentView {
  const restarts: Partial<Record<Cause, number>> = {};
  let restartsTotal = 0;
  for (const { cause, count } of countsOf(name, component)) {
    restarts[cause] = (restarts[cause] ?? 0) + count;
    restartsTotal += count;
  }
  return {
    name,
    version: component.version,
    mode: component.mode ?? 'act',
    state: component.state,
    restarts,
    restartsTotal,
    lastReason: component.reason,
    lastCause: component.cause,
    pid: component.pid,
    instance: component.instance,
    sinceMs: component.sinceMs,
  };
}

const byName = (a: readonly [string, unknown], b: readonly [string, unknown]): number =>
  a[0] < b[0] ? -1 : 1;

/** A hold ends by itself, also on a terminal that can no longer say so. */
function heldView({ hold }: TerminalModel, nowMs: number): TerminalView['held'] {
  if (hold?.active !== true || hold.untilMs === undefined || hold.untilMs <= nowMs)
    return undefined;
  return { by: hold.by, reason: hold.reason, untilMs: hold.untilMs };
}

function diskView({ disk }: TerminalModel): TerminalView['disk'] {
  if (disk === undefined || disk.level === 'normal') return undefined;
  return { level: disk.level, reason: disk.reason };
}

export type IdentityOf = (terminal: string) => IdentityView | undefined;

export function viewOf(
  model: TerminalModel,
  nowMs: number,
  identity?: IdentityView | undefined,
  logsOf: LogsOf = () => undefined,
  describe: Describe = UNDESCRIBED,
): TerminalView {
  return {
    id: model.id,
    store: model.store,
    ...describedOf(describe, model),
    identity,
    presence: model.presence,
    connected: model.sessions > 0,
    lastSeenMs: model.lastSeenMs,
    closed: model.closed,
    agent: {
      version: model.agent.version,
      node: model.agent.node,
      starts: totalOf(model.agentStarts),
    },
    timeZone: model.timeZone,
    components: Object.entries(model.components)
      .filter(([, component]) => component.listed)
      .sort(byName)
      .map(([name, component]) => componentView(name, component)),
    // One of a component that is not configured any more can never end, and ails nobody.
    openIncidents: Object.entries(model.incidents)
      .filter(([component]) => own(model.components, component)?.listed !== false)
      .sort(byName)
      .map(([component, { at: _, ...incident }]) =>
        withLogs({ component, ...incident }, logsOf(model.id, incident.incident)),
      ),
    devices: Object.entries(model.devices)
      .sort(byName)
      .map(([, { signs, ...device }]) => ({ ...device, troubles: Object.values(signs) })),
    held: heldView(model, nowMs),
    disk: diskView(model),
    away: model.away,
    clockOffsetMs: model.clockOffsetMs,
    clockSkewMs: model.clock?.skewMs,
    clockLeftMs: model.clock?.leftMs,
    samples: model.samples,
    events: model.events,
  };
}
