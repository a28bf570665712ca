// Which of a component's series leave the terminal, and under which names. Pure. Names of the
// catalogue that belong to components pass; every other one gets the prefix `app_`, so that nothing a
// component invents can pretend to be a measurement of ours. The terminal as a whole has a budget of
// series; our own come first, and components share the rest so that a chatty one cannot silence a
// quiet one. What is left out is counted by component.

import * as limits from '../../protocol/limits.ts';
import type { Labels, Sample } from '../../protocol/metric-body.ts';
import { catalogue, isMetricName, type MetricEntry } from '../../protocol/metrics.ts';

export type Scraped = { readonly component: string; readonly samples: readonly Sample[] };
export type Budgeted = {
  readonly samples: readonly Sample[];
  /** Names of series left out, by component, each occurrence once. */
  readonly dropped: ReadonlyMap<string, readonly string[]>;
};

/** Put on by the broker from session and registry; never read from a body (design.md, section 6). */
const FORBIDDEN_LABELS: readonly string[] = ['store', 'terminal'];
const HISTOGRAM_PART = /_(bucket|sum|count)$/;

function isOurs(name: string): boolean {
  const base = name.replace(HISTOGRAM_PART, '');
  const known = isMetricName(name) ? name : isMetricName(base) ? base : undefined;
  if (known === undefined) return false;
  const { source, type }: MetricEntry = catalogue[known];
  return source === 'component' && (known === name || type === 'histogram');
}

export const outwardName = (name: string): string => (isOurs(name) ? name : `app_${name}`);

/** A component's own label `component` moves aside, as Prometheus does with labels that clash. */
function outwardLabels(labels: Labels, component: string): Labels {
  const kept = Object.entries(labels).filter(([name]) => !FORBIDDEN_LABELS.includes(name));
  const moved = kept.map(([name, value]) => [
    name === 'component' ? 'exported_component' : name,
    value,
  ]);
  return { ...Object.fromEntries(moved), component };
}

const fits = ({ name, labels }: Sample): boolean =>
  name.length <= limits.NAME_CHARS_MAX &&
  Object.keys(labels).length <= limits.LABELS_PER_SERIES_MAX &&
  Object.values(labels).every((value) => value.length <= limits.LABEL_CHARS_MAX);

const keyOf = ({ name, labels }: Sample): string =>
  JSON.stringify([name, Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))]);

/** One component's series as they leave, catalogue first; `dropped` cannot be sent at all. */
function outward({ component, samples }: Scraped): { kept: Sample[]; dropped: string[] } {
  const kept = new Map<string, Sample>();
  const dropped: string[] = [];
  for (const { name, labels, value } of samples) {
    const sample = { name: outwardName(name), labels: outwardLabels(labels, component), value };
    const key = keyOf(sample);
    if (!fits(sample) || kept.has(key)) dropped.push(sample.name.slice(0, limits.NAME_CHARS_MAX));
    else kept.set(key, sample);
  }
  const isApp = (sample: Sample): number => (sample.name.startsWith('app_') ? 1 : 0);
  return { kept: [...kept.values()].sort((a, b) => isApp(a) - isApp(b)), dropped };
}

/** How many each may have: the smallest wishes are met first, the rest is shared evenly. */
export function shares(wishes: readonly number[], total: number): number[] {
  const granted = wishes.map(() => 0);
  let left = Math.max(0, total);
  const order = wishes.map((wish, index) => ({ wish, index })).sort((a, b) => a.wish - b.wish);
  for (const [position, { wish, index }] of order.entries()) {
    const grant = Math.min(wish, Math.floor(left / (order.length - position)));
    granted[index] = grant;
    left -= grant;
  }
  return granted;
}

/** @param own the agent's series; only when they alone exceed the budget are the last of them cut. */
export function withinBudget(
  own: readonly Sample[],
  scraped: readonly Scraped[],
  seriesMax: number = limits.SERIES_PER_TERMINAL_MAX,
): Budgeted {
  const dropped = new Map<string, string[]>();
  const drop = (component: string, names: readonly string[]): void => {
    if (names.length > 0) dropped.set(component, [...(dropped.get(component) ?? []), ...names]);
  };
  const samples = own.slice(0, seriesMax);
  const names = (list: readonly Sample[]): string[] => list.map((sample) => sample.name);
  drop('agent', names(own.slice(seriesMax)));
  const all = scraped.map(outward);
  const granted = shares(
    all.map((entry) => entry.kept.length),
    seriesMax - samples.length,
  );
  for (const [index, { kept, dropped: unfit }] of all.entries()) {
    const component = scraped[index]?.component ?? '';
    const grant = granted[index] ?? 0;
    samples.push(...kept.slice(0, grant));
    drop(component, [...unfit, ...names(kept.slice(grant))]);
  }
  return { samples, dropped };
}
