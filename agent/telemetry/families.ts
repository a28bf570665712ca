// Which series belong together: a counter or gauge stands alone, a histogram or summary is all of its parts for one
// set of labels. Half the buckets of a histogram are worse than none, because every quantile that is computed from
// them is wrong and looks right; so whoever leaves series out leaves out units. Pure. Types are believed where they
// are told; without them, buckets with `le` make a histogram of their name.

import type { Labels, Sample } from '../../protocol/metric-body.ts';

export type FamilyType = 'counter' | 'gauge' | 'histogram' | 'summary' | 'untyped';
export type Unit = {
  /** Theirs, without the suffix of a part. */
  readonly family: string;
  readonly type: FamilyType;
  readonly samples: readonly Sample[];
};
export type Units = {
  readonly units: readonly Unit[];
  /** Names of histograms without their sum of everything: cut off on the way, or never whole. */
  readonly broken: readonly string[];
};

const PART = /_(bucket|sum|count)$/;
const KNOWN: readonly string[] = ['counter', 'gauge', 'histogram', 'summary'];
const isCompound = (type: string | undefined): type is 'histogram' | 'summary' =>
  type === 'histogram' || type === 'summary';

type Place = { readonly family: string; readonly type: FamilyType };

function placesOf(
  samples: readonly Sample[],
  types: ReadonlyMap<string, string>,
): (name: string) => Place {
  const implied = new Set<string>();
  for (const { name, labels } of samples) {
    if (name.endsWith('_bucket') && 'le' in labels) implied.add(name.slice(0, -'_bucket'.length));
  }
  const known = new Map<string, Place>();
  const find = (name: string): Place => {
    const own = types.get(name);
    const base = name.replace(PART, '');
    const of = types.get(base);
    if (own === undefined && base !== name) {
      if (isCompound(of)) return { family: base, type: of };
      if (of === undefined && implied.has(base)) return { family: base, type: 'histogram' };
    }
    const type = own !== undefined && KNOWN.includes(own) ? (own as FamilyType) : 'untyped';
    return { family: name, type };
  };
  return (name) => {
    const place = known.get(name) ?? find(name);
    known.set(name, place);
    return place;
  };
}

/** Labels in order, without those that tell the parts of one unit apart. */
export const labelsKey = (labels: Labels, without: string): string =>
  Object.keys(labels)
    .filter((name) => name !== without)
    .sort()
    .map((name) => `${name}\0${labels[name] ?? ''}`)
    .join('\0');

const isWhole = ({ family, samples }: Unit): boolean =>
  samples.some(({ name, labels }) => name === `${family}_bucket` && labels['le'] === '+Inf') &&
  samples.some(({ name }) => name === `${family}_count`);

/** In the order in which each unit first comes. */
export function unitsOf(
  samples: readonly Sample[],
  types: ReadonlyMap<string, string> = new Map(),
): Units {
  const placeOf = placesOf(samples, types);
  const all: Unit[] = [];
  const compound = new Map<string, Sample[]>();
  for (const sample of samples) {
    const { family, type } = placeOf(sample.name);
    if (!isCompound(type)) {
      all.push({ family, type, samples: [sample] });
      continue;
    }
    const key = `${family}\0${labelsKey(sample.labels, type === 'histogram' ? 'le' : 'quantile')}`;
    const parts = compound.get(key);
    if (parts !== undefined) parts.push(sample);
    else {
      const first = [sample];
      compound.set(key, first);
      all.push({ family, type, samples: first });
    }
  }
  const isGood = (unit: Unit): boolean => unit.type !== 'histogram' || isWhole(unit);
  return {
    units: all.filter(isGood),
    broken: all.filter((unit) => !isGood(unit)).flatMap((unit) => unit.samples.map((s) => s.name)),
  };
}
