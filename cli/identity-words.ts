// Who a terminal is to the broker, in words: only what a person has to know. That it is enrolled is how it should be
// and is not said.

import { age, tame } from './screen.ts';

export type IdentityView = {
  readonly state: 'new' | 'enrolled' | 'suspended' | 'revoked' | 'retired';
  readonly sinceMs?: number;
  readonly by: string;
  readonly reason: string;
  readonly expiresMs?: number;
  readonly twin?: { readonly sign: string; readonly sinceMs: number; readonly sentence: string };
};
type Known = { readonly id: string; readonly identity?: IdentityView | undefined };

/** It renews itself long before: less means that it could not for weeks. */
const SOON_MS = 14 * 86_400_000;

const isOver = ({ state }: IdentityView): boolean => state === 'revoked' || state === 'retired';

/** One word for a table; undefined when all is as it should be. */
export function identityWord({ identity }: Known): string | undefined {
  if (identity === undefined) return undefined;
  if (identity.state !== 'new' && identity.state !== 'enrolled') return identity.state;
  return identity.twin === undefined ? undefined : 'twin';
}

export function twinWords({ id, identity }: Known): string | undefined {
  if (identity?.twin === undefined || isOver(identity)) return undefined;
  return (
    `two machines with one identity? ${tame(identity.twin.sentence)}: ` +
    `tillwatch terminal accept-machine ${id}, or replace ${id}`
  );
}

/** Lines, the worst first. */
export function identityWords(known: Known, now: number): string[] {
  const { identity } = known;
  if (identity === undefined) return [];
  const { state, sinceMs, by, reason, expiresMs } = identity;
  const lines: string[] = [];
  const twin = twinWords(known);
  if (twin !== undefined) lines.push(twin);
  if (state === 'suspended' || isOver(identity)) {
    const since = sinceMs === undefined ? '' : ` for ${age(Math.max(0, now - sinceMs))}`;
    lines.push(`${state}${since} by ${tame(by)}: ${tame(reason)}`);
  } else if (expiresMs !== undefined && expiresMs < now) {
    lines.push(`its certificate ended ${age(now - expiresMs)} ago: it is renewed when it is there`);
  } else if (expiresMs !== undefined && expiresMs - now < SOON_MS) {
    lines.push(`its certificate ends in ${age(expiresMs - now)} and was not renewed yet`);
  }
  return lines;
}
