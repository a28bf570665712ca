// `tillwatch requests`: who asked which terminal for which logs, how far each answer is, and until when one that is away is
// waited for; one of them whole, and its end before its time.

import { parseId, UUID_PATTERN } from '../../protocol/ids.ts';
import type { LogRequestView } from '../client.ts';
import { type Context, printJson } from '../context.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { endNotes, sizeWords } from '../logs/follow.ts';
import { REQUEST_KINDS, REQUEST_STATES } from '../logs/kinds.ts';
import { ago, clip, plural, table, tame } from '../screen.ts';
import { localClock, localDay, localStamp } from '../when.ts';
import { wrongReason } from './command.ts';

const LIMIT_MAX = 200;

export type RequestsAsk = {
  readonly id?: string | undefined;
  readonly terminal?: string | undefined;
  readonly state?: string | undefined;
  readonly what?: string | undefined;
  readonly limit: string;
  readonly cancel: boolean;
  readonly reason: string;
};

function queryOf({ terminal, state, what, limit }: RequestsAsk): URLSearchParams | string {
  const query = new URLSearchParams();
  if (terminal !== undefined) {
    const named = parseId('terminal', terminal);
    if (!named.ok) return named.reason;
    query.set('terminal', terminal);
  }
  const closed = { state: [state, REQUEST_STATES], what: [what, REQUEST_KINDS] } as const;
  for (const [name, [value, words]] of Object.entries(closed)) {
    if (value === undefined) continue;
    if (!(words as readonly string[]).includes(value)) {
      return `--${name}: one of ${words.join(', ')}`;
    }
    query.set(name, value);
  }
  const count = Number(limit || Number.NaN);
  if (!Number.isInteger(count) || count < 1 || count > LIMIT_MAX) {
    return `--limit: a whole number from 1 to ${LIMIT_MAX}`;
  }
  query.set('limit', String(count));
  return query;
}

/** What has come, how far the search is, or until when the terminal is waited for. */
function howFar(view: LogRequestView, now: number): string {
  const { state, bytes, lines, searchedBytes = 0, searchBytes = 0, error, expiresMs } = view;
  if (state === 'waiting') {
    const day = localDay(expiresMs) === localDay(now) ? '' : `${localDay(expiresMs)} `;
    const until = `until ${day}${localClock(expiresMs).slice(0, 5)}`;
    return view.connected ? until : `terminal is away; ${until}`;
  }
  const come = `${plural(lines, 'record')}, ${sizeWords(bytes)}`;
  if (state === 'running' && searchBytes > searchedBytes) {
    return `${come}; searched ${sizeWords(searchedBytes)} of ${sizeWords(searchBytes)}`;
  }
  return error === '' ? come : error;
}

const WORDS = { lines: 'logs', tail: 'tail', incident: 'incident', diagnosis: 'diagnosis' };

export function requestLines(
  views: readonly LogRequestView[],
  now: number,
  { style }: Pick<Context, 'style'>,
): string[] {
  if (views.length === 0) return ['no such request'];
  const rows = views.map((view) => [
    view.id.slice(0, 8),
    view.terminal,
    WORDS[view.what ?? 'lines'],
    view.state,
    view.createdMs === undefined ? '' : ago(now - view.createdMs),
    howFar(view, now),
  ]);
  const paint = (cell: string): string => {
    if (cell.startsWith('failed') || cell.startsWith('expired')) return style.bad(cell);
    return cell.startsWith('waiting') ? style.warn(cell) : cell;
  };
  const columns = [
    ...[{ title: 'ID' }, { title: 'TERMINAL' }, { title: 'WHAT' }, { title: 'STATE', paint }],
    ...[{ title: 'ASKED' }, { title: 'HOW FAR', shrinks: true }],
  ];
  return table(columns, rows, style.columns);
}

function wholeLines(
  view: LogRequestView,
  now: number,
  { style }: Pick<Context, 'style'>,
): string[] {
  const zone = view.timeZone;
  const fields = Object.entries({
    request: view.id,
    terminal: view.store === undefined ? view.terminal : `${view.terminal} in ${view.store}`,
    state: `${view.state}: ${howFar(view, now)}`,
    'asked by': `${view.operator ?? ''}: ${view.reason ?? ''}`,
    asked: view.createdMs === undefined ? '' : localStamp(view.createdMs, zone),
    components: (view.components ?? []).join(', ') || 'all',
    masked: plural(view.redactions, 'value'),
  });
  return [
    ...fields.map(([name, value]) => clip(tame(`${name.padEnd(12)}${value}`), style.columns)),
    ...endNotes(view, zone),
    ...(view.bytes > 0 ? [`its records: tillwatch logs --request ${view.id}`] : []),
  ];
}

/** The first characters of an id are enough where they are of one request only. */
async function findId({ client }: Context, text: string): Promise<string | Outcome> {
  if (UUID_PATTERN.test(text)) return text;
  if (!/^[0-9a-f-]{4,36}$/.test(text)) {
    return ended(EXIT.usage, `"${text.slice(0, 40)}" is no id of a request`);
  }
  const reply = await client.get<{ requests: LogRequestView[] }>(`/api/v1/logs?limit=${LIMIT_MAX}`);
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  const found = reply.value.requests.filter(({ id }) => id.startsWith(text));
  const [only] = found;
  if (only !== undefined && found.length === 1) return only.id;
  const what = found.length === 0 ? 'no request' : `${found.length} requests`;
  return ended(EXIT.failed, `${what} of the newest ${LIMIT_MAX} begin with ${text}`);
}

async function showOne(context: Context, ask: RequestsAsk, text: string): Promise<Outcome> {
  const { client } = context;
  const wrong = ask.cancel ? wrongReason(ask.reason) : undefined;
  if (wrong !== undefined) return ended(EXIT.usage, wrong);
  const id = await findId(context, text);
  if (typeof id !== 'string') return id;
  if (ask.cancel) {
    const reply = await client.post(`/api/v1/logs/${id}/cancel`, { reason: ask.reason });
    if (!reply.ok) return ended(reply.exit, reply.sentence);
  }
  const reply = await client.get<LogRequestView>(`/api/v1/logs/${id}`, ['id', 'state']);
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  if (context.json) printJson(context, reply.value);
  else for (const line of wholeLines(reply.value, context.nowMs(), context)) context.print(line);
  return done;
}

export async function runRequests(context: Context, ask: RequestsAsk): Promise<Outcome> {
  if (ask.id !== undefined) return await showOne(context, ask, ask.id);
  const query = queryOf(ask);
  if (typeof query === 'string') return ended(EXIT.usage, query);
  const path = `/api/v1/logs?${query}`;
  const reply = await context.client.get<{ requests: LogRequestView[] }>(path, ['requests']);
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  const { requests } = reply.value;
  if (context.json) printJson(context, { requests });
  else for (const line of requestLines(requests, context.nowMs(), context)) context.print(line);
  return done;
}
