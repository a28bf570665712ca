// From what a person configured to what the watchdog decides by, with nothing left out on the way.

import type { AgentConfig, ComponentConfig } from './config.ts';
import type { Policy } from './watchdog/model.ts';
import type { PlanItem } from './watchdog/plan.ts';

export function policyOf(component: ComponentConfig): Policy {
  const { hang, start, stop, backoff, budget, probes } = component;
  return {
    component: component.name,
    version: component.version,
    restart: component.restart,
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
    backoffMsMin: backoff.minMs,
    backoffMsMax: backoff.maxMs,
    stableMs: backoff.stableMs,
    restartsMax: budget.restarts,
    restartsWindowMs: budget.windowMs,
    quarantineRetryMs: budget.retryMs,
  };
}

export const planOf = (config: AgentConfig): readonly PlanItem[] =>
  config.components.map(({ name, after }) => ({ name, after }));
