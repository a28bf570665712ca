// What the state machine remembers of one component, and the turn in which a step works on it. The model is
// plain data and read-only; a turn is a private draft of it plus the effects so far, so that handlers read
// like sentences and the step around them still is a pure function. Everything that fails is bounded here.

import type { Verdict } from './hang.ts';
import type { Cause, ComponentEffect, ComponentState, Policy, Rung } from './model.ts';
import { newWatch, type Watch } from './watch.ts';

/** Evidence is waited for at most so long: it never delays a kill further. */
export const EVIDENCE_MS_MAX = 1_500;
/** A suspicion that comes back sooner keeps the evidence it has: a slow component is not searched often. */
export const EVIDENCE_EVERY_MS = 10_000;
/** Longer evidence is cut, or the event that carries it could not travel (EVENT_JSON_CHARS_MAX). */
export const EVIDENCE_CHARS_MAX = 12_000;
/** How long a killed process may take to be gone; the kill is issued again each time. */
export const DEATH_MS_MAX = 5_000;
/** A black box without probes counts as ready when it has lived so long. */
export const READY_AGE_MS = 1_000;
/** A planned restart waits for a busy component at most so long, then it is given up, not forced. */
export const BUSY_WAIT_MS_MAX = 15 * 60_000;
export const BUSY_ITEMS_MAX = 64;
/** After a new connection, what was busy before is believed for so long. */
export const SAY_AGAIN_MS_MAX = 2_000;
/** Commands that wait for one restart together. */
export const COMMANDS_MAX = 16;

export type Exit = { readonly code: number | undefined; readonly signal: string | undefined };

/** One that counts against the budget. */
export type Restart = { readonly at: number; readonly cause: Cause };

/** A rung that was used, and what is known of its outcome. */
export type RungUse = {
  readonly rung: Rung;
  /** Monotonic, of this process; negative when it was before its start. */
  readonly at: number;
  readonly incident: string;
  readonly cause: Cause;
  readonly signature: string;
  /** Undefined: not known yet. */
  readonly held?: boolean | undefined;
};

export type Incident = {
  readonly id: string;
  readonly cause: Cause;
  readonly reason: string;
  /** Last sign of health before the newest failure in it, and when that failure was certain. */
  readonly lostAt: number;
  readonly confirmedAt: number;
  readonly attempts: number;
  /** Reported as opened and not yet as recovered. */
  readonly open: boolean;
  readonly quarantineTold: boolean;
};

/** A failure that is certain; what is left is its evidence. `judged`: later health takes it back. */
export type Condemned = Omit<Verdict, 'level'> & { readonly at: number; readonly judged: boolean };

export type Planned = {
  readonly reason: string;
  readonly commands: readonly string[];
  readonly phase: 'waiting' | 'stopping' | 'starting';
  readonly waitUntil: number;
};

export type Model = {
  readonly component: string;
  readonly state: ComponentState;
  /** When this state is looked at again at the latest; undefined only in `stopped` and a calm `ready`. */
  readonly deadline: number | undefined;
  /** Extending cannot move the deadline beyond this. */
  readonly ceilingAt: number | undefined;
  /** Whether it is to run; the operator's or the plan's wish. */
  readonly wanted: boolean;
  readonly process: 'none' | 'spawning' | 'alive';
  readonly instance: string | undefined;
  readonly pid: number | undefined;
  /** An exit that overtook its own `spawned`. */
  readonly earlyExit: Exit | undefined;
  readonly readyAt: number | undefined;
  /** While stopping: SIGKILL was sent; it was told that it does not help. */
  readonly killed: boolean;
  readonly unkillableTold: boolean;
  readonly watch: Watch;
  /** Until when each busy item forbids planned work. */
  readonly busy: ReadonlyMap<string, number>;
  readonly planned: Planned | undefined;
  readonly condemned: Condemned | undefined;
  readonly evidence: { readonly suspect?: unknown; readonly confirmed?: unknown };
  readonly evidenceAt: number | undefined;
  readonly incident: Incident | undefined;
  /** The failure that is being put right, until the next start. */
  readonly failed: { readonly cause: Cause; readonly reason: string } | undefined;
  /** Failures since it was last stable. */
  readonly failures: number;
  readonly restarts: readonly Restart[];
  /** Rungs that were used, oldest first; to be kept over a reboot (effect `remember`). */
  readonly uses: readonly RungUse[];
  /** A technician holds the till: as in `observe`. */
  readonly held: boolean;
  /** Slow retries so far; undefined: not in quarantine. */
  readonly quarantine: number | undefined;
  readonly random: number;
};

