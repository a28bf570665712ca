// What a checker is shown: one step of one machine, and how the till truly is at that moment. Objects are used
// again from step to step, because millions of them would be the most of the work: a checker keeps what it
// needs, not the object.

import type { Model } from '../../agent/watchdog/machine.ts';
import type { ComponentEffect, ComponentEvent, Policy } from '../../agent/watchdog/model.ts';
import type { PlanItem } from '../../agent/watchdog/plan.ts';
import type {
  RecoveryEffect,
  RecoveryEvent,
  RecoveryModel,
  RecoverySetting,
} from '../../agent/watchdog/recovery.ts';
import type { ComponentState } from '../../protocol/events.ts';

/** The truth about the whole till; nothing here comes from a machine's own books but its state. */
export type TillView = {
  readonly items: readonly PlanItem[];
  readonly setting: RecoverySetting;
  /** Since boot, and added up over boots; sleep counts. */
  uptimeMs: number;
  totalMs: number;
  held: boolean;
  stateOf(component: string): ComponentState;
  /** A sale that the component had told is open, its process lives and its ceiling is not over. */
  isSelling(component: string): boolean;
};

export type Seen = {
  till: TillView;
  event: ComponentEvent;
  now: number;
  before: Pick<Model, 'state' | 'deadline'>;
  after: Pick<Model, 'state' | 'deadline'>;
  effects: readonly ComponentEffect[];
  /** Copies that truly live or are being started, before the effects are performed. */
  copies: number;
  /** Until when a tender is open that this agent was told of; 0: there is none. */
  tenderUntil: number;
};

export type SeenPlan = {
  till: TillView;
  event: RecoveryEvent;
  now: number;
  before: Pick<RecoveryModel, 'phase' | 'deadline' | 'queue'>;
  after: Pick<RecoveryModel, 'phase' | 'deadline' | 'queue'>;
  effects: readonly RecoveryEffect[];
};

export const newSeenPlan = (till: TillView, plan: RecoveryModel): SeenPlan => ({
  till,
  event: { kind: 'hold', active: false },
  now: 0,
  before: plan,
  after: plan,
  effects: [],
});

type Ends = {
  /** Another agent process begins; what it was told of is on disk or gone. */
  readonly newAgent?: (() => void) | undefined;
  /** The machine booted: no process is left. */
  readonly rebooted?: (() => void) | undefined;
  /** After everything was stopped. */
  readonly end?: (() => string | undefined) | undefined;
};
/** `see` gives a sentence when the rule is broken. */
export type Checker = Ends & { readonly see: (seen: Seen) => string | undefined };
export type PlanChecker = Ends & { readonly see: (seen: SeenPlan) => string | undefined };
export type MakeChecker = (policy: Policy) => Checker;
export type MakePlanChecker = (till: TillView) => PlanChecker;
