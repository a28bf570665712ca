// What `tillwatch maintenance` does: says what runs, until when and by whom, and how many tills have heard of it.

import { parseId } from '../../protocol/ids.ts';
import { MAINTENANCE_MS_MAX } from '../../protocol/limits.ts';
import type { Reply } from '../client.ts';
import { type Context, printJson } from '../context.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { age, ago, type Column, plural, table } from '../screen.ts';
import { localClock, parseDuration } from '../when.ts';
import { wrongReason } from './command.ts';

const MINUTE_MS = 60_000;
const LIMIT_MAX = 1_000;
const ENDED =
  'ended: the watchdogs act again, but where another maintenance or an own hold goes on';

export type Maintenance = {
  readonly id: string;
  readonly scope: 'terminal' | 'store';
  readonly subject: string;
  readonly by: string;
  readonly reason: string;
  readonly startedMs: number;
  readonly untilMs: number;
  readonly window?: string;
  readonly ended?: { readonly atMs: number; readonly by: string; readonly why: string };
  readonly terminals: number;
  readonly held: number;
};
type Answer = { readonly maintenances: readonly Maintenance[] };

export type Whom = { readonly store: string | undefined; readonly terminal: string | undefined };

function wrongWhom({ store, terminal }: Whom): string | undefined {
  if ((store === undefined) === (terminal === undefined))
    return 'say one of --store and --terminal';
  const named = store === undefined ? parseId('terminal', terminal ?? '') : parseId('store', store);
  return named.ok ? undefined : named.reason;
}

/** `for 2h, until 16:05`. */
const untilText = ({ untilMs }: Maintenance, nowMs: number): string =>
  `${age(Math.max(0, untilMs - nowMs))} left, until ${localClock(untilMs).slice(0, 5)}`;

export async function runStart(
  context: Context,
  wish: Whom & { readonly time: string | undefined; readonly reason: string },
): Promise<Outcome> {
  const { store, terminal, time, reason } = wish;
  const wrong = wrongWhom(wish);
  if (wrong !== undefined) return ended(EXIT.usage, wrong);
  if (time === undefined) return ended(EXIT.usage, 'say how long with --for, as in --for 2h');
  const forMs = parseDuration('--for', time, MINUTE_MS, MAINTENANCE_MS_MAX);
  if (!forMs.ok) return ended(EXIT.usage, forMs.reason);
  const unclear = wrongReason(reason);
  if (unclear !== undefined) return ended(EXIT.usage, unclear);
  const body = { store, terminal, forMs: forMs.value, reason };
  const reply = await context.client.post<Answer>('/api/v1/maintenance', body);
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  if (context.json) {
    printJson(context, reply.value);
    return done;
  }
  const [made] = reply.value.maintenances;
  if (made === undefined) return ended(EXIT.unavailable, 'the answer is not of a broker');
  const { print, style, nowMs } = context;
  const what = `maintenance of ${made.scope} ${made.subject}`;
  print(`${style.bold(what)}: ${untilText(made, nowMs())}, ${plural(made.terminals, 'terminal')}`);
  print('their watchdogs watch and do not act, alerts are muted; it ends by itself');
  return done;
}

export async function runEnd(
  context: Context,
  wish: Whom & { readonly reason: string },
): Promise<Outcome> {
  const wrong = wrongWhom(wish) ?? wrongReason(wish.reason);
  if (wrong !== undefined) return ended(EXIT.usage, wrong);
  const { store, terminal, reason } = wish;
  const query = new URLSearchParams({
    ...(store ? { store } : { terminal: terminal ?? '' }),
    reason,
  });
  const reply: Reply<Answer> = await context.client.remove(`/api/v1/maintenance?${query}`);
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  if (context.json) printJson(context, reply.value);
  else context.print(ENDED);
  return done;
}

export async function runList(context: Context, given: string): Promise<Outcome> {
  const limit = Number(given || Number.NaN);
  if (!Number.isInteger(limit) || limit < 1 || limit > LIMIT_MAX) {
    return ended(EXIT.usage, `--limit: a whole number from 1 to ${LIMIT_MAX}`);
  }
  const path = `/api/v1/maintenance?limit=${limit}`;
  const reply = await context.client.get<Answer>(path, ['maintenances']);
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  if (context.json) {
    printJson(context, reply.value);
    return done;
  }
  const { maintenances } = reply.value;
  if (maintenances.length === 0) {
    context.print('no maintenance runs or has run');
    return done;
  }
  const now = context.nowMs();
  const state = (one: Maintenance): string =>
    one.ended === undefined ? untilText(one, now) : `over ${ago(now - one.ended.atMs)}`;
  const tills = (one: Maintenance): string =>
    one.ended === undefined ? `${one.held} of ${one.terminals} hold` : '-';
  const columns: readonly Column[] = [
    ...[{ title: 'OF' }, { title: 'STATE' }, { title: 'TILLS' }, { title: 'BY' }],
    { title: 'WHY', shrinks: true },
  ];
  const rows = maintenances.map((one) => [
    ...[`${one.scope} ${one.subject}`, state(one), tills(one), one.by],
    one.ended === undefined ? one.reason : `${one.reason}; ${one.ended.by}: ${one.ended.why}`,
  ]);
  for (const line of table(columns, rows, context.style.columns)) context.print(line);
  return done;
}
