// `tillwatch errors`: which kinds of warnings and errors the fleet has, for somebody who was woken: what is new, what
// grows, where, and which versions have it; under each its words, and last how to ask for the lines themselves. Two
// lines a kind and not one, because words that are cut are no words.

import { parseId } from '../../protocol/ids.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { type Context, printJson } from '../context.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { ERROR_LEVELS } from '../logs/kinds.ts';
import { ago, type Column, plural, type Style, table, tame, wrap } from '../screen.ts';
import { parseWhen } from '../when.ts';

export type ErrorsOptions = {
  readonly since: string;
  readonly until?: string | undefined;
  readonly version?: string | undefined;
  readonly store?: string | undefined;
  readonly component?: string | undefined;
  readonly terminal?: string | undefined;
  readonly level?: string | undefined;
  readonly onlyNew: boolean;
  readonly limit: string;
};

export type ErrorKind = {
  readonly signature: string;
  readonly component: string;
  readonly level: 'error' | 'warn';
  readonly pattern: string;
  readonly sample: string;
  readonly terminal: string;
  readonly count: number;
  readonly terminals: number;
  readonly stores: number;
  readonly versions: readonly {
    readonly version: string;
    readonly count: number;
    readonly terminals: number;
  }[];
  readonly firstMs: number;
  readonly lastMs: number;
  readonly isNew: boolean;
  readonly growth: number;
};
type Answer = {
  readonly errors: readonly ErrorKind[];
  readonly total: number;
  readonly overBound: number;
};

const LIMIT_MAX = 1_000;
/** As the broker sorts them (broker/errors/ask.ts). */
const GROWING = 2;
const GROWING_COUNT_MIN = 10;
/** Around the newest record; clocks were corrected, but records say their own time. */
const AROUND_MS = 5 * 60_000;
/** Shorter ones find too much. */
const PHRASE_CHARS_MIN = 4;
const PHRASE_CHARS_MAX = 60;

function readAsk(options: ErrorsOptions, nowMs: number): Result<URLSearchParams> {
  const query = new URLSearchParams();
  for (const [name, text] of [
    ['sinceMs', options.since],
    ['untilMs', options.until],
  ] as const) {
    if (text === undefined) continue;
    const when = parseWhen(name === 'sinceMs' ? '--since' : '--until', text, nowMs);
    if (!when.ok) return when;
    query.set(name, String(Math.max(0, Math.floor(when.value))));
  }
  for (const name of ['store', 'component', 'terminal'] as const) {
    const value = options[name];
    if (value === undefined) continue;
    const checked = parseId(name, value);
    if (!checked.ok) return fail(checked.reason);
    query.set(name, value);
  }
  if (options.level !== undefined && !(ERROR_LEVELS as readonly string[]).includes(options.level)) {
    return fail('--level: error or warn; other records are not told, ask for them with logs');
  }
  if (options.level !== undefined) query.set('level', options.level);
  if (options.version !== undefined) query.set('version', options.version);
  const limit = Number(options.limit || Number.NaN);
  if (!Number.isInteger(limit) || limit < 1 || limit > LIMIT_MAX) {
    return fail(`--limit: a whole number from 1 to ${LIMIT_MAX}`);
  }
  query.set('limit', String(limit));
  return ok(query);
}

const isGrowing = ({ growth, count }: ErrorKind): boolean =>
  growth >= GROWING && count >= GROWING_COUNT_MIN;

export function markOf(kind: ErrorKind): string {
  if (kind.isNew) return 'NEW';
  return isGrowing(kind) ? `GROWING x${Math.round(kind.growth)}` : '';
}

const grouped = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, ' ');

const versionsOf = ({ versions }: ErrorKind): string =>
  versions
    .map(({ version, terminals }) => `${version}${versions.length > 1 ? ` (${terminals})` : ''}`)
    .join(', ');

