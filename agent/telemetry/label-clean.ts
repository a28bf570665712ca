// Labels without card data: what a component exposes is its own words, and a number that somebody made a label would
// lie in a time-series database for years (PCI DSS 3.3.1). The same values come with each sweep, so that what was
// looked at is remembered, and a known value costs a look instead of a search.

import type { Labels } from '../../protocol/metric-body.ts';
import { redactFields } from '../../redact/index.ts';

/** More than any budget lets pass; a label that never repeats only starts it anew. */
const KNOWN_MAX = 4_096;
const known = new Map<string, Map<string, string>>();
let count = 0;

function cleanValue(label: string, value: string): string {
  const values = known.get(label) ?? new Map<string, string>();
  const found = values.get(value);
  if (found !== undefined) return found;
  if (count >= KNOWN_MAX) {
    known.clear();
    values.clear();
    count = 0;
  }
  const clean = String(redactFields({ [label]: value }).value[label]);
  known.set(label, values.set(value, clean));
  count += 1;
  return clean;
}

export const cleanLabels = (labels: Labels): Labels =>
  Object.fromEntries(
    Object.entries(labels).map(([label, value]) => [label, cleanValue(label, value)]),
  );
