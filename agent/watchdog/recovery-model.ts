// The vocabulary of the recovery plan: what it is told (events), what it asks for (effects), what it knows
// (model) and its settings. Types, limits and the first model only; recovery.ts holds the table. The plan does
// what takes more than one component: it never touches a process, it asks the components' own machines.
// `now` is monotonic milliseconds; reboots are counted on the machine's uptime, added up over all boots,
// because a till's wall clock can be years wrong.

import type { Cause, ComponentState, NewEvent, Rung } from '../../protocol/events.ts';
import type { PlanItem } from './plan.ts';

/** Work that is in nobody's way waits at most so long for components to be idle, then it is refused. */
export const BUSY_WAIT_MS_MAX = 15 * 60_000;
/** An escalation waits at most so long behind others: each of those may itself wait for a sale. */
export const QUEUE_MS_MAX = 30 * 60_000;
/** After the agent began or was away, what components say of themselves has to arrive first. */
export const SETTLE_MS = 5_000;
/** The hook is killed at its own time-out; this long after it the plan goes on without an answer. */
export const HOOK_EXTRA_MS = 10_000;
/** For the token of a reboot to be on disk. */
export const NOTE_MS_MAX = 10_000;
/** A machine that is still up so long after it was told to reboot does not reboot. */
export const REBOOT_MS_MAX = 5 * 60_000;
export const REBOOTS_KEPT_MAX = 8;
/** So many reboots in a row that did not help, and there is none for a day. */
export const FRUITLESS_MAX = 2;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/** How long one component may take. */
export type Timing = {
  /** From being asked to stop until it is gone, with its kill. */
  readonly stopMsMax: number;
  /** From its start until it is ready, with all extensions. */
  readonly startMsMax: number;
  /** The time-out of its deep reset hook; undefined: it has none. */
  readonly resetMs: number | undefined;
  /** Mode `observe`: nothing is done to it for the sake of another either. */
  readonly isObserved: boolean;
  /** False: nobody knows whether it is in the middle of a sale. Undefined: it says so. */
  readonly saysBusy?: boolean | undefined;
};

export type RebootRule = {
  readonly uptimeMsMin: number;
  readonly hourMax: number;
  readonly dayMax: number;
};

export type RecoverySetting = {
  readonly items: readonly PlanItem[];
  readonly timing: ReadonlyMap<string, Timing>;
  /** Undefined: no reboot hook is configured. */
  readonly reboot: RebootRule | undefined;
};

/** An operator asks for it, and hears of its end. `force`: also while somebody is busy. */
export type Asked = { readonly command: string; readonly force: boolean };

/** Rungs of the plan: dependants, reset, all, reboot; any other is refused. */
export type Escalation = {
  /** Who has failed; empty where nobody has and an operator asks. */
  readonly component: string;
  readonly rung: Rung;
  readonly incident: string;
  readonly cause: Cause;
  readonly reason: string;
  readonly signature?: string | undefined;
  /** Refused rather than wait longer: what waits is down meanwhile. */
  readonly patienceMs?: number | undefined;
  readonly asked?: Asked | undefined;
};

/** One reboot by us. `atMs`: the machine's uptime, added up over boots. `held`: did it help; undefined: not known yet. */
export type RebootToken = {
  readonly atMs: number;
  readonly component: string;
  readonly incident: string;
  readonly held?: boolean | undefined;
};

export type RecoveryEvent =
  /** The failing component is in `backoff` and waits for `launch` or `refuse`. */
  | ({ readonly kind: 'escalated' } & Escalation)
  /** At every change. */
  | { readonly kind: 'state'; readonly component: string; readonly state: ComponentState }
  | { readonly kind: 'busy'; readonly component: string; readonly busy: boolean }
  /** The deep reset hook ended. */
  | {
      readonly kind: 'hook';
      readonly component: string;
      readonly ok: boolean;
      readonly reason: string;
    }
  /** The reboot's token is on disk (fsync), or cannot be. */
  | { readonly kind: 'noted'; readonly ok: boolean; readonly reason: string }
  /** Ready for its stable time. */
  | { readonly kind: 'stable'; readonly component: string }
  /** It no longer waits for the plan: it became ready by itself, or somebody stopped it. */
  | { readonly kind: 'abandoned'; readonly component: string }
  | { readonly kind: 'hold'; readonly active: boolean }
  /** The agent itself did not run for so long; every deadline moves by it. */
  | { readonly kind: 'paused'; readonly gapMs: number }
  /** `uptimeMs`: since this boot; `totalMs`: added up over all boots. */
  | { readonly kind: 'tick'; readonly uptimeMs: number; readonly totalMs: number };

