// Whether a component hangs. What was seen is put into plain figures (facts.ts), then the table of rules is read
// from the top (rules.ts). What acquits comes first: a debugger, a pause of the agent, a machine that is
// starved. A table and not nested ifs, so that each way to be killed can be read, tested and argued about by
// itself.

import { factsOf } from './facts.ts';
import type { Cause, Policy, Proof } from './model.ts';
import { type Rule, rules, suspectMs } from './rules.ts';
import { isTraced } from './samples.ts';
import type { Watch } from './watch.ts';

export type Verdict = {
  readonly level: 'suspect' | 'confirmed';
  readonly cause: Cause;
  readonly reason: string;
  readonly proofs: readonly Proof[];
  /** The last sign of health before it. */
  readonly lostAt: number;
};

/**
 * Nothing that any rule could hold against it: it beats, wakes, answers and owes no work. Asked first, because
 * that is how nearly every component is nearly always, and this runs some thirty times a second.
 */
export function isCalm(policy: Policy, watch: Watch, now: number): boolean {
  const { beatAt, still, work, probes, progress, carried } = watch;
  const silentMs = policy.instrumented ? now - beatAt : 0;
  if (work.size > 0 || silentMs >= Math.min(suspectMs(policy), policy.spinningMs / 2)) return false;
  if (still !== undefined && now - still.at >= policy.blockedMs / 4) return false;
  if (progress?.stuckAt !== undefined && progress.seenAt > progress.stuckAt) return false;
  if (carried !== undefined && (carried.stillMs > 0 || carried.failures > 0)) return false;
  for (const { failures } of probes.values()) if (failures > 0) return false;
  return true;
}

/** One for each policy there is: asked four times a second while a machine is starved. */
const doubles = new WeakMap<Policy, Policy>();

/** The whole machine is starved: what is seen is true, but it may only be slow, so it is given twice as long. */
function doubled(policy: Policy): Policy {
  const known = doubles.get(policy);
  if (known !== undefined) return known;
  const double = {
    ...policy,
    blockedMs: 2 * policy.blockedMs,
    spinningMs: 2 * policy.spinningMs,
    probeFailures: 2 * policy.probeFailures,
    progressMs: 2 * policy.progressMs,
  };
  doubles.set(policy, double);
  return double;
}

/** The kill rule. Undefined: nothing speaks against it. */
export function judge(policy: Policy, watch: Watch, now: number): Verdict | undefined {
  if (now < watch.graceUntil || isCalm(policy, watch, now)) return undefined;
  if (watch.latest !== undefined && isTraced(watch.latest.sample)) return undefined;
  const facts = factsOf(policy, watch, now);
  const sureBy = facts.pressed ? doubled(policy) : policy;
  const verdict = (rule: Rule, level: Verdict['level'], by: Policy): Verdict => ({
    level,
    cause: rule.cause(by),
    reason: rule.reason(facts, by, level === 'suspect'),
    proofs: rule.proofs(facts, by),
    lostAt: rule.lostAt(facts),
  });
  const acquitted = (rule: Rule): boolean => rule.starvable && facts.starved;
  const sure = rules.find((rule) => !acquitted(rule) && rule.confirmed(facts, sureBy));
  if (sure !== undefined) return verdict(sure, 'confirmed', sureBy);
  const early = rules.find((rule) => rule.suspected(facts, policy));
  return early && verdict(early, 'suspect', policy);
}
