import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { OWN } from '../../broker/ledger.ts';
import type { LedgerRow } from '../../broker/ledger-reader.ts';
import { createBudget } from '../../broker/sinks/budget.ts';
import { createGrave, type Part, requestsOf } from '../../broker/sinks/parts.ts';
import { uncompress } from '../../broker/sinks/snappy.ts';
import { createTemplates } from '../../broker/sinks/templates.ts';
import { createEncoder } from '../../broker/sinks/write-request.ts';
import { packBody } from '../../protocol/body.ts';
import { encodeMetricBody, type Labels, type Snapshot } from '../../protocol/metric-body.ts';
import { EPOCH_HEX, makeBatch } from '../real/front-rig.ts';

/** The schema as prometheus/prometheus prompb/remote.proto and types.proto have it, read by another codec. */
const schema = protobuf.parse(`
  syntax = "proto3";
  message WriteRequest { repeated TimeSeries timeseries = 1; }
  message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; }
  message Label { string name = 1; string value = 2; }
  message Sample { double value = 1; int64 timestamp = 2; }
`).root;
type Decoded = {
  timeseries: {
    labels: { name: string; value: string }[];
    samples: { value: number; timestamp: number }[];
  }[];
};
function read(bytes: Uint8Array): Decoded {
  const type = schema.lookupType('WriteRequest');
  return type.toObject(type.decode(uncompress(bytes)), {
    longs: Number,
    defaults: true,
  }) as Decoded;
}

const NOW_MS = 1_790_000_000_000;
const row = (id: number, snapshots: readonly Snapshot[], terminal = 'lane-1'): LedgerRow => ({
  id,
  terminal,
  epoch: EPOCH_HEX,
  stream: 'metrics',
  seq: id,
  receivedMs: NOW_MS,
  bytes: makeBatch(id, { stream: 'metrics', ...packBody(encodeMetricBody(snapshots)) }),
});
const at = (timeMs: number, value = 1, name = 'pos_a', labels: Labels = {}): Snapshot => ({
  timeMs,
  samples: [{ name, labels, value }],
});

function rig({ samplesMax = 1_000, seriesMax = 300 } = {}) {
  let nowMs = 0;
  const grave = createGrave();
  const budget = createBudget(seriesMax, () => nowMs, 1_000);
  const options = {
    templates: createTemplates(),
    budget,
    storeOf: (terminal: string) => (terminal === 'lane-1' ? 'store-1' : 'unassigned'),
    nowMs: () => NOW_MS,
    samplesMax,
  };
  return {
    budget,
    grave,
    later: (ms: number) => {
      nowMs += ms;
    },
    requests: (...rows: LedgerRow[]): Part[][] =>
      [...requestsOf(rows, options, grave.bury)].map((parts) => [...parts]),
  };
}
const encode = (parts: readonly Part[]): Decoded => read(createEncoder().encode(parts));

