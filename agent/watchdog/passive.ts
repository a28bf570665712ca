// Deciding without doing: a component in `observe`, or a till that a technician holds. Everything is found,
// explained and given its evidence as ever, and instead of the kill it is told once what would have been
// done: no chain lets a new watchdog loose on its tills without weeks of "would have acted".

import { evidenceOf, incidentId } from './incident.ts';
import { signatureOf } from './ladder.ts';
import type { Cause, Rung } from './model.ts';
import { choose } from './outcome.ts';
import { type Condemned, type Failure, sayOnce, type Turn } from './state.ts';

/** Why nothing may be done now; undefined: it may. */
export function passiveBy({
  draft,
  policy,
}: Pick<Turn, 'draft' | 'policy'>): 'observe' | 'hold' | undefined {
  if (draft.held) return 'hold';
  return policy.mode === 'observe' ? 'observe' : undefined;
}

/** The key of an episode of suspicion: it may be told again when the evidence cleared. */
export const EPISODE = 'episode';
/** Of what is not done above a restart. */
export const rungKey = (rung: Rung): string => `rung:${rung}`;

/** Tells and counts what is not done, once in a while for each key. */
export function tellSuppressed(
  turn: Turn,
  key: string,
  rung: Rung,
  failure: Pick<Failure, 'cause' | 'reason'> & { readonly proofs?: Failure['proofs'] },
): void {
  const { policy, effects } = turn;
  const by = passiveBy(turn);
  if (by === undefined || !sayOnce(turn, key)) return;
  const { cause, reason, proofs = [] } = failure;
  const evidence = evidenceOf(turn, proofs);
  const about = { incident: incidentId(turn), rung, cause, reason };
  const fields = { ...about, version: policy.version, by, evidence };
  const event = { kind: 'recovery_suppressed', component: policy.component, fields } as const;
  effects.push({ kind: 'report', event }, { kind: 'count_suppressed', rung, cause });
}

export const episodeOf = ({ judged, cause }: { judged: boolean; cause: Cause }): string =>
  judged ? EPISODE : cause;

/** A verdict that is not carried out: the component stays as it is. */
export function suppressVerdict(turn: Turn, condemned: Condemned): void {
  const { cause, reason, topFrame } = condemned;
  const choice = choose(turn, cause, signatureOf(cause, reason, topFrame));
  const rung: Rung =
    choice.kind === 'rung' ? choice.rung : choice.kind === 'quarantine' ? 'quarantine' : 'restart';
  tellSuppressed(turn, episodeOf(condemned), rung, condemned);
}
