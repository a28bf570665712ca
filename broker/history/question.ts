// Collects the points that a question is about: from the blocks of its hours, and from rows that still wait to
// be folded. A sample that is in both counts once.

import type { MetricColumns } from '../../protocol/metric-columns.ts';
import { type Found, type HistoryQuery, isWanted } from './answer.ts';
import { readBatch } from './batches.ts';
import { readHour } from './hours.ts';

export type Collection = {
  readonly addBlock: (block: Uint8Array) => void;
  readonly addRow: (batch: Uint8Array) => void;
  readonly found: ReadonlyMap<string, Found>;
};

export function createCollection(query: HistoryQuery): Collection {
  const { name, sinceMs, untilMs } = query;
  const found = new Map<string, Found>();

  function add(columns: MetricColumns | undefined): void {
    for (const { name: of, labels, at, values } of columns?.series ?? []) {
      if (of !== name || !isWanted(query, labels)) continue;
      const key = labels.join('\0');
      const known = found.get(key) ?? { labels, points: new Map<number, number>() };
      for (const [index, value] of values.entries()) {
        const timeMs = columns?.timesMs[at?.[index] ?? index] ?? 0;
        if (timeMs < sinceMs || timeMs > untilMs || known.points.has(timeMs)) continue;
        known.points.set(timeMs, value);
      }
      if (known.points.size > 0) found.set(key, known);
    }
  }

  return {
    found,
    addBlock: (block) => {
      for (const columns of readHour(block, name)) add(columns);
    },
    addRow: (batch) => add(readBatch(batch)),
  };
}
