// What the agent says of the disk: component output on it, what was given up, the level, and its own writes, which
// wear out flash. Pure.

import type { Sample } from '../../protocol/metric-body.ts';
import type { MetricName } from '../../protocol/metrics.ts';
import type { JournalReading } from '../logs/journal/types.ts';
import type { DiskLevel } from '../low-disk.ts';
import type { OutputReading } from '../output-types.ts';

export type DiskStats = {
  readonly level: DiskLevel;
  /** Since the agent began. */
  readonly levels: readonly DiskLevel[];
  readonly output: readonly OutputReading[];
  readonly journal: readonly JournalReading[];
  readonly behind: readonly { readonly component: string; readonly bytes: number }[];
  /** Of the agent itself; undefined where the kernel does not say. */
  readonly writtenBytes: number | undefined;
};

const sample = (name: MetricName, value: number, labels: Record<string, string> = {}): Sample => ({
  name,
  labels,
  value,
});

/** `write_bytes` of /proc/self/io: bytes that the process caused to be written to storage [proc(5)]. */
export function parseWritten(io: string | undefined): number | undefined {
  const found = /^write_bytes: (\d+)$/m.exec(io ?? '')?.[1];
  return found === undefined ? undefined : Number(found);
}

/** Of each component: what lies in the journal, and its output that does not yet. */
function sizes(output: readonly OutputReading[], journal: readonly JournalReading[]): Sample[] {
  const all = new Map<string, number>();
  for (const { component, bytes } of [...output, ...journal]) {
    all.set(component, (all.get(component) ?? 0) + bytes);
  }
  return [...all].map(([component, bytes]) =>
    sample('tillwatch_journal_bytes', bytes, { component }),
  );
}

/** Levels that never were are left out: a till with room has one series. */
export const diskSamples = ({
  level,
  levels,
  output,
  journal,
  behind,
  writtenBytes,
}: DiskStats): Sample[] => [
  ...levels.map((known) =>
    sample('tillwatch_disk_level', known === level ? 1 : 0, { level: known }),
  ),
  ...sizes(output, journal),
  ...journal.flatMap(({ component, records }) =>
    Object.entries(records).map(([reason, count]) =>
      sample('tillwatch_journal_records_dropped_total', count, { component, reason }),
    ),
  ),
  ...behind.map(({ component, bytes }) =>
    sample('tillwatch_journal_behind_bytes', bytes, { component }),
  ),
  ...output.flatMap(({ component, dropped }) => [
    ...Object.entries(dropped).map(([reason, count]) =>
      sample('tillwatch_journal_dropped_bytes_total', count, { component, reason }),
    ),
  ]),
  ...(writtenBytes === undefined
    ? []
    : [sample('tillwatch_agent_written_bytes_total', writtenBytes)]),
];
