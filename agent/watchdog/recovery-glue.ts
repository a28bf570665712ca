// What ties the machines of the components to the recovery plan, shared by the supervisor and the simulation so
// that what is proven there is what runs on a till: which news of a component the plan hears, and what a wish
// of the plan is to a component. Pure translation; it decides nothing.

import { isBusy, type Model } from './machine.ts';
import type { ComponentEffect, ComponentEvent, Policy } from './model.ts';
import type { PlanItem } from './plan.ts';
import type {
  RebootRule,
  RecoveryEffect,
  RecoveryEvent,
  RecoveryModel,
  RecoverySetting,
  Timing,
} from './recovery-model.ts';
import { DEATH_MS_MAX } from './state.ts';

/** @param resetMs the time-outs of those components that have a deep reset hook. */
export function settingOf(
  items: readonly PlanItem[],
  policies: readonly Policy[],
  resetMs: ReadonlyMap<string, number>,
  reboot: RebootRule | undefined,
): RecoverySetting {
  const timing = new Map<string, Timing>();
  for (const policy of policies) {
    const { component, stopGraceMs, graceMsMax, startTimeoutMsMax, instrumented } = policy;
    timing.set(component, {
      // Killed at the end of its grace, and once more when that was not enough.
      stopMsMax: Math.max(stopGraceMs, graceMsMax) + policy.abortMs + 2 * DEATH_MS_MAX,
      startMsMax: startTimeoutMsMax,
      resetMs: resetMs.get(component),
      // Asked each time: it can change while the agent runs.
      get isObserved() {
        return policy.mode === 'observe';
      },
      saysBusy: instrumented,
    });
  }
  return { items, timing, reboot };
}

/**
 * What the plan has to hear after one step of a component's machine, in this order.
 * @param known the plan's model: it is told what differs from what it knows.
 */
export function newsOf(
  known: RecoveryModel,
  model: Model,
  stableMs: number,
  effects: readonly ComponentEffect[],
  now: number,
): readonly RecoveryEvent[] {
  const { component, state } = model;
  const news: RecoveryEvent[] = [];
  if (known.states.get(component) !== state) news.push({ kind: 'state', component, state });
  const busy = isBusy(model, now);
  if (known.busy.has(component) !== busy) news.push({ kind: 'busy', component, busy });
  const isStable =
    state === 'ready' && model.readyAt !== undefined && now - model.readyAt >= stableMs;
  const awaited = known.reboots.some(
    (token) => token.component === component && token.held === undefined,
  );
  if (isStable && awaited) news.push({ kind: 'stable', component });
  for (const effect of effects) {
    if (effect.kind !== 'escalate') continue;
    const { kind: _, ...escalation } = effect;
    news.push({ kind: 'escalated', component, ...escalation });
  }
  return news;
}

export type Wish = { readonly component: string; readonly event: ComponentEvent };

/** What an effect of the plan is to the machine of a component; undefined: it is for the supervisor itself. */
export function wishOf(effect: RecoveryEffect): Wish | undefined {
  switch (effect.kind) {
    case 'stop':
    case 'start': {
      const { kind, component, reason, cause = 'dependency' } = effect;
      return { component, event: { kind, reason, cause } };
    }
    case 'launch': {
      const { kind, component, rung, reason } = effect;
      return { component, event: { kind, rung, reason } };
    }
    case 'refuse': {
      const { component, rung, reason } = effect;
      return { component, event: { kind: 'refused', rung, reason } };
    }
    default:
      return undefined;
  }
}
