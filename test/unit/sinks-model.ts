// A small model of what Prometheus 2.42 does with a remote write request (research/mqtt.md section 4): all or
// nothing, and the first error is the answer. For tests that take refused requests apart.

import type { Part } from '../../broker/sinks/parts.ts';
import { createTemplates } from '../../broker/sinks/templates.ts';
import type { BadReason } from '../../broker/sinks/verdict.ts';

const templates = createTemplates();

export const part = (terminal: string, name: string, samples: [number, number][]): Part => {
  const template = templates.templateOf(name, []);
  if (template === undefined) throw new Error(name);
  return {
    place: templates.placeOf(terminal, 'store-1'),
    template,
    timesMs: samples.map(([timeMs]) => timeMs),
    values: samples.map(([, value]) => value),
  };
};

export type ModelOptions = {
  /** 0: none, as a stock Prometheus. */
  readonly windowMs: number;
  readonly newestMs: number;
  /** Names of series that it refuses for their labels. */
  readonly invalid?: readonly string[];
};

export function createModel({ windowMs, newestMs, invalid = [] }: ModelOptions) {
  let maxMs = newestMs;
  let requests = 0;
  const series = new Map<string, Map<number, number>>();
  const keyOf = (one: Part): string => `${one.place.terminal} ${one.template.text}`;

  function judge(known: Map<number, number>, timeMs: number, value: number): BadReason | undefined {
    const last = Math.max(...known.keys());
    if (timeMs === last && known.get(timeMs) !== value) return 'duplicate';
    if (windowMs > 0) return timeMs < maxMs - windowMs ? 'too_old' : undefined;
    if (timeMs < maxMs - 3_600_000) return 'out_of_bounds';
    return timeMs < last ? 'out_of_order' : undefined;
  }

  return {
    requests: () => requests,
    stored: (): string[] =>
      [...series].flatMap(([key, known]) => [...known].map(([t, v]) => `${key} ${t} ${v}`)).sort(),
    take: (parts: readonly Part[]): BadReason | undefined => {
      requests += 1;
      const next = new Map<string, Map<number, number>>();
      for (const one of parts) {
        if (invalid.includes(one.template.text.split('{')[0] ?? '')) return 'invalid';
        const known = new Map(next.get(keyOf(one)) ?? series.get(keyOf(one)) ?? []);
        for (const [i, timeMs] of one.timesMs.entries()) {
          const value = one.values[i] ?? 0;
          const reason = judge(known, timeMs, value);
          if (reason !== undefined) return reason;
          if (!known.has(timeMs)) known.set(timeMs, value);
        }
        next.set(keyOf(one), known);
      }
      for (const [key, known] of next) {
        series.set(key, known);
        maxMs = Math.max(maxMs, ...known.keys());
      }
      return undefined;
    },
  };
}
