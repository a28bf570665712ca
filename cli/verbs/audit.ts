// `tillwatch audit`: the newest entries that fit, the oldest first as in a log; and the signed head.

import { type AuditHead, auditHeadSchema } from '../../protocol/audit.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { type Context, printJson } from '../context.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { table } from '../screen.ts';
import { localClock, localDay, parseWhen } from '../when.ts';

const LIMIT_MAX = 10_000;
/** The API's own. */
const PAGE_MAX = 1_000;
/** Each page looks at a bounded number of entries; some hold nothing. */
const PAGES_MAX = 2_000;
const COLUMNS_MIN = 132;

type Entry = {
  readonly id: number;
  readonly timeMs: number;
  readonly operator: string;
  readonly action: string;
  readonly subject: string;
  readonly reason: string;
  readonly outcome: string;
};
type Page = { readonly entries: readonly Entry[]; readonly next?: number };

const WORDS = ['operator', 'action', 'subject', 'outcome'] as const;
const TIMES = ['since', 'until'] as const;

export type AuditFilter = Readonly<
  Record<(typeof WORDS)[number] | (typeof TIMES)[number], string | undefined>
> & { readonly limit: string };

function readFilter(filter: AuditFilter, nowMs: number): Result<URLSearchParams> {
  const query = new URLSearchParams();
  for (const word of WORDS) {
    const value = filter[word];
    if (value === '') return fail(`--${word}: say which`);
    if (value !== undefined) query.set(word, value);
  }
  for (const name of TIMES) {
    const value = filter[name];
    if (value === undefined) continue;
    const when = parseWhen(`--${name}`, value, nowMs);
    if (!when.ok) return when;
    query.set(name, String(Math.max(0, Math.floor(when.value))));
  }
  return ok(query);
}

export async function runAudit(context: Context, filter: AuditFilter): Promise<Outcome> {
  const query = readFilter(filter, context.nowMs());
  if (!query.ok) return ended(EXIT.usage, query.reason);
  const limit = Number(filter.limit || Number.NaN);
  if (!Number.isInteger(limit) || limit < 1 || limit > LIMIT_MAX) {
    return ended(EXIT.usage, `--limit: a whole number from 1 to ${LIMIT_MAX}`);
  }
  const entries: Entry[] = [];
  let isMore = false;
  for (let pages = 0; pages < PAGES_MAX; pages += 1) {
    query.value.set('limit', String(Math.min(PAGE_MAX, limit - entries.length)));
    const reply = await context.client.get<Page>(`/api/v1/audit?${query.value}`, ['entries']);
    if (!reply.ok) return ended(reply.exit, reply.sentence);
    entries.push(...reply.value.entries);
    const { next } = reply.value;
    isMore = next !== undefined;
    if (next === undefined || entries.length >= limit) break;
    query.value.set('cursor', String(next));
  }
  if (context.json) printJson(context, { entries, more: isMore });
  else if (entries.length === 0) context.print('no such entry');
  else {
    const columns = [
      ...[{ title: 'when' }, { title: 'who' }, { title: 'what' }, { title: 'to what' }],
      ...[{ title: 'outcome' }, { title: 'why', shrinks: true }],
    ];
    const rows = entries
      .reverse()
      .map((one) => [
        `${localDay(one.timeMs)} ${localClock(one.timeMs).slice(0, 8)}`,
        ...[one.operator, one.action, one.subject, one.outcome, one.reason],
      ]);
    const width = Math.max(context.style.columns, COLUMNS_MIN);
    for (const line of table(columns, rows, width)) context.print(line);
  }
  return done;
}

/** Always one line of JSON: it is for a file, and `verify --head` reads it. */
export async function runHead(context: Context): Promise<Outcome> {
  const fields = Object.keys(auditHeadSchema.entries) as (keyof AuditHead)[];
  const reply = await context.client.get<AuditHead>('/api/v1/audit/head', fields);
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  const { id, hash, timeMs, count, key, signature } = reply.value;
  context.print(JSON.stringify({ id, hash, timeMs, count, key, signature }));
  return done;
}