/** In the order in which they are to be done. */
export type RecoveryEffect =
  /** To the component's machine, with cause `dependency` unless it says another. */
  | {
      readonly kind: 'stop' | 'start';
      readonly component: string;
      readonly reason: string;
      readonly cause?: Cause;
    }
  /** What an operator asked for is done, or will not be. */
  | {
      readonly kind: 'answer';
      readonly command: string;
      readonly ok: boolean;
      readonly reason: string;
    }
  /** To the failing component's machine: the plan has done its part, start now. */
  | {
      readonly kind: 'launch';
      readonly component: string;
      readonly rung: Rung;
      readonly reason: string;
    }
  /** To the failing component's machine: not this rung, take the next. */
  | {
      readonly kind: 'refuse';
      readonly component: string;
      readonly rung: Rung;
      readonly reason: string;
    }
  /** Run the component's deep reset hook; answered by `hook`. */
  | {
      readonly kind: 'hook';
      readonly component: string;
      readonly incident: string;
      readonly reason: string;
    }
  /** Write these and fsync them; answered by `noted`. */
  | { readonly kind: 'note_reboot'; readonly reboots: readonly RebootToken[] }
  /** Run the reboot hook; nobody answers. */
  | {
      readonly kind: 'reboot';
      readonly component: string;
      readonly incident: string;
      readonly cause: Cause;
      readonly reason: string;
    }
  /** These changed: keep them with the next write. */
  | { readonly kind: 'remember'; readonly reboots: readonly RebootToken[] }
  | { readonly kind: 'report'; readonly event: NewEvent }
  /** Keep this over the agent's own death, in the boot's folder; undefined: nothing is under way. */
  | { readonly kind: 'persist'; readonly interrupted: Interrupted | undefined };

/** What an agent that died in the middle leaves to the next: who has to be started again. */
export type Interrupted = {
  readonly component: string;
  readonly rung: Rung;
  readonly members: readonly string[];
};

export const PHASES = [
  'idle',
  'waiting',
  'stopping',
  'resetting',
  'starting',
  'noting',
  'rebooting',
] as const;
export type Phase = (typeof PHASES)[number];

/**
 * A component in an operation. active: not asked to stop yet; asked: to stop; down: it is; stuck: it does not
 * die; called: was told to start; begun: its machine took that up.
 */
export type Progress = 'active' | 'asked' | 'down' | 'stuck' | 'called' | 'begun';
export type Member = {
  readonly name: string;
  readonly progress: Progress;
  /** Since when it is so; of an active one: since when it would be its turn, were it not busy. */
  readonly at: number | undefined;
};

export type Operation = Escalation & {
  /** In start order; the failing component itself stands in its place. */
  readonly members: readonly Member[];
  /** Whether the failing component still is to be launched by the plan. */
  readonly launches: boolean;
  /** When this phase began. */
  readonly since: number;
};

export type Queued = Escalation & { readonly deadline: number };

export type RecoveryModel = {
  readonly phase: Phase;
  /** When this phase is looked at again at the latest; undefined only in `idle`. */
  readonly deadline: number | undefined;
  readonly operation: Operation | undefined;
  /** At most one for each component, in the order in which they came. */
  readonly queue: readonly Queued[];
  readonly states: ReadonlyMap<string, ComponentState>;
  readonly busy: ReadonlySet<string>;
  readonly held: boolean;
  /** Before this nobody is believed to be idle. */
  readonly settledAt: number;
  readonly uptimeMs: number | undefined;
  readonly totalMs: number | undefined;
  /** The newest last. */
  readonly reboots: readonly RebootToken[];
};

export type RecoveryDraft = { -readonly [K in keyof RecoveryModel]: RecoveryModel[K] };
export type RecoveryTurn = {
  readonly setting: RecoverySetting;
  readonly now: number;
  readonly draft: RecoveryDraft;
  readonly effects: RecoveryEffect[];
};
export type RecoveryStep = {
  readonly model: RecoveryModel;
  readonly effects: readonly RecoveryEffect[];
};

export type RecoveryRemembered = {
  readonly reboots?: readonly RebootToken[] | undefined;
  /** Of the same boot only: after a reboot everybody is started anyway. */
  readonly interrupted?: Interrupted | undefined;
  readonly held?: boolean | undefined;
};
