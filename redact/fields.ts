// The redactor for a logger that still holds its record as an object, which is the best place for it: values
// of keys that name card data go whole, numbers are looked at too, and texts as everywhere. Bounded in
// depth and width, because a record can hold anything; what is beyond the bounds is not written at all.

import { customOfKey } from './active.ts';
import { keyedMark } from './keyed.ts';
import { addCounts, type Counts, LINE_CHARS_MAX, NO_COUNTS } from './span.ts';
import { openRedactStream } from './stream.ts';
import { redactText } from './text.ts';
import { isCardKey } from './words.ts';

const DEPTH_MAX = 8;
const ENTRIES_MAX = 1_000;
const REMOVED = '[REMOVED]';
const SECRET = '[SECRET]';
const ONLY_PAN = /^\[PAN [a-z]+ \.{4}\d{4}\]$/;

export type Counted<T> = { readonly value: T; readonly counts: Counts };

/** Whose whole value is a secret, whatever it looks like [RFC 9110 11.6.2, RFC 6265]. */
const WHOLE_SECRET = /^(?:(?:proxy[-_]?)?authorization|(?:set[-_]?)?cookies?)$/i;

/** A text of any length and any alphabet. */
export function redactString(text: string): Counted<string> {
  if (text.length <= LINE_CHARS_MAX) {
    const { text: value, counts } = redactText(text);
    return { value, counts };
  }
  const stream = openRedactStream();
  const bytes = Buffer.concat([stream.push(Buffer.from(text)), stream.end()]);
  return { value: bytes.toString(), counts: stream.counts() };
}

class Walk {
  counts: Counts = NO_COUNTS;
  #entries = 0;

  value(key: string, value: unknown, depth: number): unknown {
    if (value === undefined || value === null) return value;
    if (isCardKey(key)) return this.#card(value);
    const rule = key === '' ? undefined : customOfKey(key);
    if (rule !== undefined) return this.#custom(value, `[CUSTOM ${rule}]`);
    if (typeof value === 'string') return this.#keyed(key, value) ?? this.#text(value);
    if (typeof value === 'number' || typeof value === 'bigint') {
      const text = this.#keyed(key, String(value)) ?? this.#text(String(value));
      return text === String(value) ? value : text;
    }
    if (typeof value !== 'object') return value;
    if (depth >= DEPTH_MAX) return REMOVED;
    // What says itself how it is written (Date, Buffer, URL) is asked, as JSON.stringify would.
    if ('toJSON' in value && typeof value.toJSON === 'function') {
      return this.value('', (value.toJSON as () => unknown)(), depth + 1);
    }
    if (Array.isArray(value)) return value.map((one) => this.#entry(key, one, depth));
    // What a key above says holds for all below it: `cardholder: { name }`.
    const above = this.#says(key) ? key : undefined;
    return Object.fromEntries(
      Object.entries(value).map(([name, one]) => [
        this.#text(name),
        this.#entry(above === undefined || this.#says(name) ? name : above, one, depth),
      ]),
    );
  }

  /** Whether a key alone tells what its value is. */
  #says(key: string): boolean {
    return (
      isCardKey(key) || WHOLE_SECRET.test(key) || keyedMark(key, 'anything else') !== undefined
    );
  }

  #entry(key: string, value: unknown, depth: number): unknown {
    this.#entries += 1;
    return this.#entries > ENTRIES_MAX ? REMOVED : this.value(key, value, depth + 1);
  }

  #text(text: string): string {
    const { value, counts } = redactString(text);
    if (counts !== NO_COUNTS) this.counts = addCounts(this.counts, counts);
    return value;
  }

  /** Names, phone numbers, secrets and the like, which only the key tells. */
  #keyed(key: string, value: string): string | undefined {
    const isSecret = WHOLE_SECRET.test(key) && value !== '' && value !== SECRET;
    const found = isSecret ? ({ kind: 'secret', mark: SECRET } as const) : keyedMark(key, value);
    if (found === undefined) return undefined;
    this.counts = addCounts(this.counts, { ...NO_COUNTS, [found.kind]: 1 });
    return found.mark;
  }

  #custom(value: unknown, mark: string): string {
    if (value !== mark) this.counts = addCounts(this.counts, { ...NO_COUNTS, custom: 1 });
    return mark;
  }

  /** Of a number that is a card and nothing else the last four digits stay (R6). */
  #card(value: unknown): string {
    const text = typeof value === 'string' || typeof value === 'number' ? String(value) : '';
    const { value: redacted, counts } = redactString(text);
    if (ONLY_PAN.test(redacted)) {
      this.counts = addCounts(this.counts, counts);
      return redacted;
    }
    if (text !== REMOVED) this.counts = addCounts(this.counts, { ...NO_COUNTS, key: 1 });
    return REMOVED;
  }
}

/** @returns a copy that holds no card data; what is not plain data is as JSON would have it. */
export function redactFields(
  fields: Readonly<Record<string, unknown>>,
): Counted<Record<string, unknown>> {
  const walk = new Walk();
  const value = Object.fromEntries(
    Object.entries(fields).map(([key, one]) => [key, walk.value(key, one, 0)]),
  );
  return { value, counts: walk.counts };
}
