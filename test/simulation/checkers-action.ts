// Rules about what is done to a component that somebody depends on: nothing while it is only watched, no tender
// cut off, no sale cut off by what was planned, no rung used more often than allowed. Written from
// design.md section 4, not from the machine.

import type { ComponentEffect, Policy } from '../../agent/watchdog/model.ts';
import type { Checker, MakeChecker, Seen } from './seen.ts';

const has = ({ effects }: Seen, kind: ComponentEffect['kind']): boolean => {
  for (const effect of effects) if (effect.kind === kind) return true;
  return false;
};
/** A kill by decision; what is being stopped already is past deciding. */
const decides = (seen: Seen): boolean =>
  seen.before.state !== 'stopping' && (has(seen, 'kill') || has(seen, 'abort'));

/** `observe`, and a till that is held: all is decided and told, and nobody is killed. */
function onlyWatched(policy: Policy): Checker {
  let isHeld = false;
  let isAsked = false;
  return {
    newAgent: () => {
      isHeld = false;
      isAsked = false;
    },
    see: (seen) => {
      const { event } = seen;
      if (event.kind === 'hold') isHeld = event.active;
      // Planned work by age or ceilings comes from within; a wish from outside is done.
      if (event.kind === 'restart') isAsked = true;
      const isWatched = isHeld || policy.mode === 'observe';
      let broken: string | undefined;
      if (isWatched && decides(seen)) broken = 'killed although it is only watched';
      if (isWatched && has(seen, 'escalate')) broken = 'escalated although it is only watched';
      if (isWatched && has(seen, 'heal')) broken = 'healed although it is only watched';
      const wished = event.kind === 'stop' || isAsked || seen.before.state === 'stopping';
      if (isWatched && has(seen, 'terminate') && !wished) {
        broken = 'stopped although it is only watched';
      }
      if (has(seen, 'spawn')) isAsked = false;
      return broken;
    },
  };
}

/** Until the tender's own deadline, at most tenderMsMax from when the hang was certain. */
function noTenderCutOff(policy: Policy): Checker {
  let certainAt: number | undefined;
  // Whoever forces a restart takes the tender upon himself.
  let isForced = false;
  return {
    newAgent: () => {
      certainAt = undefined;
      isForced = false;
    },
    see: (seen) => {
      const { event, now, before, after, effects, tenderUntil } = seen;
      if (event.kind === 'restart' && event.force) isForced = true;
      if (effects.length === 0) return undefined;
      if (after.state === 'ready' || has(seen, 'spawn')) certainAt = undefined;
      if (has(seen, 'spawn')) isForced = false;
      for (const effect of effects) {
        if (effect.kind === 'collect_evidence' && effect.phase === 'confirmed') certainAt ??= now;
      }
      const isUp = before.state === 'ready' || before.state === 'suspect';
      if (!isUp || isForced || !decides(seen) || tenderUntil <= now) return undefined;
      const over = certainAt !== undefined && now >= certainAt + policy.tenderMsMax;
      return over ? undefined : `cut off a tender that had ${tenderUntil - now} ms left`;
    },
  };
}

/** A restart that was planned, by a person without force or by age or ceiling, waits for the sale. */
function noSaleCutOffByPlan(policy: Policy): Checker {
  let isForced = false;
  return {
    newAgent: () => {
      isForced = false;
    },
    see: (seen) => {
      const { event, before } = seen;
      if (event.kind === 'restart' && event.force) isForced = true;
      const stops = seen.effects.length > 0 && has(seen, 'terminate');
      const planned = stops && event.kind !== 'stop' && before.state !== 'stopping' && !isForced;
      const broken = planned && seen.till.isSelling(policy.component);
      if (seen.effects.length > 0 && has(seen, 'spawn')) isForced = false;
      return broken ? 'a planned restart cut off a sale' : undefined;
    },
  };
}

/** Each rung so often in its window, and none above `restart` while one cools down. */
function rungsWithinBudget(policy: Policy): Checker {
  let uses: { readonly rung: string; readonly at: number }[] = [];
  const ruleOf = (rung: string) =>
    rung === 'heal' ? policy.heal : policy.rungs.find((rule) => rule.rung === rung);
  // There it is how every restart is done, and takes of the budget of restarts.
  const isFree = (rung: string): boolean =>
    rung === 'restart' ||
    rung === 'quarantine' ||
    (rung === 'dependants' && policy.strategy === 'rest_for_one');
  const judge = (rung: string, at: number): string | undefined => {
    const rule = ruleOf(rung);
    if (rule === undefined) return `used ${rung}, which it does not have`;
    const times = uses.filter((use) => use.rung === rung && use.at > at - rule.windowMs).length;
    const last = uses.findLast((use) => use.rung !== 'heal');
    const coolMs = (last && ruleOf(last.rung)?.coolDownMs) ?? 0;
    uses.push({ rung, at });
    if (times >= rule.times) return `used ${rung} ${times + 1} times in its window`;
    const isCooling = rung !== 'heal' && last !== undefined && at < last.at + coolMs;
    return isCooling ? `used ${rung} while ${last.rung} cooled down` : undefined;
  };
  return {
    newAgent: () => {
      uses = uses.filter(({ rung }) => rung !== 'heal');
    },
    see: ({ event, effects, till }) => {
      let broken: string | undefined;
      for (const effect of effects) {
        const isOver = effect.kind === 'report' && effect.event.kind === 'recovery_outcome';
        // What the plan could not do was not used.
        if (event.kind === 'refused' && isOver) {
          const last = uses.findLastIndex(({ rung }) => rung === event.rung);
          uses = uses.filter((_use, index) => index !== last);
        }
        if (effect.kind !== 'count_recovery' || isFree(effect.rung)) continue;
        broken ??= judge(effect.rung, till.totalMs);
      }
      return broken;
    },
  };
}

export const actionCheckers = {
  onlyWatched,
  noTenderCutOff,
  noSaleCutOffByPlan,
  rungsWithinBudget,
} satisfies Record<string, MakeChecker>;