describe('a request', () => {
  it('is what another codec reads: labels sorted, times and values exactly as they were taken', () => {
    const { requests } = rig();
    const labels = { zone: 'z', component: 'sale', tag: 'Kö\u00e9', Upper: 'u', state: 'on' };
    const values = [0, -0, 0.1, -1e300, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY];
    const snapshots = values.map((value, i) => at(NOW_MS + i, value, 'pos_a', labels));
    const [parts = []] = requests(row(1, snapshots));
    const { timeseries } = encode(parts);
    expect(timeseries).toHaveLength(1);
    expect(timeseries[0]?.labels.map(({ name, value }) => `${name}=${value}`)).toEqual([
      'Upper=u',
      '__name__=pos_a',
      'component=sale',
      'state=on',
      'store=store-1',
      'tag=Kö\u00e9',
      'terminal=lane-1',
      'zone=z',
    ]);
    expect(timeseries[0]?.samples.map(({ value }) => value)).toEqual(values);
    expect(timeseries[0]?.samples.map(({ timestamp }) => timestamp)).toEqual(
      values.map((_, i) => NOW_MS + i),
    );
  });

  it('has the same bytes for the same rows, also from a time of another length', () => {
    const one = rig().requests(row(1, [at(0), at(5), at(127), at(128), at(2 ** 35), at(NOW_MS)]));
    const two = rig().requests(row(1, [at(0), at(5), at(127), at(128), at(2 ** 35), at(NOW_MS)]));
    expect(createEncoder().encode(one[0] ?? [])).toEqual(createEncoder().encode(two[0] ?? []));
    expect(encode(one[0] ?? []).timeseries[0]?.samples.map(({ timestamp }) => timestamp)).toEqual([
      0,
      5,
      127,
      128,
      2 ** 35,
      NOW_MS,
    ]);
  });

  it('holds a series once, ascending, whatever the order of its rows', () => {
    const { requests } = rig();
    const [parts = []] = requests(
      row(1, [at(3_000, 3), at(4_000, 4)]),
      row(2, [at(1_000, 1), at(2_000, 2)]),
      row(3, [at(2_000, 2)]),
    );
    expect(parts.map(({ timesMs, values }) => [timesMs, values])).toEqual([
      [
        [1_000, 2_000, 3_000, 4_000],
        [1, 2, 3, 4],
      ],
    ]);
  });

  it('keeps the first of two values at one instant, at each try', () => {
    const { requests, grave } = rig();
    const [parts = []] = requests(row(1, [at(1_000, 1)]), row(2, [at(1_000, 2)]));
    expect(parts[0]?.values).toEqual([1]);
    expect(grave.all()).toMatchObject([{ reason: 'duplicate', count: 1 }]);
  });

  it('is closed when it is full, and no sample is lost between two', () => {
    const { requests } = rig({ samplesMax: 100 });
    const rows = Array.from({ length: 50 }, (_, i) =>
      row(
        i + 1,
        Array.from({ length: 10 }, (_unused, k) => at(i * 10_000 + k * 1_000)),
      ),
    );
    const all = requests(...rows);
    expect(all.length).toBe(5);
    const times = all.flatMap((parts) => parts.flatMap(({ timesMs }) => timesMs));
    expect(new Set(times).size).toBe(500);
  });

  it('says whose a series is from what the broker knows, and for its own rows from their labels', () => {
    const { requests } = rig();
    const own = { store: 'store-9', terminal: 'lane-9', presence: 'online' };
    const [parts = []] = requests(
      row(1, [at(1)], 'lane-7'),
      row(2, [at(1, 1, 'pos_terminal_presence', own)], OWN),
    );
    const labels = encode(parts).timeseries.map((one) =>
      one.labels.map(({ name, value }) => `${name}=${value}`).join(),
    );
    expect(labels).toEqual([
      '__name__=pos_a,store=unassigned,terminal=lane-7',
      '__name__=pos_terminal_presence,presence=online,store=store-9,terminal=lane-9',
    ]);
  });

  it("has no label without a value, and no name that is the database's own", () => {
    const { requests, grave } = rig();
    const [parts = []] = requests(
      row(1, [
        at(1, 1, 'pos_a', { empty: '' }),
        at(2, 1, 'pos_b', { __name__: 'pos_terminal_up' }),
      ]),
    );
    expect(encode(parts).timeseries.map(({ labels }) => labels.length)).toEqual([3]);
    expect(grave.all()).toMatchObject([{ reason: 'invalid', count: 1, terminal: 'lane-1' }]);
  });
});

describe('what is not sent', () => {
  it('is the future, which would make a database refuse everybody', () => {
    const { requests, grave } = rig();
    const edge = NOW_MS + 300_000;
    const [parts = []] = requests(
      row(1, [at(NOW_MS, 1), at(edge, 2), at(edge + 1, 3), at(edge + 9, 4)]),
    );
    expect(parts[0]?.timesMs).toEqual([NOW_MS, edge]);
    expect(grave.all()).toMatchObject([{ reason: 'future', count: 2, terminal: 'lane-1' }]);
  });

  it('is what cannot be read, and it costs nothing else', () => {
    const { requests, grave } = rig();
    const broken = { ...row(1, []), bytes: new Uint8Array([1, 2, 3]) };
    const body = { ...row(2, []), bytes: makeBatch(2, { stream: 'metrics', encoding: 'gzip' }) };
    expect(requests(broken, body, row(3, [at(1)])).flat()).toHaveLength(1);
    expect(grave.all()).toMatchObject([{ reason: 'unreadable', count: 2 }]);
  });

  it("is a terminal's series over its budget; those that were there before go on", () => {
    const { requests, grave, budget } = rig({ seriesMax: 3 });
    const old = ['a', 'b', 'c'].map((x) => at(1, 1, 'pos_a', { x }));
    expect(requests(row(1, old)).flat()).toHaveLength(3);
    const bomb = Array.from({ length: 500 }, (_, i) => at(2 + i, 1, 'pos_a', { x: `bomb-${i}` }));
    expect(requests(row(2, [...bomb, ...old])).flat()).toHaveLength(3);
    expect(grave.all()).toMatchObject([{ reason: 'budget', count: 500, terminal: 'lane-1' }]);
    expect(budget.over()).toBe(500);
    expect(requests(row(3, bomb.slice(0, 3), 'lane-2')).flat()).toHaveLength(3);
  });

  it('is admitted again once others of the terminal no longer come', () => {
    const { requests, later } = rig({ seriesMax: 2 });
    const of = (x: string) => row(1, [at(1, 1, 'pos_a', { x })]);
    expect(requests(of('a'), of('b')).flat()).toHaveLength(2);
    expect(requests(of('c')).flat()).toHaveLength(0);
    later(1_000);
    expect(requests(of('a'), of('c')).flat()).toHaveLength(1);
    later(1_000);
    expect(requests(of('c'), of('a')).flat()).toHaveLength(2);
  });
});
