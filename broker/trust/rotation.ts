// The rotation of an authority or of a command key, as a pure step over the trust state: a new one is believed first,
// used when every terminal knows it, and the old one is dropped when nobody needs it. Each step raises the version,
// which is how terminals hear of it. Two rotations of one thing at a time would outgrow what terminals hold.

import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Stage, TrustState } from './state.ts';

export type Target = 'authority' | 'command';
export type RotationStep =
  /** `name` lies on disk already. */
  | { readonly kind: 'start'; readonly name: string; readonly key: string }
  | { readonly kind: 'switch' }
  | { readonly kind: 'finish' }
  /** Before the switch only. */
  | { readonly kind: 'cancel' };

export type Phase = 'settled' | 'started' | 'switched';
type Entry = { readonly name: string; readonly stage: Stage };

export const listOf = (state: TrustState, target: Target): readonly Entry[] =>
  target === 'authority' ? state.authorities : state.commandKeys;

export function phaseOf(state: TrustState, target: Target): Phase {
  const stages = listOf(state, target).map((one) => one.stage);
  if (stages.includes('next')) return 'started';
  return stages.includes('last') ? 'switched' : 'settled';
}

/** Above every number that is named; whoever makes files also looks at those that lie there. */
export function nextNumber(names: readonly string[]): number {
  const numbers = names.map((name) => Number(/-(\d+)(\.|$)/.exec(name)?.[1] ?? 0));
  return Math.max(0, ...numbers) + 1;
}

const WHAT = { authority: 'authority', command: 'command key' } as const;
const NOT_NOW: Readonly<Record<Phase, (what: string) => string>> = {
  settled: (what) => `no rotation of the ${what} has begun`,
  started: (what) => `a new ${what} waits for its switch`,
  switched: (what) => `the new ${what} is in use; finish the rotation first`,
};

/** In the order in which terminals are told: what is used first. */
const ORDER: readonly Stage[] = ['used', 'next', 'last'];
const sorted = <T extends Entry>(list: readonly T[]): T[] =>
  [...list].sort((a, b) => ORDER.indexOf(a.stage) - ORDER.indexOf(b.stage));

const FROM: Readonly<Record<RotationStep['kind'], Phase>> = {
  start: 'settled',
  switch: 'started',
  finish: 'switched',
  cancel: 'started',
};

function move<T extends Entry>(list: readonly T[], kind: 'switch' | 'finish' | 'cancel'): T[] {
  if (kind === 'finish') return list.filter((one) => one.stage !== 'last');
  if (kind === 'cancel') return list.filter((one) => one.stage !== 'next');
  return list.map((one) => ({ ...one, stage: one.stage === 'next' ? 'used' : 'last' }));
}

export function rotate(state: TrustState, target: Target, step: RotationStep): Result<TrustState> {
  const phase = phaseOf(state, target);
  if (phase !== FROM[step.kind]) return fail(NOT_NOW[phase](WHAT[target]));
  const version = state.version + 1;
  if (step.kind === 'start') {
    const { name, key } = step;
    const since = { ...state.since, [target]: version };
    if (target === 'authority') {
      const authorities = sorted([...state.authorities, { name, stage: 'next' as const }]);
      return ok({ ...state, version, since, authorities });
    }
    const commandKeys = sorted([...state.commandKeys, { name, key, stage: 'next' as const }]);
    return ok({ ...state, version, since, commandKeys });
  }
  if (target === 'authority') {
    return ok({ ...state, version, authorities: sorted(move(state.authorities, step.kind)) });
  }
  return ok({ ...state, version, commandKeys: sorted(move(state.commandKeys, step.kind)) });
}