/** The longest run of a pattern's own words, to look for in the lines. */
export function phraseOf(pattern: string): string | undefined {
  const [longest = ''] = pattern
    .split('*')
    .map((part) => part.replace(/[\s"'`$\\!]+/g, ' ').trim())
    .toSorted((one, other) => other.length - one.length);
  const phrase = longest.slice(0, PHRASE_CHARS_MAX).trim();
  return phrase.length < PHRASE_CHARS_MIN ? undefined : phrase;
}

const moment = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;

/** A line to copy. */
export function howToAsk(kind: ErrorKind): string {
  const { terminal, component, level, lastMs, pattern } = kind;
  const phrase = phraseOf(pattern);
  const window = [moment(lastMs - AROUND_MS), moment(lastMs + AROUND_MS)];
  return [
    ...['tillwatch logs', terminal, '--component', component, '--level', level],
    ...['--since', window[0], '--until', window[1]],
    ...(phrase === undefined ? [] : [`--grep "${tame(phrase)}"`]),
    '--reason "..."',
  ].join(' ');
}

function kindLines(kinds: readonly ErrorKind[], { style, nowMs }: Context): string[] {
  const mark = (cell: string): string =>
    cell === 'NEW' ? style.bad(cell) : cell === '' ? cell : style.warn(cell);
  const columns: readonly Column[] = [
    { title: 'WHAT', paint: mark },
    { title: 'LEVEL', paint: (cell) => (cell === 'error' ? style.bad(cell) : cell) },
    { title: 'COMPONENT' },
    { title: 'COUNT', align: 'right' },
    { title: 'TERMINALS', align: 'right' },
    { title: 'LAST' },
    { title: 'VERSIONS', shrinks: true },
  ];
  const rows = kinds.map((kind) => [
    ...[markOf(kind), kind.level, kind.component, grouped(kind.count), grouped(kind.terminals)],
    ...[ago(nowMs() - kind.lastMs), versionsOf(kind)],
  ]);
  const [heading = '', ...lines] = table(columns, rows, style.columns);
  return [heading, ...lines.flatMap((line, at) => [line, ...wordsOf(kinds[at], style)])];
}

function wordsOf(kind: ErrorKind | undefined, style: Style): string[] {
  if (kind === undefined) return [];
  return wrap(kind.pattern || kind.sample, style.columns - 4).map((line) => `    ${line}`);
}

/** Numbers that are a matter of nobody's view of the screen. */
function notesOf({ total, overBound }: Answer, shown: number, onlyNew: boolean): string[] {
  const more = total - shown;
  return [
    ...(!onlyNew && more > 0
      ? [`${plural(more, 'kind')} more: --limit, or ask more narrowly`]
      : []),
    ...(overBound > 0
      ? [`${plural(overBound, 'record')} more of kinds beyond what a terminal tells apart`]
      : []),
  ];
}

export async function runErrors(context: Context, options: ErrorsOptions): Promise<Outcome> {
  const ask = readAsk(options, context.nowMs());
  if (!ask.ok) return ended(EXIT.usage, ask.reason);
  const reply = await context.client.get<Answer>(`/api/v1/errors?${ask.value}`, ['errors']);
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  // New ones come first, so that none of them is behind the limit while another is shown.
  const errors = reply.value.errors.filter(({ isNew }) => isNew || !options.onlyNew);
  if (context.json) {
    printJson(context, { ...reply.value, errors });
    return done;
  }
  const [first] = errors;
  if (first === undefined) {
    const what = options.onlyNew ? 'Nothing new' : 'Nothing';
    context.print(`${what}: no terminal has told of such warnings or errors in this time.`);
  } else {
    for (const line of kindLines(errors, context)) context.print(line);
    context.print('');
    context.print('The lines themselves, of the first one:');
    context.print(`  ${howToAsk(first)}`);
  }
  for (const note of notesOf(reply.value, errors.length, options.onlyNew)) context.print(note);
  return done;
}
