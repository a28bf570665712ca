// From what a person configured to what the watchdog decides by, with nothing left out on the way. A rung
// that can do nothing for a component (no dependants, no hook, no other component) is left out here, so that
// the ladder never climbs to one that is only a name.

import type { AgentConfig, ComponentConfig } from '../configuration/config.ts';
import { DEFAULTS } from '../configuration/defaults.ts';
import type { Policy, RungRule } from './watchdog/model.ts';
import type { PlanItem } from './watchdog/plan.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NO_RUNGS: readonly RungRule[] = [];

/** What of the whole till's configuration concerns one component. */
export type Till = Pick<AgentConfig, 'mode' | 'ladder' | 'components'>;

/** @param mayClimb asked each time; while not, there is no rung above restart, and quarantine follows. */
export function policyOf(
  component: ComponentConfig,
  till: Till,
  mayClimb: () => boolean = () => true,
): Policy {
  const { hang, start, stop, backoff, budget, probes, heal, age } = component;
  const rungs = rungsOf(component, till);
  return {
    component: component.name,
    version: component.version,
    mode: component.mode ?? till.mode,
    restart: component.restart,
    strategy: component.strategy,
    instrumented: component.channel,
    beatMs: component.beatMs,
    blockedMs: hang.blockedMs,
    spinningMs: hang.spinningMs,
    hasProbes: probes.length > 0,
    // One number for all: the probe that is patient speaks for the component.
    probeFailures: Math.max(1, ...probes.map((probe) => probe.failures)),
    startTimeoutMs: start.timeoutMs,
    startTimeoutMsMax: start.timeoutMsMax,
    stopGraceMs: stop.graceMs,
    graceMsMax: stop.graceMsMax,
    abortMs: stop.abortMs,
    exit: component.exit,
    age: age && { maxMs: age.maxMs, jitterMs: age.jitterMs },
    limits: component.limits,
    progressMs: component.progress?.stalledMs ?? DEFAULTS.progress.stalledMs,
    tenderMsMax: component.tenderMsMax,
    backoffMsMin: backoff.minMs,
    backoffMsMax: backoff.maxMs,
    stableMs: backoff.stableMs,
    restartsMax: budget.restarts,
    restartsWindowMs: budget.windowMs,
    budgetCauses: budget.causes,
    quarantineRetryMs: budget.retryMs,
    // Asked over the channel, or by a program of its own; without both there is nobody to ask.
    canHeal: heal !== undefined && (component.channel || heal.command !== undefined),
    heal: heal ?? DEFAULTS.ladder.heal,
    get rungs() {
      return mayClimb() ? rungs : NO_RUNGS;
    },
  };
}

function rungsOf(component: ComponentConfig, { ladder, components }: Till): RungRule[] {
  const rungs: RungRule[] = [];
  const hasDependants = components.some(({ after }) => after.includes(component.name));
  if (hasDependants) rungs.push({ rung: 'dependants', ...ladder.dependants });
  if (component.reset !== undefined) {
    const { times, windowMs, coolDownMs } = component.reset;
    rungs.push({ rung: 'reset', times, windowMs, coolDownMs });
  }
  // One that is only waited for may not have been started yet today, which is no reason to stop the others.
  if (component.run === 'external' && component.external?.start === undefined) return rungs;
  // Black boxes cannot say whether a sale goes on, and are left alone.
  const others = components.filter(({ name, channel }) => channel && name !== component.name);
  if (others.length > 0) rungs.push({ rung: 'all', ...ladder.all });
  if (ladder.reboot !== undefined) {
    // The tokens of the whole till are the plan's (recovery); this one is the component's own share.
    const { hourMax, dayMax } = DEFAULTS.ladder.reboot;
    rungs.push({ rung: 'reboot', times: dayMax, windowMs: DAY, coolDownMs: HOUR / hourMax });
  }
  return rungs;
}

export const planOf = (config: AgentConfig): readonly PlanItem[] =>
  config.components.map(({ name, after }) => ({ name, after }));
