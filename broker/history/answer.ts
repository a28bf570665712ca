// The answer to a question about a terminal's past: the points of each series between two times, in order, at
// most so many. Fewer points than there are samples are made by buckets of equal length, and the answer says
// how long they are and what stands for a bucket, because a maximum and an average are different claims.

export const REDUCERS = ['last', 'max', 'avg'] as const;
export type Reducer = (typeof REDUCERS)[number];

export const POINTS_DEFAULT = 1_000;
/** As many as Prometheus gives in one answer. */
export const POINTS_MAX = 11_000;
/** Of all series together: what is given from thread to thread and written as JSON takes the loop 1.5 us a point. */
const POINTS_ANSWERED_MAX = 5 * POINTS_MAX;
/** Series of one name that fit the labels asked for; an answer of more says that there are more. */
export const SERIES_ANSWERED_MAX = 50;

export type HistoryQuery = {
  readonly terminal: string;
  readonly name: string;
  /** Both included. */
  readonly sinceMs: number;
  readonly untilMs: number;
  /** Length of a bucket; without it as short as the points allow. */
  readonly stepMs?: number | undefined;
  readonly by: Reducer;
  readonly pointsMax: number;
  /** Series must have all of these. */
  readonly labels: Readonly<Record<string, string>>;
};

export type HistorySeries = {
  readonly labels: Readonly<Record<string, string>>;
  /** Time and value; a bucket has the time at which it begins. */
  readonly points: readonly (readonly [number, number])[];
};
export type HistoryAnswer = {
  readonly terminal: string;
  readonly name: string;
  readonly sinceMs: number;
  readonly untilMs: number;
  /** 0: every sample as it was taken. */
  readonly stepMs: number;
  /** What stands for a bucket; of no meaning where stepMs is 0. */
  readonly by: Reducer;
  readonly series: readonly HistorySeries[];
  /** Whether more series fit than SERIES_ANSWERED_MAX. */
  readonly more: boolean;
};

/** Points by time, of one series. */
export type Found = { readonly labels: readonly string[]; readonly points: Map<number, number> };

/** Bucket lengths that a person would choose. */
const STEPS_MS = [1, 5, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 86_400].map(
  (seconds) => seconds * 1000,
);

type Point = readonly [number, number];

function reduce(points: readonly Point[], stepMs: number, by: Reducer): Point[] {
  const buckets = new Map<number, { last: number; max: number; sum: number; count: number }>();
  for (const [timeMs, value] of points) {
    const at = Math.floor(timeMs / stepMs) * stepMs;
    const bucket = buckets.get(at);
    if (bucket === undefined) buckets.set(at, { last: value, max: value, sum: value, count: 1 });
    else {
      bucket.last = value;
      bucket.max = Math.max(bucket.max, value);
      bucket.sum += value;
      bucket.count += 1;
    }
  }
  return [...buckets].map(([at, { last, max, sum, count }]) => [
    at,
    by === 'last' ? last : by === 'max' ? max : sum / count,
  ]);
}

/** @returns 0 when every sample fits. */
function stepOf({ stepMs, sinceMs, untilMs, pointsMax }: HistoryQuery, longest: number): number {
  const least = Math.ceil((untilMs - sinceMs + 1) / pointsMax);
  if (stepMs !== undefined) return Math.max(stepMs, least);
  if (longest <= pointsMax) return 0;
  return STEPS_MS.find((step) => step >= least) ?? least;
}

const labelsOf = (flat: readonly string[]): Record<string, string> => {
  const labels: Record<string, string> = {};
  for (let i = 0; i < flat.length; i += 2) labels[flat[i] ?? ''] = flat[i + 1] ?? '';
  return labels;
};

export function isWanted(query: HistoryQuery, flat: readonly string[]): boolean {
  const labels = labelsOf(flat);
  return Object.entries(query.labels).every(
    ([name, value]) => Object.hasOwn(labels, name) && labels[name] === value,
  );
}

export function answerOf(query: HistoryQuery, found: ReadonlyMap<string, Found>): HistoryAnswer {
  const { terminal, name, sinceMs, untilMs, by } = query;
  const sorted = [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, series]) => series);
  const shown = sorted.slice(0, SERIES_ANSWERED_MAX).map(({ labels, points }) => ({
    labels: labelsOf(labels),
    points: [...points].sort(([a], [b]) => a - b),
  }));
  const share = Math.floor(POINTS_ANSWERED_MAX / Math.max(1, shown.length));
  const pointsMax = Math.min(query.pointsMax, share);
  const longest = Math.max(0, ...shown.map(({ points }) => points.length));
  const stepMs = stepOf({ ...query, pointsMax }, longest);
  const series = shown.map(({ labels, points }) => ({
    labels,
    points: stepMs === 0 ? points : reduce(points, stepMs, by),
  }));
  const more = sorted.length > shown.length;
  return { terminal, name, sinceMs, untilMs, stepMs, by, series, more };
}
