// How a terminal stands to the configuration that is meant for it, pure: runs it, is behind it, is ahead of it (it took a
// version that was stopped, or that still rolls), or has refused it. What it runs is told by its digest and not by its
// number, so that a rollback to the text that it never left asks nothing of it.

import type { ConfigurationView } from '../fleet/describe.ts';
import type { Configured } from '../fleet/queries.ts';
import type { Version } from './model.ts';
import { isIn, type Meant, type Place, type Resolved, scopeText } from './resolve.ts';

export type Standing = {
  readonly target: Meant | undefined;
  readonly state: 'nothing' | 'running' | 'behind' | 'ahead' | 'unclear';
  /** Why it does not run what is meant for it, where it or the centre has said. */
  readonly refused: string | undefined;
};

export type Known = {
  readonly resolve: (place: Place) => Resolved;
  readonly versionsOf: (name: string) => readonly Version[];
  /** Why the centre does not send it any more, though the terminal has not refused it in words. */
  readonly givenUp: (terminal: string, target: Meant) => string | undefined;
  /** This broker comes from a backup: there may be versions that it knows nothing of. */
  readonly isRestored?: boolean;
};

const KNOWS_NONE =
  'its agent does not say which configuration it runs, and so knows none: upgrade the agent';

export const isSame = (
  one: { readonly name: string; readonly sha256: string } | undefined,
  other: { readonly name: string; readonly sha256: string },
): boolean => one !== undefined && one.name === other.name && one.sha256 === other.sha256;

/** Whether what is meant was decided before that one was begun; who went back since has decided about it. */
function isOlder(target: Meant, one: Version, known: Known): boolean {
  if (target.name === one.name) return target.version < one.version;
  const meant = known.versionsOf(target.name).find(({ version }) => version === target.version);
  return (meant?.startedMs ?? 0) <= (one.startedMs ?? 0);
}

/** It took what others did not get, or have not got yet: somebody decides about it, not we. */
function isAhead(place: Place, { running }: Configured, resolved: Resolved, known: Known): boolean {
  if (running === undefined || running.state === 'own') return false;
  const { name, version, sha256 } = running;
  const versions = known.versionsOf(name);
  // Released between the backup and its restore: going back by itself would restart components of a whole fleet.
  const isUnknown = versions.length > 0 && versions.every((one) => one.version < version);
  if (known.isRestored === true && isUnknown) return true;
  return versions.some((one) => {
    const isOpen = one.state === 'rolling' || one.state === 'stopped';
    if (!(isOpen && one.version === version && one.sha256 === sha256)) return false;
    if (resolved.kind === 'one' && !isOlder(resolved.meant, one, known)) return false;
    return isIn(one.scope, place);
  });
}

function refusedBy(place: Place, target: Meant, { refused }: Configured, known: Known) {
  const isIt = refused?.version === target.version && isSame(refused, target);
  return isIt ? refused?.reason : known.givenUp(place.id, target);
}

export function standingOf(place: Place, configured: Configured, known: Known): Standing {
  const resolved = known.resolve(place);
  const { running } = configured;
  const ahead = isAhead(place, configured, resolved, known);
  if (resolved.kind !== 'one') {
    const state = ahead ? 'ahead' : resolved.kind === 'none' ? 'nothing' : 'unclear';
    const refused =
      resolved.kind === 'none'
        ? undefined
        : `${resolved.names.join(' and ')} are both meant for it, by ${resolved.rank}: none is taken`;
    return { target: undefined, state, refused };
  }
  const target = resolved.meant;
  if (running?.state === 'kept' && isSame(running, target)) {
    return { target, state: 'running', refused: undefined };
  }
  const refused = refusedBy(place, target, configured, known);
  return { target, state: ahead ? 'ahead' : 'behind', refused: ahead ? undefined : refused };
}

/** As the API tells it. @param isHeard whether it ever reported: who never did is behind nothing yet. */
export function describeStanding(
  { target, state, refused }: Standing,
  { running }: Configured,
  isHeard: boolean,
): ConfigurationView | undefined {
  if (running === undefined && target === undefined && refused === undefined) return undefined;
  const { name = '', version = 0, sha256 = '' } = running ?? {};
  const why = isHeard && target !== undefined && running === undefined ? KNOWS_NONE : refused;
  const wish = target && { name: target.name, version: target.version, sha256: target.sha256 };
  return {
    ...{ name, version, sha256, state: running?.state ?? 'unknown' },
    ...(wish && { target: wish }),
    behind: isHeard && (state === 'behind' || state === 'unclear'),
    ...(why === undefined ? {} : { refused: why }),
  };
}

/** Why a version is not for a terminal, by the documents that there are. */
function meantInstead(wanted: Pick<Meant, 'name'>, resolved: Resolved): string | undefined {
  if (resolved.kind === 'several') return `${resolved.names.join(' and ')} are both meant for it`;
  if (resolved.kind === 'none' || resolved.meant.name === wanted.name) return undefined;
  const { name, scope } = resolved.meant;
  return `"${name}", which is for ${scopeText(scope)}, is meant for it`;
}

/** Why one that stands in the list of a rollout does not get it any more: stores have changed since. */
export function lostFor(
  wanted: Pick<Meant, 'name' | 'scope'>,
  place: Place,
  resolved: Resolved,
): string | undefined {
  if (!isIn(wanted.scope, place))
    return `it does not belong to ${scopeText(wanted.scope)} any more`;
  return meantInstead(wanted, resolved);
}

/** Why a terminal that a new version is meant for does not get it now. */
export function leftOutFor(
  wanted: Pick<Meant, 'name' | 'sha256'>,
  resolved: Resolved,
  { running }: Configured,
  isConnected: boolean,
): string | undefined {
  const instead = meantInstead(wanted, resolved);
  if (instead !== undefined) return instead;
  if (running?.state === 'kept' && isSame(running, wanted)) return 'it runs this text already';
  if (!isConnected) return 'it is away: it gets it when it comes back';
  return running === undefined ? KNOWS_NONE : undefined;
}
