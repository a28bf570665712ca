// Up to which instant a database is known to refuse samples: everybody's, by their age, or one series'. Used
// while a refused request is taken apart (settle.ts), so that what must be refused is not asked for one
// by one; forgotten with the request, because a database may get another window.

import type { Part } from './parts.ts';
import type { Place, Template } from './templates.ts';
import type { BadReason } from './verdict.ts';

/** Series of a terminal found out of order before all of them are believed to be: they are sampled together. */
const SERIES_BELIEVED = 3;
export const ALWAYS = Number.POSITIVE_INFINITY;

export type Parts = readonly Part[];

export const instantsOf = (parts: Parts): number[] =>
  [...new Set(parts.flatMap(({ timesMs }) => timesMs))].sort((a, b) => a - b);

/** The samples of `from` to before `to`. */
export function between(parts: Parts, fromMs: number, toMs: number): Parts {
  return parts
    .map((part) => {
      const inside = part.timesMs.map((timeMs) => timeMs >= fromMs && timeMs < toMs);
      if (!inside.includes(false)) return part;
      return {
        ...part,
        timesMs: part.timesMs.filter((_, i) => inside[i]),
        values: part.values.filter((_, i) => inside[i]),
      };
    })
    .filter(({ timesMs }) => timesMs.length > 0);
}

export function createFloors() {
  let everybody: { untilMs: number; reason: BadReason; sentence: string } | undefined;
  const series = new Map<Place, Map<Template, number>>();
  const ofPlace = (place: Place): number => {
    const known = [...(series.get(place)?.values() ?? [])].sort((a, b) => b - a);
    return known[SERIES_BELIEVED - 1] ?? -1;
  };
  return {
    raise: (untilMs: number, reason: BadReason, sentence: string): void => {
      if (untilMs > (everybody?.untilMs ?? -1)) everybody = { untilMs, reason, sentence };
    },
    raiseSeries: ({ place, template }: Part, untilMs: number): void => {
      const known = series.get(place) ?? new Map<Template, number>();
      series.set(place, known);
      known.set(template, Math.max(untilMs, known.get(template) ?? -1));
    },
    everybody: () => everybody,
    of: ({ place, template }: Part): number =>
      Math.max(series.get(place)?.get(template) ?? -1, ofPlace(place)),
    anySeries: (): boolean => series.size > 0,
  };
}
