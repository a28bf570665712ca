// Reads what a row of the ledger, or a block of an hour, holds for the history. A batch that cannot be read is
// nothing here: the registry keeps it among the dead letters.

import { unpackBody } from '../../protocol/body.ts';
import { decodeMetricColumns, type MetricColumns } from '../../protocol/metric-columns.ts';
import { decodeBatch } from '../../protocol/wire.ts';
import { newestSampleMs } from '../ingest/newest-sample.ts';

export function readBatch(bytes: Uint8Array): MetricColumns | undefined {
  const batch = decodeBatch(bytes);
  if (!batch.ok || batch.value.stream !== 'metrics') return undefined;
  const body = unpackBody(batch.value);
  const columns = body.ok ? decodeMetricColumns(body.value) : undefined;
  return columns?.ok ? columns.value : undefined;
}

/** @returns the time of the newest sample; undefined when nothing can be read. */
export function newestIn(bytes: Uint8Array): number | undefined {
  const batch = decodeBatch(bytes);
  if (!batch.ok || batch.value.stream !== 'metrics') return undefined;
  return newestSampleMs(batch.value);
}
