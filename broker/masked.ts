// What whoever is refused can write into the audit log and into the broker's own log: an id in an address, a name, a
// reason. They choose it, and nothing can be taken out of the audit log. Only texts and numbers are looked at, and no
// keys, which are this program's own words; so a field called `key` or `name` stays what it is.

import { redactString } from '../redact/index.ts';

const DEPTH_MAX = 8;

function mask(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return redactString(value).value;
  if (typeof value === 'number' || typeof value === 'bigint') {
    const text = redactString(String(value)).value;
    return text === String(value) ? value : text;
  }
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= DEPTH_MAX) return '';
  if (Array.isArray(value)) return value.map((one) => mask(one, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, mask(one, depth + 1)]),
  );
}

/** A copy in which card data and secrets are marks. */
export const masked = <T>(value: T): T => mask(value, 0) as T;
