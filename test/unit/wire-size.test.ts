// What `npm run bench -- wire` measures over a day, over an hour: sizes do not depend on the machine, so that a
// change that costs every line something fails here.

import { gunzipSync } from 'node:zlib';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { uncompress } from '../../broker/sinks/snappy.ts';
import { packBody } from '../../protocol/body.ts';
import { encodeMetricBody } from '../../protocol/metric-body.ts';
import { otlp, remoteWrite } from '../bench/wire-others.ts';
import { inBatches, TILL_SERIES, tillSnapshots } from '../bench/wire-till.ts';

const hour = [...tillSnapshots({ seed: 3, count: 240 })];
const packed = (size: number): number =>
  inBatches(hour, size).reduce(
    (sum, batch) => sum + packBody(encodeMetricBody(batch)).body.length,
    0,
  );
const samples = hour.reduce((sum, snapshot) => sum + snapshot.samples.length, 0);

describe('the till of the benchmarks', () => {
  it('has a hundred series, each once, and the same day for the same seed', () => {
    const names = hour.at(-1)?.samples.map(({ name, labels }) => name + JSON.stringify(labels));
    // Nothing was sold at night: it cannot say when the last sale was.
    expect(names?.length).toBe(TILL_SERIES - 1);
    expect(new Set(names).size).toBe(TILL_SERIES - 1);
    expect([...tillSnapshots({ seed: 3, count: 3 })]).toEqual(hour.slice(0, 3));
    expect([...tillSnapshots({ seed: 4, count: 3 })]).not.toEqual(hour.slice(0, 3));
  });

  it('sends a minute in 800 bytes, and ten minutes in less than a byte a sample', () => {
    expect(packed(4) / 60).toBeLessThan(800);
    expect(packed(40) / samples).toBeLessThan(0.9);
  });
});

describe('what it is held against', () => {
  const type = (fields: string): protobuf.Type =>
    protobuf.parse(`syntax = "proto3"; ${fields}`).root.lookupType('Top');

  it('is remote write as Prometheus reads it', () => {
    const schema = type(`
      message Label { string name = 1; string value = 2; }
      message Sample { double value = 1; int64 timestamp = 2; }
      message Series { repeated Label labels = 1; repeated Sample samples = 2; }
      message Top { repeated Series timeseries = 1; }`);
    const batch = hour.slice(0, 4);
    const read = schema.toObject(schema.decode(uncompress(remoteWrite(batch))), { longs: Number });
    expect(read['timeseries'].length).toBe(TILL_SERIES - 1);
    const up = read['timeseries'].find(({ labels }: { labels: { value: string }[] }) =>
      labels.some(({ value }) => value === 'pos_uplink_up'),
    );
    expect(up).toEqual({
      labels: [
        { name: '__name__', value: 'pos_uplink_up' },
        { name: 'component', value: 'sync' },
        { name: 'store', value: 'berlin-mitte' },
        { name: 'terminal', value: 'bm-lane-1' },
      ],
      samples: batch.map(({ timeMs }) => ({ value: 1, timestamp: timeMs })),
    });
  });

  it('is OTLP as a collector reads it', () => {
    const schema = type(`
      message Any { string text = 1; }
      message Pair { string key = 1; Any value = 2; }
      message Point { fixed64 start = 2; fixed64 time = 3; double value = 4; repeated Pair attributes = 7; }
      message Gauge { repeated Point points = 1; }
      message Sum { repeated Point points = 1; int32 temporality = 2; bool monotonic = 3; }
      message Metric { string name = 1; Gauge gauge = 5; Sum sum = 7; }
      message Scope { string name = 1; }
      message Scopes { Scope scope = 1; repeated Metric metrics = 2; }
      message Resource { repeated Pair attributes = 1; }
      message Resources { Resource resource = 1; repeated Scopes scopes = 2; }
      message Top { repeated Resources resources = 1; }`);
    const batch = hour.slice(0, 2);
    const read = schema.toObject(schema.decode(gunzipSync(otlp(batch))), { longs: String });
    const { metrics } = read['resources'][0].scopes[0];
    const points = metrics.flatMap((one: { gauge?: object; sum?: object }) =>
      Reflect.get(one.gauge ?? one.sum ?? {}, 'points'),
    );
    expect(points.length).toBe((TILL_SERIES - 1) * 2);
    const up = metrics.find(({ name }: { name: string }) => name === 'pos_uplink_up');
    expect(up.gauge.points[1]).toEqual({
      time: `${batch[1]?.timeMs}000000`,
      value: 1,
      attributes: [{ key: 'component', value: { text: 'sync' } }],
    });
    const sold = metrics.find(({ name }: { name: string }) => name === 'pos_transactions_total');
    expect(sold.sum).toMatchObject({ temporality: 2, monotonic: true });
  });
});
