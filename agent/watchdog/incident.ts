// From the first failure to stable again: opening an incident, condemning a component, telling of recovery
// and quarantine. An incident keeps its id through a whole crash loop, so that a loop is one story and not a
// hundred; it is named after the life that failed first, whose id is unique without randomness here.

import { random } from './backoff.ts';
import type { Verdict } from './hang.ts';
import {
  EVIDENCE_CHARS_MAX,
  EVIDENCE_EVERY_MS,
  EVIDENCE_MS_MAX,
  type Failure,
  type Turn,
} from './state.ts';

export function incidentId({ draft, policy }: Turn): string {
  const known = draft.incident?.id ?? draft.instance;
  if (known !== undefined) return known;
  // Never started, so there is no life to name it after. Peeked at and not drawn: asking twice is the same.
  return `${policy.component}-${Math.floor(random(draft.random).value * 2 ** 32).toString(16)}`;
}

/** First evidence, unless there is some that is still fresh. */
export function collectEarly(turn: Turn): void {
  if (!dropStaleEvidence(turn)) return;
  turn.draft.evidenceAt = turn.now;
  const incident = incidentId(turn);
  turn.effects.push({ kind: 'collect_evidence', phase: 'suspect', incident });
}

/** A second look in the same suspicion, once its silence has lasted. */
export function collectAgain(turn: Turn): void {
  const { draft, now, effects } = turn;
  if (draft.evidenceAt === undefined || now - draft.evidenceAt < EVIDENCE_MS_MAX) return;
  draft.evidenceAt = now;
  draft.watch = { ...draft.watch, lookedAgain: true };
  effects.push({ kind: 'collect_evidence', phase: 'suspect', incident: incidentId(turn) });
}

/** Evidence of an earlier suspicion must not be told as this one's. True when there is none left. */
export function dropStaleEvidence({ draft, now }: Turn): boolean {
  const age = now - (draft.evidenceAt ?? Number.NEGATIVE_INFINITY);
  if (age < EVIDENCE_EVERY_MS) return false;
  draft.evidence = {};
  draft.evidenceAt = undefined;
  return true;
}

/** The failure is certain: second evidence, then (on its arrival or at the deadline) the kill. */
export function condemn(turn: Turn, verdict: Failure | Verdict, judged: boolean): void {
  const { draft, now, effects } = turn;
  const { cause, reason, proofs, lostAt } = verdict;
  draft.condemned = { cause, reason, proofs, lostAt, judged, at: now };
  draft.deadline = now + EVIDENCE_MS_MAX;
  // Of a verdict without an early look: what comes now is fresh for as long as that would be.
  draft.evidenceAt ??= now;
  effects.push({ kind: 'collect_evidence', phase: 'confirmed', incident: incidentId(turn) });
}

/** Opens the incident, or opens it again when the component had only just recovered. */
export function openIncident(turn: Turn, failure: Failure, confirmedAt: number): void {
  const { draft, policy, effects } = turn;
  const before = draft.incident;
  if (before?.open) return;
  const { cause, reason, lostAt } = failure;
  const id = incidentId(turn);
  const attempts = before?.attempts ?? 0;
  const told = { open: true, quarantineTold: false };
  draft.incident = { id, cause, reason, lostAt, confirmedAt, attempts, ...told };
  const evidence = evidenceOf(turn, failure.proofs);
  const fields = { incident: id, cause, reason, version: policy.version, evidence };
  const event = { kind: 'incident_opened', component: policy.component, fields } as const;
  effects.push({ kind: 'report', event });
}

/** What is known of it, as it travels with what is told. */
export function evidenceOf({ draft }: Turn, proofs: Failure['proofs']): Record<string, unknown> {
  const thread = draft.watch.latest?.sample;
  return { proofs, ...(thread === undefined ? {} : { thread }), ...draft.evidence };
}

export function tellRecovered(turn: Turn): void {
  const { draft, policy, now, effects } = turn;
  const { incident } = draft;
  if (!incident?.open) return;
  draft.incident = { ...incident, open: false };
  const fields = {
    incident: incident.id,
    cause: incident.cause,
    detectedMs: Math.max(0, incident.confirmedAt - incident.lostAt),
    readyMs: Math.max(0, now - incident.lostAt),
    attempts: incident.attempts,
  };
  const event = { kind: 'incident_recovered', component: policy.component, fields } as const;
  effects.push({ kind: 'report', event });
}

/** Once for each time that it is open: a reminder each retry would only be noise. */
export function tellQuarantined(turn: Turn, reason: string): void {
  const { draft, policy, effects } = turn;
  const { incident } = draft;
  if (incident === undefined || incident.quarantineTold) return;
  draft.incident = { ...incident, quarantineTold: true };
  const { id, cause, attempts } = incident;
  const fields = { incident: id, cause, reason, attempts };
  const event = { kind: 'incident_quarantined', component: policy.component, fields } as const;
  effects.push({ kind: 'report', event });
}

/** Evidence as it may travel: an incident whose event is too large would be lost as a whole. */
export function boundEvidence(summary: unknown): unknown {
  let json: string | undefined;
  try {
    json = JSON.stringify(summary);
  } catch {
    return { cut: true, text: 'the evidence could not be written as JSON' };
  }
  if (json === undefined || json.length <= EVIDENCE_CHARS_MAX) return summary;
  // Quoted once more it grows, at worst twofold.
  return { cut: true, text: json.slice(0, EVIDENCE_CHARS_MAX / 2) };
}
