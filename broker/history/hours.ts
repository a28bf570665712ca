// An hour of one terminal's samples as it lies in the history: eight metric bodies, each of the series whose names
// fall into it, so that a question about one name inflates an eighth of each hour. Rows of the ledger are
// merged by series and time, so a row that comes twice, or a minute that comes three days late, ends in the
// same block. Not one block per batch: a day would be 1 440 of them, and a question would open them all.

import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { dictionary } from '../../protocol/dictionary.ts';
import * as limits from '../../protocol/limits.ts';
import { encodeMetricBody, type Labels, type Sample } from '../../protocol/metric-body.ts';
import { decodeMetricColumns, type MetricColumns } from '../../protocol/metric-columns.ts';

export const HOUR_MS = 3_600_000;
/** Instants of an hour; of a terminal that samples more often, evenly spread ones are kept. */
export const HOUR_INSTANTS_MAX = limits.INSTANTS_PER_BODY_MAX;
/** More than three times what a terminal may have at once, because series come and go with versions. */
export const HOUR_SERIES_MAX = 500;
const PARTS = 8;
/** Before each part, its length. */
const LENGTH_BYTES = 4;

/** Points in the order in which they came; sorted when they are written. */
type Series = {
  readonly name: string;
  readonly labels: readonly string[];
  readonly times: number[];
  readonly values: number[];
};

export type Hour = Map<string, Series>;

export const hourOf = (timeMs: number): number => Math.floor(timeMs / HOUR_MS);

/** What had no place: samples in a full hour, and the hour of each sample that is not kept. */
export type Left = { readonly crowded: number; readonly homeless: readonly number[] };

/**
 * Adds what falls into each hour.
 * @param hourAt where to put an hour's samples; undefined: nowhere.
 */
export function addColumns(
  { timesMs, series }: MetricColumns,
  hourAt: (hour: number) => Hour | undefined,
): Left {
  const numbers = timesMs.map(hourOf);
  const places = numbers.map(hourAt);
  const homeless: number[] = [];
  let crowded = 0;
  for (const { name, labels, at, values } of series) {
    const key = `${name}\0${labels.join('\0')}`;
    let last: Hour | undefined;
    let known: Series | undefined;
    for (let index = 0; index < values.length; index += 1) {
      const place = at === undefined ? index : (at[index] ?? 0);
      const hour = places[place];
      if (hour !== last || known === undefined) {
        last = hour;
        known = hour && seriesOf(hour, key, name, labels);
      }
      if (known !== undefined) {
        known.times.push(timesMs[place] ?? 0);
        known.values.push(values[index] ?? 0);
      } else if (hour === undefined) homeless.push(numbers[place] ?? 0);
      else crowded += 1;
    }
  }
  return { crowded, homeless };
}

function seriesOf(
  hour: Hour,
  key: string,
  name: string,
  labels: readonly string[],
): Series | undefined {
  const known = hour.get(key);
  if (known !== undefined || hour.size >= HOUR_SERIES_MAX) return known;
  const made = { name, labels, times: [], values: [] };
  hour.set(key, made);
  return made;
}

/** In order of time, each once: what was there first stays, because a sample never changes. */
function sorted({ name, labels, times, values }: Series): Series {
  if (times.every((time, i) => i === 0 || time > (times[i - 1] ?? 0))) {
    return { name, labels, times, values };
  }
  const points = new Map<number, number>();
  for (const [i, time] of times.entries()) if (!points.has(time)) points.set(time, values[i] ?? 0);
  const inOrder = [...points].sort(([a], [b]) => a - b);
  return {
    ...{ name, labels },
    times: inOrder.map(([time]) => time),
    values: inOrder.map(([, value]) => value),
  };
}

const labelsOf = (flat: readonly string[]): Labels => {
  const pairs: [string, string][] = [];
  for (let i = 0; i < flat.length; i += 2) pairs.push([flat[i] ?? '', flat[i + 1] ?? '']);
  return Object.fromEntries(pairs);
};

/** All instants in order, thinned evenly where there are too many for a body. */
function instantsOf(series: readonly Series[]): number[] {
  const all = [...new Set(series.flatMap(({ times }) => times))].sort((a, b) => a - b);
  const room = Math.floor(limits.SAMPLES_PER_BODY_MAX / Math.max(1, series.length));
  const every = Math.ceil(all.length / Math.min(HOUR_INSTANTS_MAX, room));
  return every <= 1 ? all : all.filter((_, index) => index % every === 0);
}

function encodePart(series: readonly Series[]): Uint8Array {
  const named = series.map(({ name, labels }) => ({ name, labels: labelsOf(labels) }));
  const next = series.map(() => 0);
  const snapshots = instantsOf(series).map((timeMs) => {
    const samples: Sample[] = [];
    for (const [i, { times, values }] of series.entries()) {
      let at = next[i] ?? 0;
      while ((times[at] ?? Number.POSITIVE_INFINITY) < timeMs) at += 1;
      next[i] = at;
      const of = named[i];
      if (times[at] === timeMs && of !== undefined) {
        samples.push({ name: of.name, labels: of.labels, value: values[at] ?? 0 });
      }
    }
    return { timeMs, samples };
  });
  return deflateRawSync(encodeMetricBody(snapshots), { level: 6, dictionary: dictionary() });
}

/** The same for a name for ever: FNV-1a. */
function partOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i += 1) {
    hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193) >>> 0;
  }
  return hash % PARTS;
}

export function encodeHour(hour: Hour): Uint8Array {
  const parts: Series[][] = Array.from({ length: PARTS }, () => []);
  for (const series of hour.values()) parts[partOf(series.name)]?.push(sorted(series));
  return Buffer.concat(
    parts.flatMap((series) => {
      const part = series.length === 0 ? new Uint8Array() : encodePart(series);
      const length = Buffer.alloc(LENGTH_BYTES);
      length.writeUInt32LE(part.length);
      return [length, part];
    }),
  );
}

function readPart(part: Uint8Array): MetricColumns | undefined {
  if (part.length === 0) return undefined;
  try {
    const body = inflateRawSync(part, {
      maxOutputLength: limits.BODY_BYTES_MAX,
      dictionary: dictionary(),
    });
    const columns = decodeMetricColumns(body);
    return columns.ok ? columns.value : undefined;
  } catch {
    return undefined;
  }
}

/** Parts of a block that can be read. @param name only the one in which series of this name are. */
export function readHour(block: Uint8Array, name?: string): readonly MetricColumns[] {
  const wanted = name === undefined ? undefined : partOf(name);
  const bytes = Buffer.from(block.buffer, block.byteOffset, block.byteLength);
  const read: MetricColumns[] = [];
  let at = 0;
  for (let part = 0; part < PARTS && at + LENGTH_BYTES <= bytes.length; part += 1) {
    const from = at + LENGTH_BYTES;
    at = from + bytes.readUInt32LE(at);
    if (wanted !== undefined && part !== wanted) continue;
    const columns = readPart(bytes.subarray(from, at));
    if (columns !== undefined) read.push(columns);
  }
  return read;
}

/** What cannot be read is as good as nothing: what is merged into it takes its place. */
export function decodeHour(block: Uint8Array | undefined): Hour {
  const hour: Hour = new Map();
  for (const columns of block === undefined ? [] : readHour(block)) addColumns(columns, () => hour);
  return hour;
}
