// What the centre hears of a document on trial: an event for each turn that it takes, and the result of the command that
// brought it, which may have been given to an agent three lives ago.

import { ATTEMPTS_MAX, nameOf } from './model.ts';
import type { Parts } from './parts.ts';
import type { Document, Outcome, Trial } from './types.ts';

type What = 'trial' | 'kept' | 'rolled_back' | 'refused';

function report(
  { report: send, log }: Pick<Parts, 'report' | 'log'>,
  what: What,
  document: Document,
  reason: string,
  restarted: readonly string[] = [],
): void {
  log.warn(`configuration ${nameOf(document)}: ${what.replace('_', ' ')}: ${reason}`);
  const fields = { what, ...document, reason, restarted: [...restarted] };
  send({ kind: 'configuration', component: '', fields });
}

export function tellTrial(parts: Parts, { document, attempts, restarted }: Trial): void {
  const again = attempts > 1 ? `, attempt ${attempts} of ${ATTEMPTS_MAX}` : '';
  report(parts, 'trial', document, `it is tried${again}`, restarted);
}

export function tellOutcome(parts: Parts, outcome: Outcome): void {
  const { document, command, what, reason, restarted } = outcome;
  report(parts, what, document, reason, restarted);
  if (command === '') return;
  const isKept = what === 'kept';
  const told = isKept ? reason : `${reason}; the till is back on its last good configuration`;
  parts.done(command, isKept, told, isKept ? { ...document } : undefined);
}

export function tellRefused(
  parts: Parts,
  { document, command, reason }: { document: Document; command: string; reason: string },
): void {
  report(parts, 'refused', document, reason);
  parts.done(command, false, reason);
}
