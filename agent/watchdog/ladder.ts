// Which rung of the recovery ladder comes next, as a pure question about lists: restart until its budget is
// spent, then upwards, each rung only while its own budget lasts, and none that has just failed to help against
// the same signature (research/supervisors.md (f), cause-aware). The end is always quarantine, which tries
// slowly for ever. Nothing here knows of a component: climb.ts asks, and acts on the answer.

import type { Cause, Rung, RungBudget, RungRule } from './model.ts';
import type { RungUse } from './state.ts';

/** Longer than this a cool-down is not waited for: the component would lie there meanwhile. */
export const COOL_DOWN_WAIT_MS_MAX = 5 * 60_000;
const SIGNATURE_CHARS_MAX = 300;

export type Choice =
  | { readonly kind: 'restart' }
  | { readonly kind: 'rung'; readonly rung: RungRule['rung'] }
  /** A rung is left, and so long nothing above restart may be used. */
  | { readonly kind: 'cool_down'; readonly until: number }
  | { readonly kind: 'quarantine' };

export type Question = {
  readonly rungs: readonly RungRule[];
  readonly used: readonly Pick<RungUse, 'rung' | 'at' | 'signature' | 'incident' | 'held'>[];
  /** Rungs that could not be done in this incident. */
  readonly refused: readonly Rung[];
  readonly signature: string;
  readonly incident: string;
  /** Whether one more plain restart keeps within its budget. */
  readonly restartAllowed: boolean;
  readonly now: number;
};

export function chooseRung(question: Question): Choice {
  if (question.restartAllowed) return { kind: 'restart' };
  const left = question.rungs.find((rule) => isLeft(rule, question));
  if (left === undefined) return { kind: 'quarantine' };
  const until = coolDownUntil(question);
  if (until <= question.now) return { kind: 'rung', rung: left.rung };
  const isShort = until - question.now <= COOL_DOWN_WAIT_MS_MAX;
  return isShort ? { kind: 'cool_down', until } : { kind: 'quarantine' };
}

function isLeft(rule: RungRule, { used, refused, signature, incident, now }: Question): boolean {
  if (refused.includes(rule.rung)) return false;
  const own = used.filter(({ rung }) => rung === rule.rung);
  const inWindow = own.filter(({ at }) => at > now - rule.windowMs);
  if (inWindow.length >= rule.times) return false;
  const last = own.at(-1);
  if (last === undefined || last.held !== false || last.signature !== signature) return true;
  // It did not help against just this: not in this incident, nor in one that follows it closely.
  return last.incident !== incident && !inWindow.includes(last);
}

function coolDownUntil({ rungs, used, now }: Question): number {
  let until = Number.NEGATIVE_INFINITY;
  for (const { rung, at } of used) {
    const rule = rungs.find((one) => one.rung === rung);
    // What seems to come from the future was at the latest now.
    if (rule !== undefined) until = Math.max(until, Math.min(at, now) + rule.coolDownMs);
  }
  return until;
}

/** Whether it may be asked once more to heal itself; `heals` are the times at which it was. */
export function mayHeal(budget: RungBudget, heals: readonly number[], now: number): boolean {
  const last = heals.at(-1);
  if (last !== undefined && now < last + budget.coolDownMs) return false;
  return heals.filter((at) => at > now - budget.windowMs).length < budget.times;
}

const QUANTITIES = /\d+(\.\d+)?(?= (s|MB|%|probes|descriptors)\b)/g;

/** What two failures have in common when they are the same one again: how long and how often is left out. */
export function signatureOf(cause: Cause, reason: string, topFrame: string | undefined): string {
  const constant = reason.replace(QUANTITIES, 'n');
  const where = topFrame === undefined ? '' : ` at ${topFrame}`;
  return `${cause}: ${constant}${where}`.slice(0, SIGNATURE_CHARS_MAX);
}
