// One till as somebody might have configured it, by seed: how many components, who needs whom, how each is to
// be treated, which hooks there are. Times are short so that budgets, stability and quarantine all come up in
// one run; some tills live at twenty times that pace, so that hours and days of uptime come up as well.

import type { Policy, RungRule } from '../../agent/watchdog/model.ts';
import { dependants, type PlanItem } from '../../agent/watchdog/plan.ts';
import type { RecoverySetting } from '../../agent/watchdog/recovery.ts';
import { settingOf } from '../../agent/watchdog/recovery-glue.ts';
import { policy as shipped } from '../unit/watchdog-story.ts';
import type { Dice } from './dice.ts';

export type Scenario = {
  readonly items: readonly PlanItem[];
  readonly policies: readonly Policy[];
  readonly setting: RecoverySetting;
  readonly sweepMs: number;
  /** Sooner or later everything fails; on a calm till hardly anything does. */
  readonly trouble: number;
};

const quick = (scale: number): Policy => ({
  ...shipped,
  beatMs: 500 * scale,
  blockedMs: 2_000 * scale,
  spinningMs: 5_000 * scale,
  startTimeoutMs: 3_000 * scale,
  startTimeoutMsMax: 9_000 * scale,
  stopGraceMs: 1_000 * scale,
  graceMsMax: 4_000 * scale,
  backoffMsMin: 100 * scale,
  backoffMsMax: 2_000 * scale,
  stableMs: 6_000 * scale,
  restartsMax: 4,
  restartsWindowMs: 30_000 * scale,
  quarantineRetryMs: 3_000 * scale,
  tenderMsMax: 10_000 * scale,
  progressMs: 8_000 * scale,
  limits: {
    ...shipped.limits,
    memoryBytes: 100,
    descriptors: 50,
    cpuRatio: 2,
    everyMs: 1_000 * scale,
  },
});

const NAMES = ['sale', 'sync', 'hardware', 'display', 'scales'] as const;

function itemsOf(roll: Dice): PlanItem[] {
  const names = NAMES.slice(0, 1 + roll.below(NAMES.length));
  const items = names.map((name, index) => ({
    name,
    after: names.slice(0, index).filter(() => roll.chance(0.45)),
  }));
  return roll.chance(0.5) ? items : items.toReversed();
}

function rungsOf(roll: Dice, scale: number, hasDependants: boolean, hasReset: boolean): RungRule[] {
  const rule = (rung: RungRule['rung']): RungRule => ({
    rung,
    times: 1 + roll.below(2),
    windowMs: 60_000 * scale,
    coolDownMs: roll.pick([0, 2_000, 20_000]) * scale,
  });
  return [
    ...(hasDependants ? [rule('dependants')] : []),
    ...(hasReset ? [rule('reset')] : []),
    ...(roll.chance(0.6) ? [rule('all')] : []),
    ...(roll.chance(0.6) ? [rule('reboot')] : []),
  ];
}

const often = (rung: RungRule['rung']): readonly RungRule[] => [
  { rung, times: 9, windowMs: 60_000, coolDownMs: 0 },
];

function policyOf(
  roll: Dice,
  scale: number,
  component: string,
  rungs: readonly RungRule[],
): Policy {
  const instrumented = roll.chance(0.8);
  const stopGraceMs = roll.pick([0, 1_000, 1_000, 3_000]) * scale;
  return {
    ...(roll.chance(0.1) && scale === 1 ? shipped : quick(scale)),
    component,
    restart: roll.pick(['permanent', 'permanent', 'permanent', 'transient', 'temporary']),
    strategy: roll.pick(['one_for_one', 'one_for_one', 'rest_for_one']),
    mode: roll.chance(0.15) ? 'observe' : 'act',
    instrumented,
    hasProbes: roll.chance(0.5),
    probeFailures: 1 + roll.below(3),
    stopGraceMs,
    graceMsMax: Math.max(stopGraceMs, 4_000 * scale),
    abortMs: roll.pick([0, 0, 500]) * scale,
    restartsMax: roll.pick([0, 2, 4, 4]),
    budgetCauses: roll.chance(0.3) ? { hang: 1, crash: 2, dependency: 3 } : {},
    canHeal: roll.chance(0.3),
    heal: { times: 1, windowMs: 20_000 * scale, coolDownMs: 1_000 * scale },
    rungs,
    age: roll.chance(0.2) ? { maxMs: 60_000 * scale, jitterMs: 20_000 * scale } : undefined,
  };
}

/** @param harsh everything fails often, and there is only one rung, which is used often. */
export function scenarioOf(roll: Dice, harsh = false): Scenario {
  const scale = harsh ? roll.pick([1, 20]) : roll.pick([1, 1, 4, 20]);
  const items = itemsOf(roll);
  const resets = new Map<string, number>();
  const policies = items.map(({ name }) => {
    const hasReset = roll.chance(0.4);
    if (hasReset) resets.set(name, 5_000 * scale);
    const hasDependants = dependants(items, name).length > 0;
    const rungs = rungsOf(roll, scale, hasDependants, hasReset);
    return policyOf(roll, scale, name, harsh ? often(roll.pick(['reboot', 'all'])) : rungs);
  });
  const uptimeMsMin = roll.pick([30_000, 120_000]) * scale;
  const reboot = harsh || roll.chance(0.85) ? { uptimeMsMin, hourMax: 1, dayMax: 3 } : undefined;
  return {
    items,
    policies,
    setting: settingOf(items, policies, resets, reboot),
    sweepMs: 250 * scale,
    trouble: harsh ? 3 : roll.pick([0.2, 1, 1, 3]),
  };
}
