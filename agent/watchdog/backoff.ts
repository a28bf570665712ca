// How long to wait before the next start, and how often starting again may be tried at all. Pure sums over
// numbers that come in: the random number is drawn from a seed that the model carries, because a decision
// that cannot be replayed cannot be tested (research/supervisors.md, Source style 20). The budget is OTP's
// add_restart: a window over monotonic times, never a counter that something must remember to reset.

import type { Cause, Policy } from './model.ts';
import type { Restart } from './state.ts';

/** The share by which a delay is moved up or down, so that a fleet does not start in step. */
export const JITTER = 0.25;
/** Quarantine retries double up to this many times the configured interval. */
export const QUARANTINE_FACTOR_MAX = 5;

type BackoffPolicy = { readonly backoffMsMin: number; readonly backoffMsMax: number };
type BudgetPolicy = Pick<Policy, 'restartsMax' | 'restartsWindowMs' | 'budgetCauses'>;

/** mulberry32: 32 bits of state, good enough to spread starts, and the same in every replay. */
export function random(seed: number): { readonly value: number; readonly seed: number } {
  const next = (seed + 0x6d2b79f5) | 0;
  let mixed = Math.imul(next ^ (next >>> 15), next | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return { value: ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32, seed: next };
}

/**
 * Delay before the start that follows failure number `failures` of an incident (1: the first after a
 * stable run, put right at once). `draw` is in [0, 1). The maximum holds before the jitter.
 */
export function backoffMs(policy: BackoffPolicy, failures: number, draw: number): number {
  if (failures <= 1) return 0;
  const doubled = policy.backoffMsMin * 2 ** Math.min(failures - 2, 52);
  const spread = 1 - JITTER + 2 * JITTER * draw;
  return Math.round(Math.min(policy.backoffMsMax, doubled) * spread);
}

/** Delay before retry number `retries` (from 0) of a quarantined component; without end. */
export function quarantineMs(retryMs: number, retries: number): number {
  return retryMs * Math.min(2 ** Math.min(retries, 52), QUARANTINE_FACTOR_MAX);
}

const countedAt = (restarts: readonly Restart[], policy: BudgetPolicy, now: number): Restart[] =>
  restarts.filter(({ at }) => at > now - policy.restartsWindowMs);

/** Whether one more restart for this cause keeps within the budget of all and of the cause. */
export function withinBudget(
  policy: BudgetPolicy,
  restarts: readonly Restart[],
  cause: Cause,
  now: number,
): boolean {
  const counted = countedAt(restarts, policy, now);
  if (counted.length >= policy.restartsMax) return false;
  const causeMax = policy.budgetCauses[cause];
  if (causeMax === undefined) return true;
  return counted.filter((one) => one.cause === cause).length < causeMax;
}

/** The restarts to remember after one at `now`: never more than the budget can ask about. */
export function spend(
  policy: BudgetPolicy,
  restarts: readonly Restart[],
  cause: Cause,
  now: number,
): readonly Restart[] {
  const counted = countedAt(restarts, policy, now);
  return [...counted, { at: now, cause }].slice(-Math.max(1, policy.restartsMax));
}
