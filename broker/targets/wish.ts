// What somebody asks for of targets: whether it can be meant, and what would be set if it were granted. Apart from the
// desk, which keeps and tells. A conflict names both, because whoever reads it has to clear one of the two.

import { createHash } from 'node:crypto';
import { isId } from '../../protocol/ids.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import {
  conflictOf,
  keyOf,
  type Place,
  RANKS,
  type Rank,
  TARGET_ROLES,
  type Target,
  type TargetRole,
  whoOf,
} from './model.ts';

/** Whoever needs more wants labels. */
export const TARGETS_MAX = 2_000;
const VERSION = /^[\x21-\x7e]{1,64}$/;

export type TargetWish = {
  readonly component: string;
  readonly version: string;
  readonly role?: TargetRole | undefined;
  readonly rank: Rank;
  /** One or, of terminals, several. */
  readonly values: readonly string[];
};
export type TargetClear = Omit<TargetWish, 'version' | 'role'>;

const isRank = (text: string): text is Rank => (RANKS as readonly string[]).includes(text);

/** @returns what is wrong with it. */
export function wrongWish({
  component,
  version,
  role,
  rank,
  values,
}: TargetWish): string | undefined {
  if (!isId(component)) return `component: "${component.slice(0, 40)}" is no name of a component`;
  if (!VERSION.test(version)) return 'version: 1 to 64 printable characters without blanks';
  if (role !== undefined && !TARGET_ROLES.includes(role)) {
    return 'role: candidate (what is tried) or control (what it is compared with)';
  }
  return wrongWhom({ rank, values });
}

export function wrongWhom({
  rank,
  values,
}: Pick<TargetWish, 'rank' | 'values'>): string | undefined {
  if (!isRank(rank)) return `say for whom by one of ${RANKS.join(', ')}`;
  if (rank === 'all') return values.length === 0 ? undefined : 'all: it means every terminal';
  if (values.length === 0) return `${rank}: say which`;
  if (rank !== 'terminal' && values.length > 1) return `${rank}: one at a time`;
  const wrong = values.find((one) => one.length < 1 || one.length > 100 || /[\p{Cc}\0]/u.test(one));
  return wrong === undefined ? undefined : `${rank}: "${wrong.slice(0, 40)}" is none`;
}

export const digestOf = (targets: readonly Target[]): string =>
  createHash('sha256')
    .update(JSON.stringify(targets.map((one) => [keyOf(one), one.version, one.role])))
    .digest('hex');

export const valuesOf = ({
  rank,
  values,
}: Pick<TargetWish, 'rank' | 'values'>): readonly string[] => (rank === 'all' ? [''] : values);

export const textOf = (target: Target | undefined): string | undefined =>
  target && `${target.version} (${target.role})`;

/** What would be set if the wish were granted, or why it cannot be. */
export function wished(
  targets: readonly Target[],
  wish: TargetWish,
  said: { readonly by: string; readonly reason: string; readonly nowMs: number },
  places: readonly Place[],
): Result<readonly Target[]> {
  const { component, version, rank, role = 'control' } = wish;
  const own = { by: said.by, reason: said.reason, setMs: said.nowMs };
  const made = valuesOf(wish).map(
    (value): Target => ({ component, version, role, rank, value, ...own }),
  );
  const known = new Set(places.map(({ terminal }) => terminal));
  const stranger = rank === 'terminal' ? made.find(({ value }) => !known.has(value)) : undefined;
  if (stranger !== undefined) return fail(`there is no terminal "${stranger.value}" in this fleet`);
  for (const one of made) {
    const conflict = conflictOf(targets, one, places);
    if (conflict === undefined) continue;
    const { target: other, terminal, more } = conflict;
    const both = more === 0 ? terminal : `${terminal} and ${more} more`;
    const says = `${whoOf(other)} says ${other.version} (${other.role})`;
    return fail(
      `${whoOf(one)} and ${whoOf(other)} both mean ${both}: of ${component}, ${says}; ` +
        'clear one, or say it of the store or the terminal',
    );
  }
  const keys = new Set(made.map(keyOf));
  const next = [...targets.filter((one) => !keys.has(keyOf(one))), ...made];
  if (next.length > TARGETS_MAX) return fail(`at most ${TARGETS_MAX} targets: use labels`);
  return ok(next);
}
