// What a terminal tells of itself. Each kind has a schema for its own fields; an event of an unknown
// kind, with unknown fields or with a word that a list of ours lacks still passes as it is (an older
// broker must not lose what a newer agent says), but else known fields must be what they are said to be.

import * as v from 'valibot';
import { eventSchemas } from './event-kinds.ts';
import { readJson } from './json.ts';
import * as limits from './limits.ts';
import { fail, ok, type Result } from './result.ts';
import { decodeRaw, encodeRaw, list, num, text } from './wire.ts';

export {
  AWAY_REASONS,
  type AwayReason,
  CAUSES,
  type Cause,
  COMPONENT_STATES,
  type ComponentState,
  eventSchemas,
  MODES,
  type Mode,
  RUNGS,
  type Rung,
} from './event-kinds.ts';

export type EventKind = keyof typeof eventSchemas;
export const EVENT_KINDS = Object.keys(eventSchemas) as readonly EventKind[];
export type EventFields<K extends EventKind> = v.InferOutput<(typeof eventSchemas)[K]>;

/** A new event, typed by its kind. */
export type NewEvent = {
  [K in EventKind]: {
    readonly kind: K;
    readonly component: string;
    readonly fields: EventFields<K>;
  };
}[EventKind];

/** An event as it was delivered: `kind` may be newer than this program. */
export type TerminalEvent = {
  readonly id: string;
  readonly timeMs: number;
  readonly kind: string;
  readonly component: string;
  readonly fields: Readonly<Record<string, unknown>>;
};

export function encodeEventBody(events: readonly TerminalEvent[]): Uint8Array {
  return encodeRaw('EventBody', {
    events: events.map(({ fields, ...event }, index) => ({
      ...event,
      index,
      json: JSON.stringify(fields),
    })),
  });
}

type Issue = v.BaseIssue<unknown>;

/** A list of words may grow; what is no word at all is no news but a mistake. */
const isUnknownWord = ({ type, input }: Issue): boolean =>
  type === 'picklist' && typeof input === 'string';

function removeAt(fields: object, path: readonly unknown[]): void {
  const last = path.at(-1);
  const holder = path
    .slice(0, -1)
    .reduce<unknown>((at, key) => Reflect.get(at as object, key as string), fields);
  Reflect.deleteProperty(holder as object, last as string);
}

const keysOf = ({ path }: Issue): unknown[] => (path ?? []).map(({ key }) => key);

/**
 * What this version knows of an event's fields: without members that hold words which it does not know. Undefined
 * where nothing can be said without them.
 */
export function knownFields<K extends EventKind>(
  kind: K,
  fields: TerminalEvent['fields'],
): EventFields<K> | undefined {
  const schema = eventSchemas[kind] as v.GenericSchema<unknown, EventFields<K>>;
  const first = v.safeParse(schema, fields);
  if (first.success) return first.output;
  if (!first.issues.every(isUnknownWord)) return undefined;
  const left = structuredClone(fields);
  for (const issue of first.issues) removeAt(left, keysOf(issue));
  const second = v.safeParse(schema, left);
  if (second.success) return second.output;
  // A group that means nothing without its word goes as a whole.
  for (const issue of second.issues) removeAt(left, keysOf(issue).slice(0, 1));
  const third = v.safeParse(schema, left);
  return third.success ? third.output : undefined;
}

const isEventKind = (kind: string): kind is EventKind => Object.hasOwn(eventSchemas, kind);

function readFields(kind: string, json: string): Result<Record<string, unknown>> {
  if (json.length > limits.EVENT_JSON_CHARS_MAX) return fail(`event ${kind} is too large`);
  const parsed = readJson(`event ${kind}`, json === '' ? '{}' : json);
  if (!parsed.ok) return parsed;
  const schema = isEventKind(kind) ? eventSchemas[kind] : v.looseObject({});
  const checked = v.safeParse(schema, parsed.value);
  if (checked.success) return ok(checked.output as Record<string, unknown>);
  const issue = checked.issues.find((one) => !isUnknownWord(one));
  if (issue === undefined) {
    return ok(v.parse(v.looseObject({}), parsed.value) as Record<string, unknown>);
  }
  return fail(`event ${kind}: ${v.getDotPath(issue) ?? 'fields'}: ${issue.message}`);
}

export function decodeEventBody(data: Uint8Array): Result<TerminalEvent[]> {
  const raw = decodeRaw('EventBody', data, limits.BODY_BYTES_MAX, limits.EVENTS_PER_BODY_MAX);
  if (!raw.ok) return raw;
  const entries = list(raw.value['events']);
  if (entries.length > limits.EVENTS_PER_BODY_MAX) return fail('body has too many events');
  const events: TerminalEvent[] = [];
  for (const entry of entries) {
    const kind = text(entry['kind']);
    const id = text(entry['id']);
    const timeMs = num(entry['timeMs']);
    if (!/^[a-z][a-z0-9_]{0,63}$/.test(kind)) return fail('event has no valid kind');
    if (id === '' || id.length > 64) return fail(`event ${kind} has no id`);
    if (!Number.isSafeInteger(timeMs)) return fail(`event ${kind} has no valid time`);
    const fields = readFields(kind, text(entry['json']));
    if (!fields.ok) return fields;
    events.push({ id, timeMs, kind, component: text(entry['component']), fields: fields.value });
  }
  return ok(events);
}
