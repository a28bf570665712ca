// What watchdogs in `observe`, or on held tills, would have done: the events `recovery_suppressed`, summed up by
// what the on-call has to decide on before a component is let act. Read from the table of events in pages with
// a turn of the loop between them, because a week of a fleet may be many rows and the broker must go on.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EventPage, EventQuery, EventRow } from './events.ts';

/** Rows that one report reads, newest first, at most. */
export const REPORT_ROWS_MAX = 50_000;
/** Kinds of decision that are told apart; a fleet has some ten. */
export const REPORT_GROUPS_MAX = 500;
const PAGE_ROWS = 500;

export type SuppressedGroup = {
  readonly component: string;
  readonly cause: string;
  readonly rung: string;
  readonly version: string;
  readonly by: string;
  readonly count: number;
  /** How many terminals it was on, and the one where it was last. */
  readonly terminals: number;
  readonly terminal: string;
  readonly firstMs: number;
  readonly lastMs: number;
  /** The last one's. */
  readonly reason: string;
};

export type SuppressedReport = {
  readonly sinceMs: number;
  /** Most frequent first. */
  readonly groups: readonly SuppressedGroup[];
  readonly total: number;
  /** False when there was more than is read: what is told is then the newest. */
  readonly complete: boolean;
};

type Growing = { -readonly [K in keyof SuppressedGroup]: SuppressedGroup[K] } & {
  readonly on: Set<string>;
};

const word = (value: unknown): string => (typeof value === 'string' ? value : '');

function add(groups: Map<string, Growing>, { terminal, timeMs, component, fields }: EventRow) {
  const [cause, rung, by] = [word(fields['cause']), word(fields['rung']), word(fields['by'])];
  const version = word(fields['version']);
  const key = JSON.stringify([component, cause, rung, by, version]);
  const known = groups.get(key);
  if (known !== undefined) {
    known.count += 1;
    known.on.add(terminal);
    known.firstMs = Math.min(known.firstMs, timeMs);
    if (timeMs > known.lastMs) {
      Object.assign(known, { lastMs: timeMs, terminal, reason: word(fields['reason']) });
    }
    return true;
  }
  if (groups.size >= REPORT_GROUPS_MAX) return false;
  const times = { firstMs: timeMs, lastMs: timeMs };
  const what = { component, cause, rung, version, by, count: 1, terminals: 1, terminal };
  const reason = word(fields['reason']);
  groups.set(key, { ...what, ...times, reason, on: new Set([terminal]) });
  return true;
}

/** @param where terminal and store, if not all of the fleet. */
export async function reportSuppressed(
  eventPage: (query: EventQuery) => EventPage,
  where: Pick<EventQuery, 'terminal' | 'store' | 'component'>,
  sinceMs: number,
): Promise<SuppressedReport> {
  const groups = new Map<string, Growing>();
  const query = { ...where, kind: 'recovery_suppressed', sinceMs, order: 'desc' } as const;
  let afterId: number | undefined;
  let total = 0;
  let complete = true;
  for (let more = true; more; ) {
    const page = eventPage({ ...query, afterId, limit: PAGE_ROWS });
    for (const event of page.events) complete = add(groups, event) && complete;
    total += page.events.length;
    more = page.more && page.next !== afterId;
    afterId = page.next;
    if (more && total >= REPORT_ROWS_MAX) {
      complete = false;
      break;
    }
    await nextTurn();
  }
  const told = [...groups.values()].map(({ on, ...group }) => ({ ...group, terminals: on.size }));
  told.sort((a, b) => b.count - a.count || b.lastMs - a.lastMs);
  return { sinceMs, groups: told, total, complete };
}
