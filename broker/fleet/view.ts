// What the API tells of one terminal, and how its presence follows from when it was last heard of.
// Reachability and health are two things (design.md section 5): presence says only how long it has been
// silent; what its components do is said beside it, as it was last known.

import type { Cause, ComponentState } from '../../protocol/events.ts';

export const PRESENCES = ['never', 'online', 'late', 'lost'] as const;
export type Presence = (typeof PRESENCES)[number];

/** A terminal is late after so long without a sign, and lost after so much longer. */
export type PresenceLimits = { readonly lateMs: number; readonly lostMs: number };

export type ComponentView = {
  readonly name: string;
  readonly version: string;
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
};

export type TerminalView = {
  readonly id: string;
  readonly store: string;
  readonly presence: Presence;
  readonly connected: boolean;
  readonly lastSeenMs: number | undefined;
  /** When its will last arrived: a hint that the line was cut, nothing more. */
  readonly goneMs: number | undefined;
  readonly agent: { readonly version: string; readonly node: string; readonly starts: number };
  readonly components: readonly ComponentView[];
  readonly openIncidents: readonly IncidentView[];
  readonly clockOffsetMs: number;
  readonly samples: number;
  readonly events: number;
};

/** A connected terminal that says nothing is late as well: a socket proves no progress. */
export function presenceOf(
  lastSeenMs: number | undefined,
  nowMs: number,
  limits: PresenceLimits,
): Presence {
  if (lastSeenMs === undefined) return 'never';
  const silentMs = nowMs - lastSeenMs;
  if (silentMs <= limits.lateMs) return 'online';
  return silentMs <= limits.lostMs ? 'late' : 'lost';
}
