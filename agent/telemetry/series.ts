// Which of a component's series could leave the terminal, as units under their outward names and labels; budget.ts
// chooses among them. Pure. Whatever cannot be sent is named with its reason: too long, there twice, half a
// histogram, or renamed to what it is not.

import * as limits from '../../protocol/limits.ts';
import type { Labels, Sample } from '../../protocol/metric-body.ts';
import { type Budgeted, SeriesBudget } from './budget.ts';
import { type FamilyType, labelsKey, type Unit, unitsOf } from './families.ts';
import { cleanLabels } from './label-clean.ts';
import { fittingLabels, isOurs, type Judged, judgeOf } from './rules.ts';

export { shares } from './budget.ts';

export type Scraped = {
  readonly component: string;
  readonly samples: readonly Sample[];
  readonly types?: ReadonlyMap<string, string>;
  /** What its configuration says of names; everything passes where it says nothing. */
  readonly judge?: (unit: Unit) => Judged;
  /** The version that runs. */
  readonly version?: string;
  /** Under their outward names already, and wanted by name: before whatever else it invents. */
  readonly asked?: readonly Sample[];
};
/** What cannot be told apart or cut: all of it is sent, or nothing. */
export type OutwardUnit = {
  readonly key: string;
  readonly name: string;
  readonly isApp: boolean;
  readonly samples: readonly Sample[];
};
export type LeftOut = { readonly name: string; readonly count: number; readonly reason: string };
export type Outward = {
  readonly component: string;
  readonly units: readonly OutwardUnit[];
  readonly left: readonly LeftOut[];
};

/** Put on by the broker from session and registry; never read from a body (design.md, section 6). */
const FORBIDDEN_LABELS: readonly string[] = ['store', 'terminal'];
const TOO_LONG = 'a name or label is too long, or there are too many labels';
const TWICE = 'it is there twice';
const HALF = 'a histogram is not whole';
const LABELS = 'its labels are not those of the name that it is renamed to';

const HISTOGRAM_PART = /_(bucket|sum|count)$/;

export function outwardName(name: string): string {
  const base = name.replace(HISTOGRAM_PART, '');
  return isOurs(name, 'untyped') || isOurs(base, 'histogram') ? name : `app_${name}`;
}

/** A component's own label `component` moves aside, as Prometheus does with labels that clash. */
function withoutForbidden(labels: Labels): Labels {
  const kept = Object.entries(labels).filter(([name]) => !FORBIDDEN_LABELS.includes(name));
  const moved = kept.map(([name, value]) => [
    name === 'component' ? 'exported_component' : name,
    value,
  ]);
  return Object.fromEntries(moved);
}

const fits = ({ name, labels }: Sample): boolean =>
  name.length <= limits.NAME_CHARS_MAX &&
  Object.keys(labels).length <= limits.LABELS_PER_SERIES_MAX &&
  Object.values(labels).every((value) => value.length <= limits.LABEL_CHARS_MAX);

const WITHOUT: Partial<Record<FamilyType, string>> = { histogram: 'le', summary: 'quantile' };

function outwardUnit(
  unit: Unit,
  judged: Extract<Judged, { kind: 'as' }>,
  { component, version = 'unknown' }: Scraped,
): OutwardUnit | string {
  const { name, renamed } = judged;
  const samples: Sample[] = [];
  for (const sample of unit.samples) {
    const bare = cleanLabels(withoutForbidden(sample.labels));
    const labels = renamed === undefined ? bare : fittingLabels(bare, renamed, version);
    if (labels === undefined) return LABELS;
    const part = sample.name.slice(unit.family.length);
    samples.push({ name: name + part, labels: { ...labels, component }, value: sample.value });
  }
  if (!samples.every(fits)) return TOO_LONG;
  const key = `${name}\0${labelsKey(samples[0]?.labels ?? {}, WITHOUT[unit.type] ?? '')}`;
  const parts = new Set(samples.map((one) => `${one.name}\0${labelsKey(one.labels, '')}`));
  if (parts.size < samples.length) return TWICE;
  return { key, name, isApp: name.startsWith('app_'), samples };
}

const judgeAll = judgeOf(undefined);

/** One component's series as they could leave. */
export function outwardOf(scraped: Scraped): Outward {
  const { component, asked = [], judge = judgeAll } = scraped;
  const { units, broken } = unitsOf(scraped.samples, scraped.types);
  const kept = new Map<string, OutwardUnit>();
  const left: LeftOut[] = broken.map((name) => ({ name, count: 1, reason: HALF }));
  const leave = (name: string, count: number, reason: string): void => {
    left.push({ name: name.slice(0, limits.NAME_CHARS_MAX), count, reason });
  };
  for (const sample of asked) {
    const key = `${sample.name}\0${labelsKey(sample.labels, '')}`;
    kept.set(key, { key, name: sample.name, isApp: false, samples: [sample] });
  }
  for (const unit of units) {
    const judged = judge(unit);
    if (judged.kind === 'drop') continue;
    const count = unit.samples.length;
    if (judged.kind === 'unfit') {
      leave(unit.family, count, judged.reason);
      continue;
    }
    const made = outwardUnit(unit, judged, scraped);
    if (typeof made === 'string') leave(judged.name, count, made);
    else if (kept.has(made.key)) leave(judged.name, count, TWICE);
    else kept.set(made.key, made);
  }
  return { component, units: [...kept.values()], left };
}

/** One sample by itself, without a memory of the ones before. @param own the agent's series. */
export const withinBudget = (
  own: readonly Sample[],
  scraped: readonly Scraped[],
  seriesMax: number = limits.SERIES_PER_TERMINAL_MAX,
): Budgeted => new SeriesBudget().take(own, scraped.map(outwardOf), seriesMax, 0);
