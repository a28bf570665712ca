// How much memory, how many descriptors and how much processor time a component may use before it is restarted at
// idle. Pure sums over what was read: one look proves nothing (a report, a collection, an end of day), so it
// must be over at k of the last n looks (monit's "3 times within 5 cycles"). A ceiling is never a reason to
// kill: what is too large still sells.

import type { ComponentEvent, Limits } from './model.ts';
import * as reasons from './reasons.ts';

type Usage = Extract<ComponentEvent, { kind: 'usage' }>;
export type Ceiling = 'memory' | 'descriptors' | 'cpu';

export type Ceilings = {
  readonly cpu: { readonly at: number; readonly seconds: number } | undefined;
  /** The last n looks, oldest first: whether it was over. */
  readonly looks: { readonly [C in Ceiling]?: readonly boolean[] };
  /** Since when it has been over at each look. */
  readonly overAt: { readonly [C in Ceiling]?: number };
};

export const newCeilings: Ceilings = { cpu: undefined, looks: {}, overAt: {} };

export type Over = { readonly ceiling: Ceiling; readonly reason: string; readonly sinceAt: number };

/** The reason when it is over at this look; undefined: it is not; null: not measured, or no ceiling. */
type Look = string | undefined | null;

function memoryLook({ memoryBytes }: Limits, { residentBytes }: Usage): Look {
  if (memoryBytes === undefined || !Number.isFinite(residentBytes)) return null;
  if (residentBytes <= memoryBytes) return undefined;
  return reasons.memoryOver(residentBytes, memoryBytes);
}

function descriptorsLook(limits: Limits, { descriptors, descriptorsMax }: Usage): Look {
  if (descriptors === undefined) return null;
  const own = limits.descriptors ?? Number.POSITIVE_INFINITY;
  const share = (descriptorsMax ?? Number.POSITIVE_INFINITY) * limits.descriptorsRatio;
  const ceiling = Math.min(own, share);
  return descriptors >= ceiling ? reasons.descriptorsOver(descriptors, ceiling) : undefined;
}

function cpuLook({ cpuRatio }: Limits, before: Ceilings['cpu'], usage: Usage, now: number): Look {
  if (cpuRatio === undefined || before === undefined || now <= before.at) return null;
  const ratio = ((usage.cpuSeconds - before.seconds) * 1000) / (now - before.at);
  return ratio > cpuRatio ? reasons.cpuOver(ratio, cpuRatio) : undefined;
}

/** @returns what is known after this look, and the first ceiling that it broke k times of n. */
export function lookAtUsage(
  limits: Limits,
  before: Ceilings,
  usage: Usage,
  now: number,
): { readonly ceilings: Ceilings; readonly over: Over | undefined } {
  const found: readonly (readonly [Ceiling, Look])[] = [
    ['memory', memoryLook(limits, usage)],
    ['descriptors', descriptorsLook(limits, usage)],
    ['cpu', cpuLook(limits, before.cpu, usage, now)],
  ];
  const looks: { [C in Ceiling]?: readonly boolean[] } = { ...before.looks };
  const overAt: { [C in Ceiling]?: number } = { ...before.overAt };
  let over: Over | undefined;
  for (const [ceiling, look] of found) {
    if (look === null) continue;
    const window = [...(looks[ceiling] ?? []), look !== undefined].slice(-limits.n);
    looks[ceiling] = window;
    if (look === undefined) delete overAt[ceiling];
    else overAt[ceiling] ??= now;
    if (look === undefined || window.filter(Boolean).length < limits.k) continue;
    over ??= { ceiling, reason: look, sinceAt: overAt[ceiling] ?? now };
  }
  const cpu = { at: now, seconds: usage.cpuSeconds };
  return { ceilings: { cpu, looks, overAt }, over };
}

/** None of its last n looks was over: a wish that waits is no longer needed. */
export const isBelow = ({ looks }: Ceilings, ceiling: Ceiling): boolean =>
  !(looks[ceiling] ?? []).includes(true);

/** What was read before the agent was away makes no share of a core. */
export const afterPause = (ceilings: Ceilings): Ceilings =>
  ceilings.cpu === undefined ? ceilings : { ...ceilings, cpu: undefined };
