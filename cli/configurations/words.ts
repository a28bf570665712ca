// Configurations of the fleet as the broker tells them, and the lines that more than one verb prints of them.

import type { Context } from '../context.ts';
import { plural, type Style, wrap } from '../screen.ts';
import { localClock, localDay } from '../when.ts';

type Counts = Readonly<Record<string, number>>;
export type VersionView = {
  readonly name: string;
  readonly version: number;
  readonly sha256: string;
  readonly bytes: number;
  readonly scope: string;
  readonly by: string;
  readonly reason: string;
  readonly createdMs: number;
  readonly startedMs?: number;
  readonly endedMs?: number;
  readonly state: 'planned' | 'rolling' | 'released' | 'stopped';
  readonly why: string;
  readonly paused: boolean;
  readonly bulk?: string;
  readonly restores?: number;
  readonly counts?: Counts;
};
export type DocumentView = {
  readonly name: string;
  readonly scope: string;
  readonly released?: VersionView;
  readonly rolling?: VersionView;
  readonly latest: VersionView;
  readonly counts: Readonly<
    Record<'meant' | 'running' | 'behind' | 'ahead' | 'refused' | 'never', number>
  >;
  readonly held?: string;
};
export type PlanView = {
  readonly version: VersionView;
  readonly difference: string;
  readonly against: number | null;
  readonly count: number;
  readonly stores: number;
  readonly confirm?: string;
  readonly leftOut: {
    readonly count: number;
    readonly first: readonly { readonly terminal: string; readonly reason: string }[];
  };
  readonly firstWave: number;
};
export type Failed = { readonly terminal: string; readonly reason: string };

export const API = '/api/v1/configurations';
export const momentOf = (ms: number): string => `${localDay(ms)} ${localClock(ms).slice(0, 5)}`;
export const shortHash = (sha256: string): string => sha256.slice(0, 12);

export const countsText = (counts: Counts): string =>
  Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([state, count]) => `${count} ${state}`)
    .join(', ');

/** `20 run it, 1 ahead of it, 2 behind`: who does first. */
export function standingText({ counts, released }: DocumentView): string {
  const { meant, running, behind, ahead, refused, never } = counts;
  const parts: readonly (readonly [number, string])[] = [
    ...(released === undefined ? [] : ([[running, 'run it']] as const)),
    [ahead, 'ahead of it'],
    [behind, 'behind'],
    [refused, 'refused it'],
    [never, 'never seen'],
  ];
  const told = parts.filter(([count], at) => count > 0 || (at === 0 && meant > 0));
  const words = told.map(([count, word]) => `${count} ${word}`).join(', ');
  return words === '' ? 'none yet' : words;
}

export function painted(line: string, style: Style): string {
  if (/^(---|\+\+\+|@@)/.test(line)) return style.bold(line);
  if (line.startsWith('+')) return style.good(line);
  return line.startsWith('-') ? style.bad(line) : line;
}

/** What a stop looks like: which tills, what each said, and what can be done now. */
export function stopLines(
  { style }: Pick<Context, 'style'>,
  { name, bulk, paused, why }: VersionView,
  failed: readonly Failed[],
): string[] {
  const told = failed.map(({ terminal, reason }) => `  ${terminal}: ${reason}`);
  return [
    ...told.flatMap((line) => wrap(line, style.columns)),
    ...(paused ? [`it stands still: ${why}`] : []),
    ...(paused ? [`  go on with it:  tillwatch bulk resume ${bulk} --reason ...`] : []),
    `  go back:        tillwatch config rollback ${name} --reason ...`,
  ];
}

export const waveText = (count: number, stores: number, firstWave: number): string =>
  `${plural(count, 'terminal')} of ${plural(stores, 'store')} ${count === 1 ? 'gets' : 'get'} it now, ` +
  `beginning with ${firstWave}, never more than half of a store at one time`;
