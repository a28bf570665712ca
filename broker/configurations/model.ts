// A document of the fleet's configuration as the centre keeps it: under a name, in versions that count from 1, each
// with its text, whom it is for, and what became of it. A version is planned, then rolls in waves; it is released when
// enough of them took it, and stopped when not. The newest released one is what everybody should run.

import type { Selector } from '../bulk/select.ts';
import type { Scope } from './resolve.ts';

export const VERSION_STATES = ['planned', 'rolling', 'released', 'stopped'] as const;
export type VersionState = (typeof VERSION_STATES)[number];

/** Names of documents; each is a choice that somebody has to keep in mind. */
export const DOCUMENTS_MAX = 200;
/** Of one name; the oldest go first, never what is released or rolls. */
export const VERSIONS_KEPT_MAX = 50;

export type Version = {
  readonly name: string;
  readonly version: number;
  /** Of the text. */
  readonly sha256: string;
  readonly bytes: number;
  readonly selector: Selector;
  readonly scope: Scope;
  readonly by: string;
  readonly reason: string;
  readonly createdMs: number;
  readonly state: VersionState;
  /** Why it was stopped, or how it was released. */
  readonly why: string;
  readonly startedMs?: number | undefined;
  readonly endedMs?: number | undefined;
  /** The bulk action that carries it out; empty where nobody is there who would take it. */
  readonly bulk: string;
  /** What was released when it was planned; 0: nothing. Whoever planned has seen the difference against that. */
  readonly base: number;
  /** The version whose text it is again. */
  readonly restores?: number | undefined;
  /** So long a till may take until everything is ready under it. */
  readonly readyMs?: number | undefined;
};

/** The newest that is released; undefined before the first. */
export const releasedOf = (versions: readonly Version[]): Version | undefined =>
  versions.findLast(({ state }) => state === 'released');
export const rollingOf = (versions: readonly Version[]): Version | undefined =>
  versions.findLast(({ state }) => state === 'rolling');

/** How a bulk action of one that is over, or stands still, went. */
export type Verdict = { readonly state: 'released' | 'stopped'; readonly why: string };

/**
 * A version that half of two tills could not run is not for everybody, however few they were; and one that nobody has
 * taken was not tried at all.
 */
export function verdictOf(
  counts: Readonly<Record<'succeeded' | 'failed' | 'overdue', number>>,
  failurePercent: number,
  why: string,
): Verdict {
  const failed = counts.failed + counts.overdue;
  const ended = failed + counts.succeeded;
  const isGood = counts.succeeded > 0 && failed * 100 <= failurePercent * ended;
  return { state: isGood ? 'released' : 'stopped', why };
}

/** Those that go so that a new one has room. */
export function surplusOf(versions: readonly Version[], keptMax = VERSIONS_KEPT_MAX): number[] {
  const released = releasedOf(versions)?.version;
  const isKept = ({ version, state }: Version): boolean =>
    version === released || state === 'rolling' || state === 'planned';
  const over = versions.length - keptMax;
  if (over <= 0) return [];
  return versions
    .filter((one) => !isKept(one))
    .slice(0, over)
    .map(({ version }) => version);
}
