// What is sent of a component's own metrics, and what is counted from its output: the keys `metrics` and `counters` of
// a component. Patterns for names are globs (`*`, `?`) and not regular expressions, because names are short and the
// engine for safe ones costs 6 MB on a till; patterns for lines are RE2's, as everywhere. A rename can only lead to
// a name of the catalogue that components may use, because everything that reads it trusts its meaning.

import * as v from 'valibot';
import { catalogue, isMetricName, type MetricEntry } from '../protocol/metrics.ts';
import { list, strict, text } from './words.ts';

export const PATTERNS_MAX = 100;
export const RENAMES_MAX = 100;
export const COUNTERS_MAX = 16;
export const COUNTER_LABELS_MAX = 4;
/** Put on by the agent or the broker; whoever counts lines cannot take them. */
const OWN_LABELS = ['component', 'version', 'store', 'terminal', 'le', 'quantile'];

const metricName = (what: string) =>
  v.pipe(text(what, 128), v.regex(/^[a-zA-Z_:][a-zA-Z0-9_:]*$/, 'is not a metric name'));

const glob = v.pipe(
  text('a pattern', 128),
  v.regex(
    /^[a-zA-Z0-9_:*?]+$/,
    'must be a metric name in which * stands for any characters and ? for one',
  ),
);

const entryOf = (name: string): MetricEntry | undefined =>
  isMetricName(name) ? catalogue[name] : undefined;
export const isForComponents = (name: string): boolean => entryOf(name)?.source === 'component';

export const hasVersion = (name: string): boolean =>
  entryOf(name)?.labels.includes('version') === true;

const ours = v.pipe(
  text('a metric name', 128),
  v.check(
    isForComponents,
    'must be a name of the catalogue that components may use, such as pos_transactions_total; others pass as they are, under app_',
  ),
);

const renames = v.pipe(
  v.record(metricName('a metric name'), ours, 'must be their names with ours'),
  v.check(
    (all) => Object.keys(all).length <= RENAMES_MAX,
    `must have at most ${RENAMES_MAX} entries`,
  ),
);

/** drop goes before everything; keep speaks of what is neither renamed nor of the catalogue. */
export const metricsSchema = strict({
  keep: v.optional(list(glob, PATTERNS_MAX), []),
  drop: v.optional(list(glob, PATTERNS_MAX), []),
  rename: v.optional(renames, {}),
});
export type MetricRules = v.InferOutput<typeof metricsSchema>;

const labelName = v.pipe(
  text('a label', 64),
  v.regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/, 'is not a label name'),
  v.check(
    (name) => !OWN_LABELS.includes(name),
    `is put on by Tillwatch itself, as are: ${OWN_LABELS.join(', ')}`,
  ),
);

/** The label that every counted line gets by itself, so that failures are told by version. */
function fits(name: string, labels: readonly string[]): boolean {
  const entry = entryOf(name);
  if (entry === undefined) return true;
  const wanted = entry.labels.filter((label) => label !== 'version').toSorted();
  return entry.type === 'counter' && wanted.join() === labels.toSorted().join();
}

const counter = v.pipe(
  strict({
    name: v.pipe(
      metricName('a metric name'),
      v.endsWith('_total', 'must end with _total, as counters do'),
      v.check(
        (name) => !isMetricName(name) || isForComponents(name),
        'is a name of the catalogue that only Tillwatch itself may use: choose another',
      ),
    ),
    /** Of RE2's syntax; counts a line once, wherever it matches. */
    pattern: text('a pattern', 500),
    /** Named groups of the pattern whose text becomes a label. */
    labels: v.optional(list(labelName, COUNTER_LABELS_MAX), []),
  }),
  v.check(
    ({ name, labels }) => fits(name, labels),
    'is a name of the catalogue, which wants exactly its own labels',
  ),
);

export const countersSchema = v.pipe(
  list(counter, COUNTERS_MAX),
  v.check(
    (all) => new Set(all.map(({ name }) => name)).size === all.length,
    'must have a name of its own for each counter',
  ),
);
export type LineCounter = v.InferOutput<typeof counter>;
