// The books of the ladder: which rung was used and what became of it. A use is told when it begins; its outcome
// when the component has been ready for its stable time (it held) or has failed again (it did not). Uses of the
// rungs above a plain restart outlive the agent and the boot (effect `remember`), or a till whose fault is
// its machine would reboot for ever.

import { withinBudget } from './backoff.ts';
import { incidentId } from './incident.ts';
import { type Choice, chooseRung } from './ladder.ts';
import type { Cause, Rung } from './model.ts';
import * as reasons from './reasons.ts';
import { type Failed, type RungUse, type Turn, USES_MAX } from './state.ts';

/** A rung is used now: told and counted. `remembered`: it takes of its own budget. */
export function useRung(
  turn: Turn,
  rung: Rung,
  failed: Pick<Failed, 'cause' | 'reason' | 'signature'>,
  remembered = false,
): void {
  const { draft, policy, now, effects } = turn;
  const { cause, reason, signature } = failed;
  const incident = incidentId(turn);
  const fields = { incident, rung, cause, reason, signature };
  effects.push({
    kind: 'report',
    event: { kind: 'recovery', component: policy.component, fields },
  });
  effects.push({ kind: 'count_recovery', rung, cause });
  // Quarantine is no attempt of which to ask whether it helped: it is the want of one.
  if (rung === 'quarantine') return;
  // Used again before it was stable: what it was used for the last time came back.
  conclude(turn, false, reasons.failedAgain(reason), (trial) => trial.rung === rung);
  const use: RungUse = { rung, at: now, incident, cause, signature };
  draft.trials = [...draft.trials, use];
  if (!remembered) return;
  draft.uses = [...draft.uses, use].slice(-USES_MAX);
  effects.push({ kind: 'remember' });
}

/** The outcome of those that `ended` names is known now. */
export function conclude(
  turn: Turn,
  held: boolean,
  reason: string,
  ended: (use: RungUse) => boolean = () => true,
): void {
  const { draft, policy, now, effects } = turn;
  const over = draft.trials.filter(ended);
  if (over.length === 0) return;
  draft.trials = draft.trials.filter((use) => !over.includes(use));
  for (const { incident, rung, cause, at } of over) {
    const fields = { incident, rung, cause, held, afterMs: Math.max(0, now - at), reason };
    const event = { kind: 'recovery_outcome', component: policy.component, fields } as const;
    effects.push({ kind: 'report', event }, { kind: 'count_outcome', rung, held });
  }
  if (!over.some((use) => draft.uses.includes(use))) return;
  draft.uses = draft.uses.map((use) => (over.includes(use) ? { ...use, held } : use));
  effects.push({ kind: 'remember' });
}

/** Nobody will know whether it helped: told, but held against no rung. */
export function breakOff(turn: Turn, reason: string, ended?: (use: RungUse) => boolean): RungUse[] {
  const { draft, policy, now, effects } = turn;
  const over = draft.trials.filter(ended ?? (() => true));
  if (over.length === 0) return over;
  draft.trials = draft.trials.filter((use) => !over.includes(use));
  for (const { incident, rung, cause, at } of over) {
    const afterMs = Math.max(0, now - at);
    const fields = { incident, rung, cause, afterMs, reason };
    const event = { kind: 'recovery_outcome', component: policy.component, fields } as const;
    effects.push({ kind: 'report', event });
  }
  return over;
}

/** The plan could not do it: it was not used after all, and takes of no budget. */
export function takeBack(turn: Turn, rung: Rung, reason: string): void {
  const { draft, effects } = turn;
  const over = breakOff(turn, reason, (use) => use.rung === rung);
  if (!over.some((use) => draft.uses.includes(use))) return;
  draft.uses = draft.uses.filter((use) => !over.includes(use));
  effects.push({ kind: 'remember' });
}

/** When the next outcome is known, if it stays ready. Asked at each step: it makes nothing new. */
export function trialsUntil({ draft, policy }: Turn): number | undefined {
  if (draft.trials.length === 0 || draft.readyAt === undefined) return undefined;
  let first = Number.POSITIVE_INFINITY;
  for (const { at } of draft.trials) if (at < first) first = at;
  return Math.max(draft.readyAt, first) + policy.stableMs;
}

/** Ready for its stable time since then: it held. */
export function concludeStable(turn: Turn): void {
  const { draft, policy, now } = turn;
  const until = trialsUntil(turn);
  if (until === undefined || now < until) return;
  const since = now - policy.stableMs;
  conclude(
    turn,
    true,
    reasons.HELD_STABLE,
    ({ at }) => Math.max(at, draft.readyAt ?? now) <= since,
  );
}

/** What would be done about this failure, and is, in mode `act`. */
export function choose(turn: Turn, cause: Cause, signature: string): Choice {
  const { draft, policy, now } = turn;
  const incident = incidentId(turn);
  const refused = draft.refused.map(({ rung }) => rung);
  // Out of quarantine leads only what this incident has not seen yet, whatever it fails of now.
  const seen = draft.uses.filter((use) => use.incident === incident).map(({ rung }) => rung);
  return chooseRung({
    rungs: policy.rungs,
    used: draft.uses,
    refused: draft.quarantine === undefined ? refused : [...refused, ...seen],
    signature,
    incident,
    restartAllowed:
      draft.quarantine === undefined && withinBudget(policy, draft.restarts, cause, now),
    now,
  });
}
