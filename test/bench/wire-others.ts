// The same samples as others would send them, for `bench -- wire`: Prometheus remote write 1.0 (protobuf
// `WriteRequest`, snappy block format) and OTLP metrics (protobuf `ExportMetricsServiceRequest`, gzip level 6).
// Both by hand with the field numbers of their published schemas: prometheus/prompb/{remote,types}.proto
// and opentelemetry-proto 1.x. Both say whose the samples are in each series or once per request, as their
// senders do; ours does not have to, because the session says it.

import { gzipSync } from 'node:zlib';
import { compress } from '../../broker/sinks/snappy.ts';
import { encodeMetricBody, type Snapshot } from '../../protocol/metric-body.ts';
import { ByteWriter } from '../../protocol/metric-bytes.ts';
import { decodeMetricColumns, type SeriesColumn } from '../../protocol/metric-columns.ts';

const IDENTITY = ['store', 'berlin-mitte', 'terminal', 'bm-lane-1'] as const;
const NANOS_PER_MS = 1_000_000n;
const CUMULATIVE = 2;
const writer = new ByteWriter(1024 * 1024);

const columnsOf = (snapshots: readonly Snapshot[]) => {
  const columns = decodeMetricColumns(encodeMetricBody(snapshots));
  if (!columns.ok) throw new Error(columns.reason);
  return columns.value;
};

function field(tag: number, text: string): void {
  writer.varint(tag);
  writer.text(text);
}

/** TimeSeries.labels = 1 { name = 1, value = 2 }, sorted by name as the specification asks. */
function promLabels({ name, labels }: SeriesColumn): void {
  const pairs: [string, string][] = [['__name__', name]];
  for (const flat of [labels, IDENTITY]) {
    for (let i = 0; i < flat.length; i += 2) pairs.push([flat[i] ?? '', flat[i + 1] ?? '']);
  }
  pairs.sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [label, value] of pairs) {
    writer.part(10, () => {
      field(10, label);
      field(18, value);
    });
  }
}

/** WriteRequest.timeseries = 1; Sample { value = 1 double, timestamp = 2 int64 ms }. */
export function remoteWriteRaw(snapshots: readonly Snapshot[]): Uint8Array {
  const { timesMs, series } = columnsOf(snapshots);
  writer.clear();
  for (const one of series) {
    writer.part(10, () => {
      promLabels(one);
      for (const [i, value] of one.values.entries()) {
        writer.part(18, () => {
          writer.varint(9);
          writer.double(value);
          writer.varint(16);
          writer.varint(timesMs[one.at?.[i] ?? i] ?? 0);
        });
      }
    });
  }
  return writer.bytes();
}

export const remoteWrite = (snapshots: readonly Snapshot[]): Uint8Array =>
  compress(remoteWriteRaw(snapshots));

/** KeyValue { key = 1, value = 2 AnyValue { string_value = 1 } }. */
function attribute(tag: number, key: string, value: string): void {
  writer.part(tag, () => {
    field(10, key);
    writer.part(18, () => field(10, value));
  });
}

const eight = new DataView(new ArrayBuffer(8));

/** fixed64: the double with the same eight bytes. */
function nanos(tag: number, ms: number): void {
  eight.setBigUint64(0, BigInt(ms) * NANOS_PER_MS);
  writer.varint(tag);
  writer.double(eight.getFloat64(0));
}

/** NumberDataPoint { attributes = 7, start_time = 2, time = 3, as_double = 4 }. */
function points(
  series: SeriesColumn,
  timesMs: readonly number[],
  startMs: number | undefined,
): void {
  for (const [i, value] of series.values.entries()) {
    writer.part(10, () => {
      if (startMs !== undefined) nanos(17, startMs);
      nanos(25, timesMs[series.at?.[i] ?? i] ?? 0);
      writer.varint(33);
      writer.double(value);
      for (let k = 0; k < series.labels.length; k += 2) {
        attribute(58, series.labels[k] ?? '', series.labels[k + 1] ?? '');
      }
    });
  }
}

/** Metric { name = 1, gauge = 5 { data_points = 1 }, sum = 7 { data_points = 1, temporality = 2, monotonic = 3 } }. */
function metric(name: string, group: readonly SeriesColumn[], timesMs: readonly number[]): void {
  const counts = /_(total|bucket|sum|count)$/.test(name);
  const startMs = counts ? timesMs[0] : undefined;
  writer.part(18, () => {
    field(10, name);
    writer.part(counts ? 58 : 42, () => {
      for (const series of group) points(series, timesMs, startMs);
      if (!counts) return;
      writer.varint(16);
      writer.varint(CUMULATIVE);
      writer.varint(24);
      writer.varint(1);
    });
  });
}

/** ResourceMetrics = 1 { resource = 1 { attributes = 1 }, scope_metrics = 2 { scope = 1, metrics = 2 } }. */
export function otlpRaw(snapshots: readonly Snapshot[]): Uint8Array {
  const { timesMs, series } = columnsOf(snapshots);
  const groups = Map.groupBy(series, ({ name }) => name);
  writer.clear();
  writer.part(10, () => {
    writer.part(10, () => {
      attribute(10, 'service.name', 'tillwatch-agent');
      for (let i = 0; i < IDENTITY.length; i += 2) {
        attribute(10, IDENTITY[i] ?? '', IDENTITY[i + 1] ?? '');
      }
    });
    writer.part(18, () => {
      writer.part(10, () => field(10, 'tillwatch'));
      for (const [name, group] of groups) metric(name, group, timesMs);
    });
  });
  return writer.bytes();
}

export const otlp = (snapshots: readonly Snapshot[]): Uint8Array =>
  gzipSync(otlpRaw(snapshots), { level: 6 });