export type Draft = { -readonly [K in keyof Model]: Model[K] };
export type Turn = {
  readonly policy: Policy;
  readonly now: number;
  readonly draft: Draft;
  readonly effects: ComponentEffect[];
};

/**
 * What an earlier agent may hand over: restarts of the same boot, uses of rungs of any. `seed`: any number, for
 * the jitter.
 */
export type Remembered = {
  readonly seed?: number;
  readonly restarts?: readonly Restart[];
  readonly uses?: readonly RungUse[];
};

export const initialModel = (policy: Policy, remembered: Remembered = {}): Model => ({
  component: policy.component,
  state: 'stopped',
  deadline: undefined,
  ceilingAt: undefined,
  wanted: false,
  process: 'none',
  instance: undefined,
  pid: undefined,
  earlyExit: undefined,
  readyAt: undefined,
  killed: false,
  unkillableTold: false,
  watch: newWatch(0),
  busy: new Map(),
  planned: undefined,
  condemned: undefined,
  evidence: {},
  evidenceAt: undefined,
  incident: undefined,
  failed: undefined,
  failures: 0,
  restarts: remembered.restarts ?? [],
  uses: remembered.uses ?? [],
  held: false,
  quarantine: undefined,
  random: remembered.seed ?? 1,
});

/** Answers requests: ready, or suspect and not proven otherwise. */
export const isUp = (model: Pick<Model, 'state'>): boolean =>
  model.state === 'ready' || model.state === 'suspect';

/** Age of the last sign of health (beat, or good probe of a black box), for metrics. */
export const healthAgeMs = (model: Model, now: number): number | undefined =>
  isUp(model) ? Math.max(0, now - model.watch.goodAt) : undefined;

export const isBusy = (model: Pick<Model, 'busy'>, now: number): boolean => {
  for (const until of model.busy.values()) if (until > now) return true;
  return false;
};

/** Changes state and says so; `deadline` is part of every change, so that none can be forgotten. */
export function move(
  turn: Turn,
  to: ComponentState,
  deadline: number | undefined,
  reason: string,
  cause?: Cause,
): void {
  const { draft } = turn;
  const from = draft.state;
  draft.state = to;
  draft.deadline = deadline;
  tellState(turn, from, reason, cause);
  if (to === 'stopped') draft.ceilingAt = undefined;
  if (!isUp(draft)) draft.readyAt = undefined;
}

export function tellState(turn: Turn, from: ComponentState, reason: string, cause?: Cause): void {
  const { draft, policy } = turn;
  const fields = {
    from,
    to: draft.state,
    reason,
    version: policy.version,
    ...(cause === undefined ? {} : { cause }),
    ...(draft.instance === undefined ? {} : { instance: draft.instance }),
    ...(draft.pid === undefined ? {} : { pid: draft.pid }),
  };
  const event = { kind: 'component_state', component: policy.component, fields } as const;
  turn.effects.push({ kind: 'report', event });
}

/** One answer for each command that waited for this. */
export function answer(turn: Turn, ok: boolean, reason: string): void {
  for (const command of turn.draft.planned?.commands ?? []) {
    turn.effects.push({ kind: 'command_done', command, ok, reason });
  }
  turn.draft.planned = undefined;
}
