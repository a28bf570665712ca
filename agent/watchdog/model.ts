// The vocabulary of the component state machine: what it is told (events), what it asks for (effects)
// and what it knows (model). Types only; machine.ts holds the decisions, act.ts the execution. All times
// are monotonic milliseconds that come in with `now`; nothing here reads a clock.

import type { Cause, ComponentState, Mode, NewEvent, Rung } from '../../protocol/events.ts';

/** How often a rung may be used, and how long after it nothing above `restart` is. */
export type RungBudget = {
  readonly times: number;
  readonly windowMs: number;
  readonly coolDownMs: number;
};
/** A rung above `restart` that can be used for this component. */
export type RungRule = RungBudget & {
  readonly rung: Exclude<Rung, 'heal' | 'restart' | 'quarantine'>;
};

/** Ceilings that a restart at idle puts right: over at `k` of the last `n` looks. */
export type Limits = {
  readonly memoryBytes?: number | undefined;
  readonly descriptors?: number | undefined;
  /** Of the process's own limit. */
  readonly descriptorsRatio: number;
  /** Of one core. */
  readonly cpuRatio?: number | undefined;
  readonly everyMs: number;
  readonly k: number;
  readonly n: number;
};

/** How one component is to be treated; from its configuration, defaults filled in. */
export type Policy = {
  readonly component: string;
  readonly version: string;
  /** OTP's words: always restart, restart after abnormal exit, never restart. */
  readonly restart: 'permanent' | 'transient' | 'temporary';
  /** Whether it speaks the component channel. A black box counts as ready by its probes. */
  readonly instrumented: boolean;
  readonly beatMs: number;
  /** A stopped or blocked main thread is confirmed after this long without a beat. */
  readonly blockedMs: number;
  /** A spinning one after this long: it could be a long computation or a collection. */
  readonly spinningMs: number;
  readonly hasProbes: boolean;
  /** Consecutive failures that make one proof. */
  readonly probeFailures: number;
  readonly startTimeoutMs: number;
  readonly startTimeoutMsMax: number;
  readonly stopGraceMs: number;
  readonly backoffMsMin: number;
  readonly backoffMsMax: number;
  /** Ready for this long: the next failure is a new incident with a fresh backoff. */
  readonly stableMs: number;
  readonly restartsMax: number;
  readonly restartsWindowMs: number;
  readonly quarantineRetryMs: number;
  /** In `observe` everything is decided, explained and counted, and nothing is killed. */
  readonly mode: Mode;
  /** rest_for_one: at every failure what comes after it is restarted with it. */
  readonly strategy: 'one_for_one' | 'rest_for_one';
  /** What its exit codes mean; any other one is a failure. */
  readonly exit: {
    readonly success: readonly number[];
    /** Starting again cannot help (s6: 125). */
    readonly permanent: readonly number[];
    /** The fault of somebody else (sysexits(3): 75): backoff only. */
    readonly remote: readonly number[];
  };
  /** Between SIGABRT and SIGKILL, for a dump; 0: no SIGABRT. */
  readonly abortMs: number;
  /** A stop may be extended up to this. */
  readonly graceMsMax: number;
  /** Restarted at idle when it is older; `jitterMs` spreads a fleet. */
  readonly age: { readonly maxMs: number; readonly jitterMs: number } | undefined;
  readonly limits: Limits;
  /** Fewer restarts for one cause; all count against `restartsMax`. */
  readonly budgetCauses: { readonly [K in Cause]?: number | undefined };
  /** A hang is not killed while a tender is in flight: until its own deadline, at most this. */
  readonly tenderMsMax: number;
  /** Whether it can be asked to heal itself, and how often. */
  readonly canHeal: boolean;
  readonly heal: RungBudget;
  /** From the gentlest. */
  readonly rungs: readonly RungRule[];
  /** Work waits and nothing completes for so long: stalled. */
  readonly progressMs: number;
};

/** One look at the main thread (proc(5): task/PID/stat, status and schedstat). */
export type ThreadSample = {
  /** R running or runnable, S sleeping, D disk sleep, T stopped, t traced, Z zombie, X dead. */
  readonly state: string;
  readonly cpuMs: number;
  readonly voluntarySwitches: number;
  /** Time spent runnable and waiting for a processor: tells starved from stuck. */
  readonly runDelayMs: number;
};

