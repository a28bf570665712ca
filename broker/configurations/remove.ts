// Forgetting a document: nobody should run it any more. What terminals run they go on with, unless a document for more of
// them is meant for them then; how many get which one by that is said, because nothing of it goes in waves.

import { wrongReason } from '../commands/request.ts';
import { refuse } from '../commands/view.ts';
import type { TerminalView } from '../fleet/view.ts';
import { placeOf } from './look.ts';
import type { Version } from './model.ts';
import { createResolver } from './resolve.ts';
import {
  type Answer,
  type DeskOptions,
  NOT_THERE,
  type Parts,
  type PlanWish,
  wrongActor,
} from './wish.ts';

export type Removed = {
  readonly name: string;
  /** That ran it. */
  readonly terminals: number;
  /** What of them get another one now, by themselves. */
  readonly instead: readonly { readonly name: string; readonly terminals: number }[];
};

/** What those get by themselves that ran a document, once it is gone. */
function insteadOf(others: readonly Version[], views: readonly TerminalView[]): Removed['instead'] {
  const resolve = createResolver(others.filter(({ state }) => state === 'released'));
  const counts = new Map<string, number>();
  for (const view of views) {
    const found = resolve(placeOf(view));
    if (found.kind !== 'one') continue;
    counts.set(found.meant.name, (counts.get(found.meant.name) ?? 0) + 1);
  }
  return [...counts].map(([name, terminals]) => ({ name, terminals }));
}

export function createRemove({ fleet, bulks, audit }: DeskOptions, { store, look }: Parts) {
  const { database } = fleet;
  return (
    name: string,
    {
      actor,
      reason,
      version,
    }: Pick<PlanWish, 'actor' | 'reason'> & { version?: number | undefined },
  ): Answer<Removed> => {
    const versions = store.versionsOf(name);
    const latest = versions.findLast(({ state }) => state !== 'planned');
    if (latest === undefined) return refuse('unknown_terminal', NOT_THERE);
    const wrong = wrongActor(actor);
    if (wrong !== undefined) return wrong;
    const unclear = wrongReason(reason);
    if (unclear !== undefined) return refuse('invalid', unclear);
    if (version !== undefined && version !== latest.version) {
      return refuse('conflict', `its latest version is ${latest.version}: look at it again`);
    }
    const isUnderWay = (one: Version): boolean =>
      one.bulk !== '' && ['running', 'paused'].includes(bulks.get(one.bulk)?.state ?? '');
    const open = versions.find(isUnderWay);
    if (open !== undefined) {
      const how = `end it first: tillwatch bulk abort ${open.bulk}`;
      return refuse('conflict', `version ${open.version} is not over: ${how}`);
    }
    const runs = look
      .everybody()
      .filter(({ id }) => fleet.configurationOf(id).running?.name === name);
    const terminals = runs.length;
    const instead = insteadOf(look.others(name), runs);
    const done = database.transact(() => {
      for (const one of versions) store.remove(one);
      const entry = { operator: actor.name, action: 'config.remove', subject: name };
      const detail = { version: latest.version, sha256: latest.sha256, terminals };
      audit.write({ ...entry, reason: reason.trim(), outcome: 'removed', detail });
    });
    if (!done.ok) return refuse('unavailable', done.reason);
    return { ok: true, view: { name, terminals, instead } };
  };
}
