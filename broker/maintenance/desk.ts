// Where maintenances are started and ended, and what the rest of the broker is told of them: who is in one, by whom and
// until when. Starting one again for the same terminal or store replaces it. Each ends by itself, and whoever ends it,
// an operator or time, is written down.

import { randomUUID } from 'node:crypto';
import { MAINTENANCE_MS_MAX } from '../../protocol/limits.ts';
import type { Result } from '../../protocol/result.ts';
import type { Audit } from '../audit.ts';
import type { Clock } from '../clock.ts';
import { type Actor, OWN_OPERATOR } from '../commands/commands.ts';
import { wrongReason } from '../commands/request.ts';
import { type Refusal, refuse } from '../commands/view.ts';
import type { Database } from '../fleet/database.ts';
import {
  type Cover,
  coverOf,
  leftOf,
  MAINTENANCE_MS_MIN,
  MAINTENANCES_MAX,
  type Maintenance,
  type Now,
  type Running,
  resumed,
  type Scope,
  straightened,
} from './model.ts';
import type { MaintenanceStore } from './store.ts';

export type StartWish = {
  readonly scope: Scope;
  readonly subject: string;
  readonly forMs: number;
  readonly reason: string;
  readonly actor: Actor;
  readonly window?: string | undefined;
};
export type EndWish = Pick<StartWish, 'scope' | 'subject' | 'reason' | 'actor'>;
export type Answer = { readonly ok: true; readonly maintenances: readonly Maintenance[] } | Refusal;

export type DeskOptions = {
  readonly database: Database;
  readonly audit: Pick<Audit, 'write'>;
  readonly clock: Pick<Clock, 'wallMs' | 'monotonicMs'>;
  /** @returns why there is nothing to maintain. */
  readonly unknown: (scope: Scope, subject: string) => string | undefined;
  readonly dropped: (count: number) => void;
};

export type Desk = {
  readonly start: (wish: StartWish) => Answer;
  readonly end: (wish: EndWish) => Answer;
  /** Ends what is over. */
  readonly tick: () => void;
  readonly running: () => readonly Running[];
  readonly cover: () => Cover;
};

const UNAVAILABLE = 'it could not be written down; the log of the broker says why';
const HOURS_MAX = MAINTENANCE_MS_MAX / 3_600_000;

function wrongStart({ forMs, reason }: StartWish): string | undefined {
  if (!(forMs >= MAINTENANCE_MS_MIN && forMs <= MAINTENANCE_MS_MAX)) {
    return `forMs: a maintenance takes from 1 second to ${HOURS_MAX} hours; it can be started again`;
  }
  return wrongReason(reason);
}

/** What is written of one; within a transaction. */
function createWriter({ database, audit, clock, dropped }: DeskOptions, store: MaintenanceStore) {
  const save = ({ endMs: _, ...maintenance }: Running): void => {
    const gone = store.save(maintenance);
    if (gone > 0) database.afterCommit(() => dropped(gone));
  };

  function close(one: Running, by: string, why: string, outcome: string): Running {
    const ended = { ...one, ended: { atMs: clock.wallMs(), by, why } };
    save(ended);
    const { id, scope, subject, window } = one;
    const detail = { maintenance: id, scope, startedBy: one.by, ...(window && { window }) };
    audit.write({
      ...{ operator: by, action: 'maintenance.end', subject, reason: why, outcome, detail },
    });
    return ended;
  }

  return { save, close };
}

export function openDesk(options: DeskOptions, store: MaintenanceStore): Desk {
  const { database, audit, clock, unknown } = options;
  const now = (): Now => ({ wallMs: clock.wallMs(), monotonicMs: clock.monotonicMs() });
  let running: readonly Running[] = store.running().map((one) => resumed(one, now()));
  let cover = coverOf(running);
  const put = (next: readonly Running[]): void => {
    running = next;
    cover = coverOf(next);
  };

  const { save, close } = createWriter(options, store);

  function start(wish: StartWish): Answer {
    const { scope, subject, forMs, actor, window } = wish;
    const reason = wish.reason.trim();
    const wrong = wrongStart(wish) ?? unknown(scope, subject);
    if (wrong !== undefined) return refuse('invalid', wrong);
    const at = now();
    // A window's own stands beside what people have started: neither ends the other.
    const replaced = running.filter(
      (one) =>
        one.scope === scope && one.subject === subject && (one.window ?? '') === (window ?? ''),
    );
    if (running.length - replaced.length >= MAINTENANCES_MAX) {
      return refuse('too_many', `${MAINTENANCES_MAX} maintenances run: end one first`);
    }
    const made: Running = {
      ...{ id: randomUUID(), scope, subject, by: actor.name, reason, startedMs: at.wallMs },
      ...{ untilMs: at.wallMs + forMs, endMs: at.monotonicMs + forMs },
      ...(window === undefined ? {} : { window }),
    };
    const done = database.transact(() => {
      for (const one of replaced) close(one, actor.name, `replaced: ${reason}`, 'replaced');
      save(made);
      const { id: maintenance, untilMs } = made;
      const detail = { maintenance, scope, forMs, untilMs, ...(window && { window }) };
      const entry = { operator: actor.name, action: 'maintenance.start', subject, reason };
      audit.write({ ...entry, outcome: 'running', detail });
    });
    if (!done.ok) return refuse('unavailable', UNAVAILABLE);
    put([...running.filter((one) => !replaced.includes(one)), made]);
    return { ok: true, maintenances: [made] };
  }

  function endAll(
    of: readonly Running[],
    by: string,
    why: string,
    outcome: string,
  ): Result<Running[]> {
    const done = database.transact(() => of.map((one) => close(one, by, why, outcome)));
    if (done.ok) put(running.filter((one) => !of.includes(one)));
    return done;
  }

  return {
    start,
    end: ({ scope, subject, reason, actor }) => {
      const unclear = wrongReason(reason);
      if (unclear !== undefined) return refuse('invalid', unclear);
      const found = running.filter((one) => one.scope === scope && one.subject === subject);
      if (found.length === 0) {
        const why = unknown(scope, subject) ?? `no maintenance of the ${scope} ${subject} runs`;
        return refuse('conflict', why);
      }
      const done = endAll(found, actor.name, reason.trim(), 'ended');
      return done.ok ? { ok: true, maintenances: done.value } : refuse('unavailable', UNAVAILABLE);
    },
    tick: () => {
      const at = now();
      const over = running.filter((one) => leftOf(one, at) <= 0);
      if (over.length > 0) endAll(over, OWN_OPERATOR, 'its time is over', 'over');
      const straight = running.map((one) => straightened(one, at));
      if (straight.every((one, place) => one === running[place])) return;
      const done = database.transact(() => {
        straight.forEach((one, place) => {
          if (one !== running[place]) save(one);
        });
      });
      if (done.ok) put(straight);
    },
    running: () => running,
    cover: () => cover,
  };
}
