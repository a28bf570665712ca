// What a list of stores may say, checked as a whole: every problem at once, each with its path and a sentence. The same
// check reads an operator's file on their machine and what arrives at the API, because a broker believes nobody. Names
// and labels end up in metrics, logs and on screens, so control characters and card data are refused here.

import * as v from 'valibot';
import { ID_PATTERN, ID_RULE } from '../../protocol/ids.ts';
import { OWN_LABELS_MAX } from '../../protocol/limits.ts';
import { holdsCard } from '../commands/card-words.ts';
import { hoursText, readHours } from './hours.ts';
import { type Found, relations } from './relations.ts';
import {
  type DayHours,
  type Exception,
  type PlannedTerminal,
  type Store,
  WEEKDAYS,
  type WeekHours,
} from './types.ts';
import { dayOf, isZone } from './zone.ts';

export const STORES_MAX = 10_000;
export const STORE_TERMINALS_MAX = 500;
const LANES_MAX = 1_000;
const EXCEPTIONS_MAX = 400;
const NAME_CHARS_MAX = 100;
const PROBLEMS_MAX = 100;

export type Read =
  | { readonly ok: true; readonly stores: readonly Store[] }
  | { readonly ok: false; readonly found: readonly Found[] };

const NOT_TEXT = 'must be text';
const line = v.pipe(
  v.string(NOT_TEXT),
  v.trim(),
  v.minLength(1, 'is empty'),
  v.maxLength(NAME_CHARS_MAX, `has more than ${NAME_CHARS_MAX} characters`),
  v.check((text) => !/\p{C}/u.test(text), 'is one line without control characters'),
  v.check((text) => !holdsCard(text), 'holds card data, which is written down nowhere'),
);
const id = v.pipe(v.string(ID_RULE), v.regex(ID_PATTERN, ID_RULE));

const LABEL = /^[a-zA-Z0-9][a-zA-Z0-9._/-]{0,47}(=[a-zA-Z0-9._/-]{1,48})?$/;
const LABEL_RULE = 'a label is a word, or key=value, of letters, digits and . _ / -';
const label = v.pipe(
  v.string(LABEL_RULE),
  v.regex(LABEL, LABEL_RULE),
  v.check((text) => !holdsCard(text), 'holds card data, which is written down nowhere'),
);
const labels = v.pipe(
  v.array(label, 'must be a list of labels'),
  v.maxLength(OWN_LABELS_MAX, `at most ${OWN_LABELS_MAX} labels`),
  v.check((all) => new Set(all).size === all.length, 'names a label twice'),
);

const HOURS_RULE = 'must be hours, such as "08:00-20:00"; or closed, or always';
const hours = v.pipe(
  v.string(HOURS_RULE),
  v.rawTransform<string, DayHours>(({ dataset, addIssue, NEVER }) => {
    const read = readHours(dataset.value);
    if (read.ok) return read.value;
    addIssue({ message: read.reason });
    return NEVER;
  }),
);

const DAYS_RULE = `days are ${WEEKDAYS.join(', ')}, a range such as mon-fri, or daily`;
/** @returns undefined for what names no days. */
function daysOf(key: string): readonly (typeof WEEKDAYS)[number][] | undefined {
  if (key === 'daily') return WEEKDAYS;
  const [from = '', to = from, more] = key.split('-');
  const at = (WEEKDAYS as readonly string[]).indexOf(from);
  const until = (WEEKDAYS as readonly string[]).indexOf(to);
  if (more !== undefined || at < 0 || until < at) return undefined;
  return WEEKDAYS.slice(at, until + 1);
}

/** One day goes before a range that it is in. */
function weekOf(said: Readonly<Record<string, DayHours>>): WeekHours {
  const wide = Object.entries(said).sort(
    ([a], [b]) => (daysOf(b)?.length ?? 0) - (daysOf(a)?.length ?? 0),
  );
  return Object.fromEntries(
    wide.flatMap(([key, of]) => (daysOf(key) ?? []).map((day) => [day, of] as const)),
  );
}
const weekByDay = v.pipe(
  v.record(v.string(), hours, 'must be hours by day, such as { mon-sat: "08:00-20:00" }'),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const wrong = Object.keys(dataset.value).find((key) => daysOf(key) === undefined);
    if (wrong !== undefined) addIssue({ message: `"${wrong.slice(0, 20)}": ${DAYS_RULE}` });
    const twice = overlapping(Object.keys(dataset.value));
    if (twice !== undefined) addIssue({ message: `${twice} both name a day` });
  }),
  v.transform(weekOf),
);
/** Two ranges that share a day, of which none is one day alone. */
function overlapping(keys: readonly string[]): string | undefined {
  const ranges = keys.filter((key) => key !== 'daily' && (daysOf(key)?.length ?? 0) > 1);
  for (const [at, key] of ranges.entries()) {
    const other = ranges
      .slice(0, at)
      .find((one) => daysOf(one)?.some((d) => daysOf(key)?.includes(d)));
    if (other !== undefined) return `${other} and ${key}`;
  }
  return undefined;
}
const everyDay = v.pipe(
  hours,
  v.transform((of): WeekHours => Object.fromEntries(WEEKDAYS.map((day) => [day, of]))),
);

