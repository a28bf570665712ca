// Under which name a component's series leaves the terminal, if at all: as its configuration says (keep, drop,
// rename), as the catalogue knows it, or under `app_`, so that nothing that a component invents can pretend to be a
// measurement of ours. Pure but for what it remembers: a name is judged once, and asked for each sample.

import type { MetricRules } from '../../configuration/metrics.ts';
import type { Labels } from '../../protocol/metric-body.ts';
import { catalogue, isMetricName, type MetricEntry } from '../../protocol/metrics.ts';
import type { FamilyType, Unit } from './families.ts';

/** `drop`: nobody wants it. `unfit`: it was to be renamed and is something else. */
export type Judged =
  | { readonly kind: 'as'; readonly name: string; readonly renamed?: MetricEntry }
  | { readonly kind: 'drop' }
  | { readonly kind: 'unfit'; readonly reason: string };

const NAMES_MAX = 4_096;

/** Linear but for the last star, which is tried again from each place: names have 128 characters. */
export function globMatches(glob: string, name: string): boolean {
  let [at, from] = [0, 0];
  let [star, mark] = [-1, 0];
  while (at < name.length) {
    if (glob[from] === '*') {
      star = from;
      mark = at;
      from += 1;
    } else if (from < glob.length && (glob[from] === '?' || glob[from] === name[at])) {
      from += 1;
      at += 1;
    } else if (star >= 0) {
      from = star + 1;
      mark += 1;
      at = mark;
    } else return false;
  }
  while (glob[from] === '*') from += 1;
  return from === glob.length;
}

export const isOurs = (family: string, type: FamilyType): boolean => {
  if (!isMetricName(family)) return false;
  const entry: MetricEntry = catalogue[family];
  const isCompound = type === 'histogram' || type === 'summary';
  return entry.source === 'component' && isCompound === (entry.type === 'histogram');
};

function judge(family: string, type: FamilyType, rules: MetricRules | undefined): Judged {
  const { keep = [], drop = [], rename = {} } = rules ?? {};
  if (drop.some((glob) => globMatches(glob, family))) return { kind: 'drop' };
  const to = Object.hasOwn(rename, family) ? rename[family] : undefined;
  if (to !== undefined) {
    const entry: MetricEntry | undefined = isMetricName(to) ? catalogue[to] : undefined;
    if (entry === undefined) return { kind: 'drop' };
    if (type !== entry.type && type !== 'untyped') {
      return { kind: 'unfit', reason: `${family} is a ${type} and ${to} is a ${entry.type}` };
    }
    return { kind: 'as', name: to, renamed: entry };
  }
  if (isOurs(family, type)) return { kind: 'as', name: family };
  if (keep.length > 0 && !keep.some((glob) => globMatches(glob, family))) return { kind: 'drop' };
  return { kind: 'as', name: `app_${family}` };
}

/** @returns what a name and type become; remembered, because each sample asks for all of them again. */
export function judgeOf(rules: MetricRules | undefined): (unit: Unit) => Judged {
  const known = new Map<string, Judged>();
  return ({ family, type }) => {
    const key = `${type} ${family}`;
    const found = known.get(key) ?? judge(family, type, rules);
    if (known.size < NAMES_MAX) known.set(key, found);
    return found;
  };
}

/** Labels as a catalogue name wants them; `version` is ours to add. @returns undefined when they do not fit. */
export function fittingLabels(
  labels: Labels,
  entry: MetricEntry,
  version: string,
): Labels | undefined {
  const wantsVersion = entry.labels.includes('version') && !('version' in labels);
  const fitted = wantsVersion ? { ...labels, version } : labels;
  const names = Object.keys(fitted);
  const isFit =
    names.length === entry.labels.length && names.every((n) => entry.labels.includes(n));
  return isFit ? fitted : undefined;
}