export type ComponentEvent =
  /** With a cause it counts as a restart: as a member of another component's recovery. */
  | { readonly kind: 'start'; readonly reason: string; readonly cause?: Cause | undefined }
  | { readonly kind: 'spawned'; readonly instance: string; readonly pid: number }
  | { readonly kind: 'spawn_failed'; readonly reason: string }
  /** A copy that an earlier agent started is still alive. `wasReady`: as that agent last recorded. */
  | {
      readonly kind: 'adopted';
      readonly instance: string;
      readonly pid: number;
      readonly wasReady: boolean;
      /** Its main thread was seen to wake by itself: if it no longer does, it is stuck. */
      readonly turns?: boolean | undefined;
      /** How long it has run already, where that is known. */
      readonly ageMs?: number | undefined;
    }
  /** Its main loop has connected, perhaps again: it now says anew all that is still true. */
  | { readonly kind: 'connected' }
  /** It speaks faster than the agent listens: words of it wait. */
  | { readonly kind: 'delayed' }
  | { readonly kind: 'ready' }
  | { readonly kind: 'beat'; readonly loopDelayMsMax: number }
  | { readonly kind: 'extend'; readonly ms: number }
  /** `remote`: somebody else is to blame: told, and no restart. */
  | { readonly kind: 'trouble'; readonly reason: string; readonly remote?: boolean | undefined }
  | {
      readonly kind: 'busy';
      readonly id: string;
      readonly reason: string;
      readonly ceilingMs: number;
    }
  | { readonly kind: 'idle'; readonly id: string }
  | {
      readonly kind: 'begin';
      readonly id: string;
      readonly name: string;
      readonly deadlineMs: number;
      /** Of the deadline, when the work began before it could be told. */
      readonly leftMs?: number | undefined;
    }
  | { readonly kind: 'touch'; readonly id: string }
  | { readonly kind: 'end'; readonly id: string }
  | {
      readonly kind: 'probe';
      readonly probe: string;
      readonly ok: boolean;
      readonly reason: string;
    }
  | { readonly kind: 'sample'; readonly sample: ThreadSample }
  | {
      readonly kind: 'exited';
      readonly code: number | undefined;
      readonly signal: string | undefined;
      /** Of an end that nobody asked for: its last lines and what was in flight. */
      readonly evidence?: unknown;
    }
  /** Without `phase` it belongs to whatever was asked for last. */
  | {
      readonly kind: 'evidence';
      readonly summary: unknown;
      readonly phase?: 'suspect' | 'confirmed' | undefined;
      /** Innermost frame of the main thread; the same one twice is a proof. */
      readonly topFrame?: string | undefined;
    }
  | { readonly kind: 'stop'; readonly reason: string; readonly cause?: Cause | undefined }
  /** Planned: waits while busy, unless forced. `cause`: operator, unless it says otherwise. */
  | {
      readonly kind: 'restart';
      readonly reason: string;
      readonly command: string | undefined;
      readonly force: boolean;
      readonly cause?: Cause | undefined;
    }
  /** Each `limits.everyMs`: memory and processor time of its whole tree, descriptors of its main process. */
  | {
      readonly kind: 'usage';
      readonly residentBytes: number;
      readonly descriptors?: number | undefined;
      /** The process's own limit. */
      readonly descriptorsMax?: number | undefined;
      /** Since its start. */
      readonly cpuSeconds: number;
    }
  /** From a scrape of its own metrics. `remoteDown`: what it waits for is not on this machine. */
  | {
      readonly kind: 'progress';
      readonly waiting: number;
      readonly completed: number;
      readonly remoteDown: boolean;
    }
  /** /proc/pressure/cpu, `some` of the last 10 s, in percent: is the whole machine starved? */
  | { readonly kind: 'pressure'; readonly cpuSome: number }
  /** A debugger of its own language holds it, which /proc cannot show. */
  | { readonly kind: 'debugged' }
  /** A technician holds the till, or lets it go. */
  | { readonly kind: 'hold'; readonly active: boolean }
  /** An operator gives back the used budgets. */
  | { readonly kind: 'refill' }
  /** What became of asking it to heal itself. */
  | { readonly kind: 'healed'; readonly ok: boolean; readonly reason: string }
  /** The plan has done its part of an escalation: start now. */
  | { readonly kind: 'launch'; readonly rung: Rung; readonly reason: string }
  /** The plan cannot do that rung: take the next. */
  | { readonly kind: 'refused'; readonly rung: Rung; readonly reason: string }
  /** The agent itself did not run for so long; every live deadline moves by it. */
  | { readonly kind: 'paused'; readonly gapMs: number }
  | { readonly kind: 'tick' };

/** In the order in which they are to be done. */
export type ComponentEffect =
  | { readonly kind: 'spawn'; readonly reason: string }
  /** Ask over the channel and with SIGTERM. */
  | { readonly kind: 'terminate'; readonly graceMs: number; readonly reason: string }
  /** End the whole tree with SIGKILL. */
  | { readonly kind: 'kill'; readonly reason: string }
  | {
      readonly kind: 'collect_evidence';
      readonly phase: 'suspect' | 'confirmed';
      readonly incident: string;
    }
  | { readonly kind: 'report'; readonly event: NewEvent }
  | { readonly kind: 'count_restart'; readonly cause: Cause }
  | {
      readonly kind: 'command_done';
      readonly command: string;
      readonly ok: boolean;
      readonly reason: string;
    }
  /** Keep what must outlive the agent: desired state, readiness, budget. */
  | { readonly kind: 'persist' }
  /** Let it try by itself: the heal hook, or the word over the channel. Answered by `healed`. */
  | { readonly kind: 'heal'; readonly incident: string }
  /** SIGABRT to the main process, for a dump, before the kill. */
  | { readonly kind: 'abort'; readonly reason: string }
  /** More than a restart of it alone: the plan's work. Answered by `launch` or `refused`. */
  | {
      readonly kind: 'escalate';
      readonly rung: Rung;
      readonly incident: string;
      readonly cause: Cause;
      readonly reason: string;
      readonly signature: string;
      /** It is refused rather than wait longer for those that are busy; undefined: as long as the plan waits. */
      readonly patienceMs?: number | undefined;
    }
  | { readonly kind: 'count_recovery'; readonly rung: Rung; readonly cause: Cause }
  | { readonly kind: 'count_outcome'; readonly rung: Rung; readonly held: boolean }
  | { readonly kind: 'count_suppressed'; readonly rung: Rung; readonly cause: Cause }
  /** The uses of rungs changed: keep them over a reboot. */
  | { readonly kind: 'remember' };

export type Proof =
  | 'missed_beats'
  | 'overdue_work'
  | 'probes_failed'
  | 'thread_stopped'
  | 'thread_blocked'
  | 'thread_spinning'
  | 'same_frame'
  | 'no_progress';

export type { Cause, ComponentState, Rung };