const DATE_RULE = 'must be a date, such as 2026-12-24';
const date = v.pipe(
  v.string(DATE_RULE),
  v.check((text) => dayOf(text) !== undefined, DATE_RULE),
);
const about = { hours, reason: v.optional(line) };
const oneDate = v.strictObject({ date, ...about });
const manyDates = v.strictObject(
  { from: date, to: date, ...about },
  'must be { date, hours } or { from, to, hours }',
);
const isNamed = (value: unknown, key: string): boolean =>
  typeof value === 'object' && value !== null && key in value;
const exception = v.pipe(
  v.lazy((said) => (isNamed(said, 'date') ? oneDate : manyDates)),
  v.transform((said): Exception => {
    const { hours: of, reason } = said;
    const [from, to] = 'date' in said ? [said.date, said.date] : [said.from, said.to];
    return { from, to, hours: of, ...(reason === undefined ? {} : { reason }) };
  }),
  v.check(({ from, to }) => from <= to, '"from" is after "to"'),
);

const withLabels = v.strictObject({ id, labels: v.optional(labels, []) });
const terminal = v.pipe(
  v.lazy((said) => (typeof said === 'object' && said !== null ? withLabels : id)),
  v.transform(
    (said): PlannedTerminal => (typeof said === 'string' ? { id: said, labels: [] } : said),
  ),
);

const ZONE_RULE = 'is no time zone that this Node knows: use an IANA name, such as Europe/Berlin';
const LANES_RULE = `must be a whole number from 0 to ${LANES_MAX}`;
/** @param zones those that were looked up already: asking is slow. */
const storeSchema = (zones: Map<string, boolean>) =>
  v.strictObject(
    {
      id,
      name: v.optional(line),
      region: id,
      timeZone: v.pipe(
        v.string(ZONE_RULE),
        v.check((name) => {
          const known = zones.get(name) ?? isZone(name);
          zones.set(name, known);
          return known;
        }, ZONE_RULE),
      ),
      hours: v.optional(v.lazy((said) => (typeof said === 'string' ? everyDay : weekByDay))),
      exceptions: v.optional(
        v.pipe(
          v.array(exception, 'must be a list'),
          v.maxLength(EXCEPTIONS_MAX, `at most ${EXCEPTIONS_MAX} exceptions`),
        ),
        [],
      ),
      lanes: v.optional(
        v.pipe(
          v.number(LANES_RULE),
          v.integer(LANES_RULE),
          v.minValue(0, LANES_RULE),
          v.maxValue(LANES_MAX, LANES_RULE),
        ),
      ),
      labels: v.optional(labels, []),
      terminals: v.optional(
        v.pipe(
          v.array(terminal, 'must be a list of ids'),
          v.maxLength(STORE_TERMINALS_MAX, `at most ${STORE_TERMINALS_MAX} terminals in a store`),
        ),
        [],
      ),
    },
    'must be a store: { id, region, timeZone, ... }',
  );
const fileSchema = (zones: Map<string, boolean>) =>
  v.strictObject(
    {
      stores: v.pipe(
        v.array(storeSchema(zones), 'must be a list of stores'),
        v.maxLength(STORES_MAX, `at most ${STORES_MAX} stores fit one broker`),
      ),
    },
    'must hold `stores:`, a list of them',
  );

function sentenceOf(issue: v.BaseIssue<unknown>): string {
  if (issue.expected === 'never') return 'is nothing that is known here';
  if (issue.received === 'undefined' && issue.kind === 'schema') return 'is missing';
  return issue.message;
}

/** @param value as YAML, JSON or rows of CSV say it. */
export function readStores(value: unknown): Read {
  const shaped = v.safeParse(fileSchema(new Map()), value);
  const found: Found[] = (shaped.issues ?? []).map((issue) => ({
    path: (issue.path ?? []).map(({ key }) => key as string | number),
    sentence: sentenceOf(issue),
  }));
  found.push(...relations(value));
  if (shaped.success && found.length === 0) return { ok: true, stores: shaped.output.stores };
  return { ok: false, found: found.slice(0, PROBLEMS_MAX) };
}

/** A store as a file says it; what `readStores` reads back is the same store. */
export type StoreText = {
  readonly id: string;
  readonly name?: string;
  readonly region: string;
  readonly timeZone: string;
  readonly hours?: Readonly<Record<string, string>>;
  readonly exceptions?: readonly { from: string; to: string; hours: string; reason?: string }[];
  readonly lanes?: number;
  readonly labels?: readonly string[];
  readonly terminals?: readonly (string | PlannedTerminal)[];
};

export function textOf(store: Store): StoreText {
  const { id: own, name, region, timeZone, hours: week, exceptions, lanes } = store;
  const of = week && Object.fromEntries(WEEKDAYS.map((day) => [day, hoursText(week[day] ?? [])]));
  const terminals = store.terminals.map((one) => (one.labels.length === 0 ? one.id : one));
  return {
    id: own,
    ...(name === undefined ? {} : { name }),
    ...{ region, timeZone },
    ...(of && { hours: of }),
    ...(exceptions.length > 0 && {
      exceptions: exceptions.map(({ from, to, hours: then, reason }) => ({
        ...{ from, to, hours: hoursText(then) },
        ...(reason === undefined ? {} : { reason }),
      })),
    }),
    ...(lanes === undefined ? {} : { lanes }),
    ...(store.labels.length > 0 && { labels: store.labels }),
    ...(terminals.length > 0 && { terminals }),
  };
}
