// An hour of one terminal's samples as it lies in the history: the columns of a metric body, so that whatever
// reads batches reads blocks, too. Rows of the ledger are merged by series and time, so a row that comes
// twice, or a minute that comes three days late, ends in the same block. Not one block per batch: a day
// would be 1 440 of them, and a question about a day would open them all.

import { deflateRawSync, inflateRawSync } from 'node:zlib';
import * as limits from '../../protocol/limits.ts';
import { encodeMetricBody, type Labels, type Snapshot } from '../../protocol/metric-body.ts';
import { decodeMetricColumns, type MetricColumns } from '../../protocol/metric-columns.ts';

export const HOUR_MS = 3_600_000;
/** Instants of a block; of a terminal that samples more often, evenly spread ones are kept. */
export const HOUR_INSTANTS_MAX = limits.INSTANTS_PER_BODY_MAX;
/** More than three times what a terminal may have at once, because series come and go with versions. */
export const HOUR_SERIES_MAX = 500;

type Series = {
  readonly name: string;
  readonly labels: readonly string[];
  /** Value by time. */
  readonly points: Map<number, number>;
};

export type Hour = { readonly times: Set<number>; readonly series: Map<string, Series> };

export const hourOf = (timeMs: number): number => Math.floor(timeMs / HOUR_MS);
export const newHour = (): Hour => ({ times: new Set(), series: new Map() });

/** What had no place: samples in a full hour, and the hour of each sample that is not kept. */
export type Left = { readonly crowded: number; readonly homeless: readonly number[] };

/**
 * Adds what falls into each hour; what is there already stays, because a sample never changes.
 * @param hourAt where to put an hour's samples; undefined: nowhere.
 */
export function addColumns(
  { timesMs, series }: MetricColumns,
  hourAt: (hour: number) => Hour | undefined,
): Left {
  const numbers = timesMs.map(hourOf);
  const places = numbers.map(hourAt);
  for (const [index, timeMs] of timesMs.entries()) places[index]?.times.add(timeMs);
  const homeless: number[] = [];
  let crowded = 0;
  for (const { name, labels, at, values } of series) {
    const key = `${name}\0${labels.join('\0')}`;
    for (const [index, value] of values.entries()) {
      const place = at?.[index] ?? index;
      const hour = places[place];
      const known = hour && seriesOf(hour, key, { name, labels });
      if (known !== undefined) {
        const timeMs = timesMs[place] ?? 0;
        if (!known.points.has(timeMs)) known.points.set(timeMs, value);
      } else if (hour === undefined) homeless.push(numbers[place] ?? 0);
      else crowded += 1;
    }
  }
  return { crowded, homeless };
}

function seriesOf(hour: Hour, key: string, named: Omit<Series, 'points'>): Series | undefined {
  const known = hour.series.get(key);
  if (known !== undefined || hour.series.size >= HOUR_SERIES_MAX) return known;
  const made = { ...named, points: new Map<number, number>() };
  hour.series.set(key, made);
  return made;
}

const labelsOf = (flat: readonly string[]): Labels =>
  Object.fromEntries(
    Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i] ?? '', flat[2 * i + 1] ?? '']),
  );

/** The block's instants in order, thinned evenly where there are too many. */
function timesOf({ times, series }: Hour): number[] {
  const sorted = [...times].sort((a, b) => a - b);
  const room = Math.min(HOUR_INSTANTS_MAX, Math.floor(limits.SAMPLES_PER_BODY_MAX / series.size));
  const every = Math.ceil(sorted.length / room);
  return every <= 1 ? sorted : sorted.filter((_, index) => index % every === 0);
}

export function encodeHour(hour: Hour): Uint8Array {
  // Sorted, so that the same samples are the same bytes in whatever order they came.
  const series = [...hour.series]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { name, labels, points }]) => ({ name, labels: labelsOf(labels), points }));
  const snapshots = timesOf(hour).map((timeMs): Snapshot => {
    const samples = series.flatMap(({ name, labels, points }) => {
      const value = points.get(timeMs);
      return value === undefined ? [] : [{ name, labels, value }];
    });
    return { timeMs, samples };
  });
  return deflateRawSync(encodeMetricBody(snapshots), { level: 6 });
}

/** @returns undefined for a block that cannot be read. */
export function readHour(block: Uint8Array): MetricColumns | undefined {
  try {
    const body = inflateRawSync(block, { maxOutputLength: limits.BODY_BYTES_MAX });
    const columns = decodeMetricColumns(body);
    return columns.ok ? columns.value : undefined;
  } catch {
    return undefined;
  }
}

/** A block that cannot be read is as good as none: what is merged into it takes its place. */
export function decodeHour(block: Uint8Array | undefined): Hour {
  const hour = newHour();
  const columns = block && readHour(block);
  if (columns !== undefined) addColumns(columns, () => hour);
  return hour;
}
