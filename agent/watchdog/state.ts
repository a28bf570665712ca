// What the state machine remembers of one component, and the turn in which a step works on it. The model is
// plain data and read-only; a turn is a private draft of it plus the effects so far, so that handlers read
// like sentences and the step around them still is a pure function. Everything that fails is bounded here.

import { type Ceilings, newCeilings } from './ceilings.ts';
import type { Verdict } from './hang.ts';
import type { Cause, ComponentEffect, ComponentState, Policy, Rung } from './model.ts';
import { tenderUntil } from './tender.ts';
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
/** What stays as it is, because nothing may be done about it, is told again after so long. */
export const TELL_AGAIN_MS = 10 * 60_000;
/**
 * The plan answers an escalation within this, or the component is tried by itself: it waits for a sale at most
 * BUSY_WAIT_MS_MAX, and has its own time for stopping and for hooks.
 */
export const ESCALATION_MS_MAX = BUSY_WAIT_MS_MAX + 5 * 60_000;
/** Uses of rungs that are remembered. */
export const USES_MAX = 64;

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

/** What went wrong, and since when. */
export type Failure = Omit<Verdict, 'level'> & { readonly topFrame?: string | undefined };

/** A failure that is certain; what is left is its evidence. `judged`: later health takes it back. */
export type Condemned = Failure & {
  readonly at: number;
  readonly judged: boolean;
  /** Its evidence is in; only a tender in flight holds the kill back. */
  readonly waits?: boolean | undefined;
  /** After a new connection: until when a tender may be said again. */
  readonly sayAgainUntil?: number | undefined;
};

/** The failure that is being put right. */
export type Failed = {
  readonly cause: Cause;
  readonly reason: string;
  readonly signature: string;
  /** Somebody else is to blame: neither budget nor ladder. */
  readonly remote: boolean;
  /** It says itself that starting again cannot help. */
  readonly permanent: boolean;
};

/** The watchdog's own wish for a restart at idle; it goes on waiting when nobody else does. */
export type Wish = {
  readonly what: 'age' | 'memory' | 'descriptors' | 'cpu';
  readonly reason: string;
  readonly cause: Cause;
  /** What is wrong, when something is; age is no failure. */
  readonly failure: Failure | undefined;
};

export type Planned = {
  readonly reason: string;
  readonly cause: Cause;
  readonly commands: readonly string[];
  readonly phase: 'waiting' | 'stopping' | 'starting';
  readonly waitUntil: number;
  /** By somebody: then backoff, budget and quarantine begin anew. */
  readonly asked: boolean;
  readonly wish: Wish | undefined;
};

/** The plan's work that is waited for; `cooling`: the time until the next rung may be used. */
export type Escalation =
  | { readonly kind: 'cooling' }
  /** `counts`: it stands for a plain restart (rest_for_one), and takes of that budget. */
  | { readonly kind: 'asked'; readonly rung: Rung; readonly counts: boolean };

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
  /** While stopping: SIGABRT was sent. */
  readonly aborted: boolean;
  readonly watch: Watch;
  readonly ceilings: Ceilings;
  /** When this life is old enough for a restart at idle. */
  readonly oldAt: number | undefined;
  /** Until when each busy item forbids planned work. */
  readonly busy: ReadonlyMap<string, number>;
  readonly planned: Planned | undefined;
  readonly condemned: Condemned | undefined;
  /** By phase; `exit`: what it left when it ended by itself. */
  readonly evidence: { readonly [K in 'suspect' | 'confirmed' | 'exit']?: unknown };
  readonly evidenceAt: number | undefined;
  readonly incident: Incident | undefined;
  /** The failure that is being put right, until the next start. */
  readonly failed: Failed | undefined;
  readonly escalation: Escalation | undefined;
  /** Rungs that the plan could not do in this incident. */
  readonly refused: readonly { readonly rung: Rung; readonly at: number }[];
  /** Failures since it was last stable. */
  readonly failures: number;
  readonly restarts: readonly Restart[];
  /** Rungs that were used, oldest first; to be kept over a reboot (effect `remember`). */
  readonly uses: readonly RungUse[];
  /** Those of them, and of the plain restart, whose outcome is not known yet. */
  readonly trials: readonly RungUse[];
  /** Times at which it was asked to heal itself. */
  readonly heals: readonly number[];
  /** What was said and is not to be said again at once: key and until when. */
  readonly told: ReadonlyMap<string, number>;
  /** In this life it said that a remote party is away. */
  readonly remote: boolean;
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

/** What an earlier agent may hand over: restarts of the same boot, uses of rungs of any. `seed`: for the jitter. */
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
  aborted: false,
  watch: newWatch(0),
  ceilings: newCeilings,
  oldAt: undefined,
  busy: new Map(),
  planned: undefined,
  condemned: undefined,
  evidence: {},
  evidenceAt: undefined,
  incident: undefined,
  failed: undefined,
  escalation: undefined,
  refused: [],
  failures: 0,
  restarts: remembered.restarts ?? [],
  uses: remembered.uses ?? [],
  // A rung that was used by an earlier agent, or before a reboot, still has its outcome to come.
  trials: (remembered.uses ?? []).filter(({ held }) => held === undefined).slice(-1),
  heals: [],
  told: new Map(),
  remote: false,
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

/** It says so, or money moves: who only tells of a tender is cut off no more than who says that it is busy. */
export const isBusy = (
  { busy, watch }: Pick<Model, 'busy'> & { readonly watch?: Watch },
  now: number,
): boolean => {
  for (const until of busy.values()) if (until > now) return true;
  return watch !== undefined && tenderUntil(watch) > now;
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

/** Whether this has not been said lately; from now on it has. For what lasts and cannot be acted upon. */
export function sayOnce({ draft, now }: Turn, key: string): boolean {
  if (now < (draft.told.get(key) ?? Number.NEGATIVE_INFINITY)) return false;
  const kept = [...draft.told].filter(([, until]) => until > now);
  draft.told = new Map(kept).set(key, now + TELL_AGAIN_MS);
  return true;
}

export function mayBeSaidAgain({ draft }: Turn, key: string): void {
  if (!draft.told.has(key)) return;
  const told = new Map(draft.told);
  told.delete(key);
  draft.told = told;
}

/** One answer for each command that waited for this. */
export function answer(turn: Turn, ok: boolean, reason: string): void {
  for (const command of turn.draft.planned?.commands ?? []) {
    turn.effects.push({ kind: 'command_done', command, ok, reason });
  }
  turn.draft.planned = undefined;
}
