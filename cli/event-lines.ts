// Events as lines for a person: when, where, what kind, and a few words of what it says. Lines and not a
// table, because while one follows nobody knows how wide the next will be: columns only grow. An event of
// a kind that is newer than this program shows its fields as they are.

import type { AwayReason } from '../protocol/events.ts';
import { reasonsOf, span } from './away-words.ts';
import type { EventView } from './client.ts';
import { clip, clipMiddle, plural, type Style, tame } from './screen.ts';
import { localClock, localDay } from './when.ts';

/** Parts of a line that a name and a kind may take, so that something is left for the words. */
const NAME_PART = 1 / 5;
const KIND_PART = 1 / 4;
const GAP = '  ';

type Fields = EventView['fields'];

const text = (fields: Fields, name: string): string => {
  const value = fields[name];
  if (value === undefined || value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
};
const seconds = (fields: Fields, name: string): string =>
  `${(Number(fields[name] ?? Number.NaN) / 1000).toFixed(2)} s`;
const because = (fields: Fields, before: string): string =>
  [before, text(fields, 'reason')].filter(Boolean).join(': ');
const count = (fields: Fields, name: string): number => {
  const value = fields[name];
  return Array.isArray(value) ? value.length : 0;
};

const number = (fields: Fields, name: string): number => Number(fields[name] ?? Number.NaN);

/** ` from 14:05:00 to 15:10:00`, with days where it was not one; nothing where it is not told. */
function timesOf(fields: Fields): string {
  const from = number(fields, 'fromMs');
  const until = number(fields, 'untilMs');
  if (!Number.isFinite(from) || !Number.isFinite(until)) return '';
  const isOneDay = localDay(from) === localDay(until);
  const at = (ms: number) => `${isOneDay ? '' : `${localDay(ms)} `}${localClock(ms).slice(0, 8)}`;
  return ` from ${at(from)} to ${at(until)}`;
}

function partsOf(fields: Fields): Record<string, number> {
  const parts = fields['parts'];
  if (typeof parts !== 'object' || parts === null) return {};
  return Object.fromEntries(Object.entries(parts).map(([name, ms]) => [name, Number(ms)]));
}

/** `data lost: metrics, 1200 samples`. */
function gapWords(fields: Fields): string {
  const stream = text(fields, 'stream');
  const samples = text(fields, 'samples');
  const what = [stream, samples && `${samples} samples`].filter(Boolean).join(', ');
  return what === '' ? 'data lost' : `data lost (${what})`;
}

const outcomeOf = ({ held }: Fields): string =>
  held === undefined ? 'was not seen to its end' : held === true ? 'held' : 'did not hold';

const WORDS: Readonly<Record<string, (fields: Fields) => string>> = {
  agent_started: (f) =>
    `agent ${text(f, 'version')}, Node ${text(f, 'node').replace(/^v/, '')}, ` +
    `took over ${count(f, 'adopted')}`,
  agent_stopping: (f) => because(f, `leaves ${count(f, 'left')} running`),
  inventory: (f) => {
    const components = Array.isArray(f['components']) ? f['components'] : [];
    const names = components.map((one: Fields) => `${text(one, 'name')} ${text(one, 'version')}`);
    return [`agent ${text(f, 'agent')}`, ...names].join(', ');
  },
  component_state: (f) => because(f, `${text(f, 'from')} to ${text(f, 'to')}`),
  incident_opened: (f) => because(f, text(f, 'cause')),
  incident_recovered: (f) => `${text(f, 'cause')}: ready again after ${seconds(f, 'readyMs')}`,
  incident_quarantined: (f) =>
    because(f, `${text(f, 'cause')}, ${plural(Number(f['attempts']), 'attempt')}`),
  gap: (f) => because(f, `${gapWords(f)}${timesOf(f)}`),
  away: (f) =>
    because(
      f,
      `no broker for ${span(number(f, 'untilMs') - number(f, 'fromMs'))}${timesOf(f)}: ${reasonsOf({
        why: text(f, 'why') as AwayReason,
        parts: partsOf(f),
      })}`,
    ),
  thinned: (f) =>
    because(
      f,
      `one sample in ${span(number(f, 'everyMs'))} is left${timesOf(f)}, ` +
        `${text(f, 'samples')} given up`,
    ),
  identity: (f) => because(f, `certificate ${text(f, 'what').replaceAll('_', ' ')}`),
  error_signature: (f) => {
    const what = text(f, 'pattern') || 'of kinds that are not told apart';
    const isNew = f['isNew'] === true ? 'new: ' : '';
    return `${isNew}${plural(number(f, 'count'), text(f, 'level'))}, ${what}`;
  },
  redaction_missed: (f) => because(f, `card data was missed, found at the ${text(f, 'where')}`),
  command_refused: (f) => because(f, `${text(f, 'count')} commands refused, ${text(f, 'why')}`),
  version_changed: (f) => {
    const what = text(f, 'what');
    const name = text(f, 'name');
    const known = name === '' || name === what ? what : `${what} ${name}`;
    return `${known}: ${text(f, 'from') || 'unknown'} to ${text(f, 'to')}`;
  },
  series_left_out: (f) => {
    const names = Array.isArray(f['names']) ? f['names'].map(String) : [];
    const more = number(f, 'count') - names.length;
    const named = names.join(', ') + (more > 0 ? ` and ${more} more` : '');
    return because(f, `${number(f, 'count')} series left out (${named})`);
  },
  recovery: (f) => because(f, `${text(f, 'rung')} for ${text(f, 'cause')}`),
  recovery_outcome: (f) => because(f, `${text(f, 'rung')} ${outcomeOf(f)}`),
  recovery_suppressed: (f) =>
    because(f, `would have acted (${text(f, 'rung')}, ${text(f, 'cause')}), but ${text(f, 'by')}`),
  configuration: (f) => {
    const deeds: Readonly<Record<string, string>> = {
      rolled_back: 'rolled back',
      trial: 'on trial',
    };
    const what = deeds[text(f, 'what')] ?? text(f, 'what');
    return because(f, `${text(f, 'name')} ${text(f, 'version')} ${what}`.trim());
  },
  hold: (f) => because(f, `${f['active'] === true ? 'held' : 'let go'} by ${text(f, 'by')}`),
  reboot: (f) => because(f, 'the terminal reboots'),
  resource_held: (f) =>
    because(
      f,
      `${text(f, 'what')} is held by ${text(f, 'comm') || 'somebody'} ${text(f, 'pid')}`.trimEnd(),
    ),
  disk: (f) => because(f, `disk: ${text(f, 'level')}`),
  output_dropped: (f) => because(f, `${text(f, 'bytes')} bytes of output not kept`),
  drill: (f) => because(f, `drill ${text(f, 'fault')} ${text(f, 'phase')}`),
};

/** What it says, in words; `name=value` for a kind that is not known. */
export function eventWords({ kind, fields }: Pick<EventView, 'kind' | 'fields'>): string {
  const known = Object.hasOwn(WORDS, kind) ? WORDS[kind] : undefined;
  if (known !== undefined) return known(fields);
  return Object.keys(fields)
    .map((name) => `${name}=${text(fields, name)}`)
    .join(' ');
}

const BAD: ReadonlySet<string> = new Set(['incident_quarantined', 'gap', 'reboot']);
const WARNING: ReadonlySet<string> = new Set([
  'incident_opened',
  'recovery_suppressed',
  'resource_held',
  'output_dropped',
  'away',
  'thinned',
  'series_left_out',
]);

function paintFor(kind: string, style: Style): (cell: string) => string {
  if (kind === 'incident_recovered') return style.good;
  if (BAD.has(kind)) return style.bad;
  return WARNING.has(kind) ? style.warn : (cell) => cell;
}

/** What was asked for by name: it is the same in every line. */
export type Asked = { readonly terminal?: boolean; readonly component?: boolean };

/** @param today decides whether a day stands before the time, for all lines alike */
export function createEventLines(
  style: Style,
  today: string,
  events: readonly EventView[],
  asked: Asked = {},
) {
  const withDay = events.some(({ timeMs }) => localDay(timeMs) !== today);
  const widths: [number, number, number] = [0, 0, 0];
  const cut = (name: string, part: number) => clipMiddle(tame(name), style.columns * part);
  const names = ({ terminal, component, kind }: EventView): [string, string, string] => [
    cut(terminal, NAME_PART),
    cut(component, NAME_PART),
    cut(kind, KIND_PART),
  ];
  const grow = (event: EventView): void => {
    for (const [at, name] of names(event).entries()) {
      widths[at] = Math.max(widths[at] ?? 0, name.length);
    }
  };
  for (const event of events) grow(event);
  return (event: EventView): string => {
    grow(event);
    const time = localClock(event.timeMs).slice(0, 8);
    const when = withDay ? `${localDay(event.timeMs)} ${time}` : time;
    const [terminal, component, kind] = names(event);
    const head = [
      ...(asked.terminal === true ? [] : [terminal.padEnd(widths[0])]),
      ...(asked.component === true ? [] : [component.padEnd(widths[1])]),
    ];
    const used = [when, ...head, kind.padEnd(widths[2]), ''].join(GAP).length;
    const words = clip(tame(eventWords(event)), Math.max(0, style.columns - used));
    const painted = paintFor(event.kind, style)(kind) + ' '.repeat(widths[2] - kind.length);
    return [style.dim(when), ...head, painted, words].join(GAP).trimEnd();
  };
}
