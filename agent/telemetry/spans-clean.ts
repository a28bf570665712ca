// A span without card data, wherever somebody wrote it: in a name, an attribute, an event or a status. It is the last
// step before the outbox, for the agent's own spans as for those of components, because reasons quote what programs
// say of themselves (PCI DSS 3.3.1).

import { REASON_CHARS_MAX } from '../../protocol/limits.ts';
import type { Attribute, Attributes, Span } from '../../protocol/traces.ts';
import { redactFields, redactString } from '../../redact/index.ts';

/** Of one string attribute: reasons are sentences. */
const TEXT_CHARS_MAX = 1_000;
/** As many as a card has at least. */
const DIGITS = /\d{12}/;
/** Card data never leaves the till, whatever it is written into: numbers are looked at, and names of attributes. */
const cleanAttributes = (given: Attributes): Attributes =>
  Object.fromEntries(
    Object.entries(redactFields(given).value)
      // A name that had to be changed is none that a reader would take; so many digits in one are nobody's word.
      .filter(([key]) => Object.hasOwn(given, key) && !DIGITS.test(key))
      .map(([key, value]) => [
        key,
        typeof value === 'string' ? value.slice(0, TEXT_CHARS_MAX) : (value as Attribute),
      ]),
  );

export function cleanSpan(span: Span): Span {
  const message = span.status?.message;
  return {
    ...span,
    name: redactString(span.name).value,
    attributes: cleanAttributes(span.attributes),
    events: span.events.map((event) => ({
      ...event,
      name: redactString(event.name).value,
      attributes: cleanAttributes(event.attributes),
    })),
    ...(span.status !== undefined && message !== undefined
      ? {
          status: {
            ...span.status,
            message: redactString(message).value.slice(0, REASON_CHARS_MAX),
          },
        }
      : {}),
  };
}
