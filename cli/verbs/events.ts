// `tillwatch events`: what happened, oldest first as in a log, and with --follow what happens from now on.
// Times are the terminals' own; the order is the broker's, in which nothing that arrives late is skipped.

import { EVENT_KINDS } from '../../protocol/events.ts';
import { parseId } from '../../protocol/ids.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { EventView, Reply, TerminalView } from '../client.ts';
import { type Context, printJson } from '../context.ts';
import { createEventLines } from '../event-lines.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import type { LiveItem } from '../live.ts';
import { refusedFor } from '../names.ts';
import { didYouMean } from '../nearest.ts';
import { localDay, parseWhen } from '../when.ts';

export const LIMIT_DEFAULT = 50;
const LIMIT_MAX = 10_000;
/** The API's own. */
const PAGE_MAX = 1_000;
/** Pages that hold nothing are allowed: each looks at a bounded number of rows. */
const PAGES_MAX = 200;

export type EventsOptions = {
  readonly terminal?: string | undefined;
  readonly store?: string | undefined;
  readonly component?: string | undefined;
  readonly kind?: string | undefined;
  readonly since?: string | undefined;
  readonly limit: string;
  readonly follow: boolean;
  /** A line for the person, not for the pipe. */
  readonly note: (text: string) => void;
  readonly live: (query: URLSearchParams, after: number) => AsyncIterable<LiveItem>;
};

type Ask = { readonly query: URLSearchParams; readonly limit: number };
type Page = {
  readonly events: readonly EventView[];
  readonly next: number;
  readonly more?: boolean;
};

const FILTERS = ['terminal', 'store', 'component', 'kind'] as const;

function readAsk(options: EventsOptions, nowMs: number): Result<Ask> {
  const query = new URLSearchParams();
  for (const name of FILTERS) {
    const value = options[name];
    if (value === undefined) continue;
    const checked = name === 'kind' ? ok(value) : parseId(name, value);
    if (!checked.ok) return checked;
    query.set(name, value);
  }
  if (options.since !== undefined) {
    const since = parseWhen('--since', options.since, nowMs);
    if (!since.ok) return since;
    query.set('since', String(Math.max(0, Math.floor(since.value))));
  }
  const limit = Number(options.limit || Number.NaN);
  if (!Number.isInteger(limit) || limit < 1 || limit > LIMIT_MAX) {
    return fail(`--limit: a whole number from 1 to ${LIMIT_MAX}`);
  }
  return ok({ query, limit });
}

/** The newest that fit, oldest first; `cut` when there are older ones. */
async function readEvents(
  { client }: Context,
  { query, limit }: Ask,
): Promise<Reply<{ events: EventView[]; cut: boolean }>> {
  const events: EventView[] = [];
  let after = '';
  for (let page = 0; page < PAGES_MAX; page += 1) {
    // One more than is wanted says whether there are more.
    const wanted = Math.min(PAGE_MAX, limit + 1 - events.length);
    const path = `/api/v1/events?${query}&order=desc&limit=${wanted}${after}`;
    const reply = await client.get<Page>(path.replace('?&', '?'), ['events', 'next']);
    if (!reply.ok) return reply;
    events.push(...reply.value.events);
    if (events.length > limit || !(reply.value.more ?? reply.value.events.length === wanted)) break;
    after = `&after=${reply.value.next}`;
  }
  const cut = events.length > limit;
  return { ok: true, value: { events: events.slice(0, limit).reverse(), cut } };
}

/** Nothing at all is often a wrong word: it says which, and what may have been meant. */
async function whyNone(context: Context, options: EventsOptions): Promise<Outcome> {
  const { terminal, kind } = options;
  if (terminal !== undefined) {
    const known = await context.client.get<TerminalView>(`/api/v1/terminals/${terminal}`, ['id']);
    if (!known.ok) return await refusedFor(context.client, known, { terminal });
  }
  if (kind !== undefined && !(EVENT_KINDS as readonly string[]).includes(kind)) {
    options.note(`no event is of the kind "${kind}"${didYouMean(kind, EVENT_KINDS)}`);
  } else options.note('no such event');
  return done;
}

/** The newest row there is: where following begins, so that nothing falls between list and stream. */
async function newestId({ client }: Context): Promise<Reply<number>> {
  const reply = await client.get<Page>('/api/v1/events?order=desc&limit=1', ['events', 'next']);
  return reply.ok ? { ok: true, value: reply.value.events[0]?.id ?? 0 } : reply;
}

type Show = (event: EventView) => void;

async function follow(options: EventsOptions, ask: Ask, after: number, show: Show) {
  const query = new URLSearchParams(ask.query);
  // The stream knows neither; the terminal's own time is looked at here.
  for (const name of ['component', 'since']) query.delete(name);
  for await (const item of options.live(query, after)) {
    if (item.kind === 'refused') return ended(item.exit, item.sentence);
    if (item.kind === 'broken') options.note('the broker does not answer; waiting for it');
    else if (item.kind === 'back') options.note('the broker is back');
    else if (item.kind === 'gap')
      options.note('events were removed for room before they were read');
    else if (options.component === undefined || item.event.component === options.component) {
      show(item.event);
    }
  }
  return done;
}

export async function runEvents(context: Context, options: EventsOptions): Promise<Outcome> {
  const ask = readAsk(options, context.nowMs());
  if (!ask.ok) return ended(EXIT.usage, ask.reason);
  const newest = options.follow ? await newestId(context) : ({ ok: true, value: 0 } as const);
  if (!newest.ok) return ended(newest.exit, newest.sentence);
  const read = await readEvents(context, ask.value);
  if (!read.ok) return ended(read.exit, read.sentence);
  const { events, cut } = read.value;
  if (context.json && !options.follow) {
    printJson(context, { events, older: cut });
    return done;
  }
  const asked = {
    terminal: options.terminal !== undefined,
    component: options.component !== undefined,
  };
  const line = createEventLines(context.style, localDay(context.nowMs()), events, asked);
  const show: Show = (event) => context.print(context.json ? JSON.stringify(event) : line(event));
  for (const event of events) show(event);
  if (options.follow) {
    const last = Math.max(newest.value, events.at(-1)?.id ?? 0);
    return await follow(options, ask.value, last, show);
  }
  if (events.length === 0) return await whyNone(context, options);
  if (cut) options.note(`these are the newest ${events.length}; older ones with --limit`);
  return done;
}
