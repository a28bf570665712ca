// Documents and their versions as the API tells them. A version whose bulk action has stopped by itself is told as
// stopped though it can still go on: nothing of it happens until somebody decides.

import type { BulkView } from '../bulk/view.ts';
import { releasedOf, rollingOf, type Version } from './model.ts';
import { scopeText } from './resolve.ts';

export type VersionView = Omit<Version, 'scope' | 'bulk'> & {
  /** In words. */
  readonly scope: string;
  readonly bulk?: string | undefined;
  /** Of its bulk action, while that is kept. */
  readonly counts?: BulkView['counts'] | undefined;
  /** It has stopped by itself, or somebody paused it: it can be gone on with. */
  readonly paused: boolean;
};

/** Terminals by how they stand to it. */
export type StandingCounts = {
  readonly meant: number;
  readonly running: number;
  readonly behind: number;
  readonly ahead: number;
  readonly refused: number;
  readonly never: number;
};

export type DocumentView = {
  readonly name: string;
  readonly scope: string;
  readonly released?: VersionView | undefined;
  readonly rolling?: VersionView | undefined;
  readonly latest: VersionView;
  readonly counts: StandingCounts;
  /** Why the released version is not sent by itself any more. */
  readonly held?: string | undefined;
};

export type BulkOf = (bulk: string) => BulkView | undefined;

export function versionView(version: Version, bulkOf: BulkOf): VersionView {
  const { scope, bulk, ...told } = version;
  const view = bulk === '' ? undefined : bulkOf(bulk);
  const paused = version.state === 'rolling' && view?.state === 'paused';
  return {
    ...told,
    ...(paused ? { state: 'stopped', why: view?.why ?? '' } : {}),
    scope: scopeText(scope),
    paused,
    ...(bulk === '' ? {} : { bulk }),
    ...(view === undefined || version.state === 'planned' ? {} : { counts: view.counts }),
  };
}

export const NO_COUNTS: StandingCounts = {
  ...{ meant: 0, running: 0, behind: 0, ahead: 0, refused: 0, never: 0 },
};

/** @returns undefined while nothing of it was ever started. */
export function documentView(
  versions: readonly Version[],
  counts: StandingCounts,
  held: string | undefined,
  bulkOf: BulkOf,
): DocumentView | undefined {
  const latest = versions.findLast(({ state }) => state !== 'planned');
  if (latest === undefined) return undefined;
  const [released, rolling] = [releasedOf(versions), rollingOf(versions)];
  return {
    name: latest.name,
    scope: scopeText((released ?? latest).scope),
    ...(released && { released: versionView(released, bulkOf) }),
    ...(rolling && { rolling: versionView(rolling, bulkOf) }),
    latest: versionView(latest, bulkOf),
    counts,
    ...(held === undefined ? {} : { held }),
  };
}
