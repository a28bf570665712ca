// The vocabulary of the component state machine: what it is told (events), what it asks for (effects)
// and what it knows (model). Types only; machine.ts holds the decisions, act.ts the execution. All times
// are monotonic milliseconds that come in with `now`; nothing here reads a clock.

import type { Cause, ComponentState, NewEvent } from '../../protocol/events.ts';

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
  | { readonly kind: 'start'; readonly reason: string }
  | { readonly kind: 'spawned'; readonly instance: string; readonly pid: number }
  | { readonly kind: 'spawn_failed'; readonly reason: string }
  /** A copy that an earlier agent started is still alive. `wasReady`: as that agent last recorded. */
  | {
      readonly kind: 'adopted';
      readonly instance: string;
      readonly pid: number;
      readonly wasReady: boolean;
    }
  /** Its main loop has connected, perhaps again: it now says anew all that is still true. */
  | { readonly kind: 'connected' }
  /** It speaks faster than the agent listens: words of it wait. */
  | { readonly kind: 'delayed' }
  | { readonly kind: 'ready' }
  | { readonly kind: 'beat'; readonly loopDelayMsMax: number }
  | { readonly kind: 'extend'; readonly ms: number }
  | { readonly kind: 'trouble'; readonly reason: string }
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
    }
  /** Without `phase` it belongs to whatever was asked for last. */
  | {
      readonly kind: 'evidence';
      readonly summary: unknown;
      readonly phase?: 'suspect' | 'confirmed' | undefined;
    }
  | { readonly kind: 'stop'; readonly reason: string }
  /** Planned: waits while busy, unless forced. */
  | {
      readonly kind: 'restart';
      readonly reason: string;
      readonly command: string | undefined;
      readonly force: boolean;
    }
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
  | { readonly kind: 'persist' };

export type Proof =
  | 'missed_beats'
  | 'overdue_work'
  | 'probes_failed'
  | 'thread_stopped'
  | 'thread_blocked'
  | 'thread_spinning';

export type { Cause, ComponentState };
