// Whether money moves: a work item named `tender`, or `tender:` and more, between its begin and its end. While
// one is in flight, a component that hangs is not killed until the tender's own deadline, because its outcome
// may be known a second later and a kill would leave it in doubt (design.md, Recovery ladder: at most 180 s).

import type { Watch } from './watch.ts';

export const isTender = (name: string): boolean => name === 'tender' || name.startsWith('tender:');

/** The latest deadline of a tender in flight; -Infinity when there is none. */
export function tenderUntil({ work }: Watch): number {
  let until = Number.NEGATIVE_INFINITY;
  for (const { name, deadlineAt } of work.values()) {
    if (isTender(name)) until = Math.max(until, deadlineAt);
  }
  return until;
}
