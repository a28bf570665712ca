// What a component says of its traces, checked: one span in the JSON of OTLP becomes one of ours, or a reason why not.
// Total over whatever a component of any language sends. Its times are of the till's own clock and are put right by
// the broker's; a span of another day is a wrong clock or a lie, and would only hide in a backend.

import { SPAN_ATTRIBUTES_MAX, SPAN_EVENTS_MAX } from '../../protocol/limits.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import {
  type Attribute,
  type Attributes,
  faultOf,
  SPAN_KINDS,
  type Span,
  type SpanMoment,
} from '../../protocol/traces.ts';

/** A trace is told when its root ends; a sale with its receipt takes minutes. */
const AGE_MS_MAX = 3_600_000;
const AHEAD_MS_MAX = 5_000;
const NAME_CHARS_MAX = 128;

type Raw = Readonly<Record<string, unknown>>;
const rawOf = (value: unknown): Raw =>
  typeof value === 'object' && value !== null ? (value as Raw) : {};
const listOf = (value: unknown, max: number): readonly unknown[] =>
  Array.isArray(value) ? value.slice(0, max) : [];
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** 64-bit numbers are text in the JSON of OTLP. NaN where there is none. */
function msOf(nanos: unknown): number {
  const text = typeof nanos === 'number' ? String(nanos) : textOf(nanos);
  return /^\d{1,19}$/.test(text) ? Math.round(Number(text) / 1000) / 1000 : Number.NaN;
}

function plainValue(given: unknown): Attribute | undefined {
  const { stringValue, boolValue, intValue, doubleValue } = rawOf(given);
  if (typeof stringValue === 'string') return stringValue;
  if (typeof boolValue === 'boolean') return boolValue;
  const number = Number(intValue ?? doubleValue ?? Number.NaN);
  return Number.isFinite(number) ? number : undefined;
}

function attributesOf(given: unknown): Attributes {
  const attributes: Record<string, Attribute> = {};
  for (const one of listOf(given, SPAN_ATTRIBUTES_MAX)) {
    const { key, value } = rawOf(one);
    const read = plainValue(value);
    const name = textOf(key);
    if (/^[a-zA-Z_][a-zA-Z0-9_.-]{0,127}$/.test(name) && read !== undefined)
      attributes[name] = read;
  }
  return attributes;
}

function momentsOf(given: unknown, offsetMs: number): SpanMoment[] {
  return listOf(given, SPAN_EVENTS_MAX).flatMap((one) => {
    const { timeUnixNano, name, attributes } = rawOf(one);
    const timeMs = msOf(timeUnixNano) + offsetMs;
    if (!(timeMs >= 0)) return [];
    const cut = textOf(name).slice(0, NAME_CHARS_MAX);
    return [{ timeMs, name: cut, attributes: attributesOf(attributes) }];
  });
}

function statusOf(given: unknown): Span['status'] {
  const { code, message } = rawOf(given);
  if (code !== 1 && code !== 2) return undefined;
  const word = code === 1 ? 'ok' : 'error';
  return textOf(message) === '' ? { code: word } : { code: word, message: textOf(message) };
}

/**
 * @param nowMs the broker's time
 * @param offsetMs what is added to the till's own clock to get that
 */
export function readOtlpSpan(given: unknown, nowMs: number, offsetMs: number): Result<Span> {
  const raw = rawOf(given);
  const parentSpanId = textOf(raw['parentSpanId']);
  const status = statusOf(raw['status']);
  const span: Span = {
    traceId: textOf(raw['traceId']).toLowerCase(),
    spanId: textOf(raw['spanId']).toLowerCase(),
    ...(parentSpanId === '' ? {} : { parentSpanId: parentSpanId.toLowerCase() }),
    name: textOf(raw['name']).slice(0, NAME_CHARS_MAX),
    kind: SPAN_KINDS[Number(raw['kind']) - 1] ?? 'internal',
    startMs: msOf(raw['startTimeUnixNano']) + offsetMs,
    endMs: msOf(raw['endTimeUnixNano']) + offsetMs,
    attributes: attributesOf(raw['attributes']),
    events: momentsOf(raw['events'], offsetMs),
    ...(status && { status }),
  };
  const fault = faultOf(span);
  if (fault !== undefined) return fail(fault);
  if (span.endMs > nowMs + AHEAD_MS_MAX) return fail('span ends in the future');
  if (span.endMs < nowMs - AGE_MS_MAX) return fail('span is of long ago');
  return ok(span);
}

/** As many at once and in each second after that; the root of a sale brings a dozen. */
export const SPANS_AT_ONCE_MAX = 128;
export const SPANS_PER_SECOND_MAX = 16;

/** A measure for each component: who speaks too much loses its own spans. */
export class SpanPace {
  readonly #left = new Map<string, { tokens: number; at: number }>();

  /** @param now monotonic milliseconds */
  take(component: string, now: number): boolean {
    const { tokens, at } = this.#left.get(component) ?? { tokens: SPANS_AT_ONCE_MAX, at: now };
    const grown = tokens + ((now - at) / 1000) * SPANS_PER_SECOND_MAX;
    const left = Math.min(SPANS_AT_ONCE_MAX, grown);
    const may = left >= 1;
    this.#left.set(component, { tokens: may ? left - 1 : left, at: now });
    return may;
  }
}
