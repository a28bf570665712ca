// Whether a terminal gets commands at all, by what became of its identity. A suspended one keeps what waits for it;
// one that is revoked or retired never comes back, and what waits for it is taken back.

import type { IdentityState } from '../identity/types.ts';
import { type Refusal, refuse } from './view.ts';

export type StateOf = (terminal: string) => IdentityState;

export const isServed = (state: IdentityState): boolean => state === 'new' || state === 'enrolled';
export const isGone = (state: IdentityState): boolean => state === 'revoked' || state === 'retired';

export const goneReason = (state: IdentityState): string => `the terminal was ${state}`;

/** @returns why no command is taken for it. */
export function wrongStanding(terminal: string, state: IdentityState): Refusal | undefined {
  if (isServed(state)) return undefined;
  const reason =
    state === 'suspended'
      ? `${terminal} is suspended and gets no commands: "tillwatch terminal resume ${terminal}" ends that`
      : `${terminal} is ${state} for ever and gets no commands`;
  return refuse('conflict', reason);
}
