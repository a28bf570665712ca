import { describe, expect, it } from 'vitest';
import * as limits from '../../protocol/limits.ts';
import { decodeMetricBody, encodeMetricBody } from '../../protocol/metric-body.ts';
import { decodeMetricColumns } from '../../protocol/metric-columns.ts';
import { encodeRaw } from '../../protocol/wire.ts';

const body = (series: readonly object[], timeDeltasMs = [1_000, 15_000]): Uint8Array =>
  encodeRaw('MetricBody', { timeDeltasMs, series });
const reason = (data: Uint8Array, options = {}): string => {
  const decoded = decodeMetricColumns(data, options);
  return decoded.ok ? '' : decoded.reason;
};

describe('the columns of a metric body', () => {
  it('hold each series once, with its labels sorted and its values beside the instants', () => {
    const data = encodeMetricBody([
      { timeMs: 5, samples: [{ name: 'pos_a', labels: { state: 'x', device: 'y' }, value: 3 }] },
      { timeMs: 20, samples: [{ name: 'pos_b', labels: {}, value: 0.1 }] },
      { timeMs: 35, samples: [{ name: 'pos_b', labels: {}, value: 7 }] },
    ]);
    const decoded = decodeMetricColumns(data);
    expect(decoded.ok && decoded.value.timesMs).toEqual([5, 20, 35]);
    expect(decoded.ok && decoded.value.series).toContainEqual({
      name: 'pos_a',
      labels: ['device', 'y', 'state', 'x'],
      at: [0],
      values: [3],
    });
    expect(decoded.ok && decoded.value.series).toContainEqual({
      name: 'pos_b',
      labels: [],
      at: [1, 2],
      values: [0.1, 7],
    });
  });

  it('say nothing of instants where a series has all of them', () => {
    const decoded = decodeMetricColumns(body([{ name: 'a', wholeDeltas: [4, 1] }]));
    expect(decoded).toEqual({
      ok: true,
      value: {
        timesMs: [1_000, 16_000],
        series: [{ name: 'a', labels: [], at: undefined, values: [4, 5] }],
      },
    });
  });

  it('give decimal fractions back as the doubles that they are', () => {
    const decoded = decodeMetricColumns(
      body([{ name: 'a', scaledDeltas: [137, -36], decimals: 3 }]),
    );
    expect(decoded.ok && decoded.value.series[0]?.values).toEqual([0.137, 0.101]);
  });

  it('may name a store and a terminal only where the broker wrote them itself', () => {
    const data = body([{ name: 'a', labels: ['terminal', 't'], wholeDeltas: [1, 0] }]);
    expect(reason(data)).toBe('series carries the label terminal');
    expect(reason(data, { ownLabels: true })).toBe('');
    expect(decodeMetricBody(data, { ownLabels: true })).toMatchObject({ ok: true });
  });

  it('sort the labels of a sender that does not', () => {
    const decoded = decodeMetricColumns(
      body([{ name: 'a', labels: ['b', '1', 'a', '2'], wholeDeltas: [1, 0] }]),
    );
    expect(decoded.ok && decoded.value.series[0]?.labels).toEqual(['a', '2', 'b', '1']);
  });

  it('are refused with a sentence for everything that no agent says', () => {
    const good = { name: 'a', wholeDeltas: [1, 1] };
    const many = (count: number): string[] => Array.from({ length: count * 2 }, (_, i) => `l${i}`);
    const broken: [object, string][] = [
      [{ ...good, name: '' }, 'series has an invalid name'],
      [{ ...good, name: '9' }, 'series has an invalid name'],
      [{ ...good, name: 'a'.repeat(limits.NAME_CHARS_MAX + 1) }, 'series has an invalid name'],
      [{ ...good, labels: ['a'] }, 'series has a label without a value'],
      [{ ...good, labels: ['a-b', 'x'] }, 'series has an invalid label name'],
      [{ ...good, labels: ['a', 'x', 'a', 'y'] }, 'series has a label twice'],
      [{ ...good, labels: ['a', 'x'.repeat(257)] }, 'series has a label that is too long'],
      [{ ...good, labels: many(limits.LABELS_PER_SERIES_MAX + 1) }, 'series has too many labels'],
      [{ ...good, values: [1, 2] }, 'series has two kinds of values'],
      [{ ...good, scaledDeltas: [1, 2] }, 'series has two kinds of values'],
      [{ ...good, wholeDeltas: [1] }, 'series has more or fewer values than instants'],
      [{ ...good, at: [0] }, 'series has more or fewer values than instants'],
      [{ ...good, at: [0, 2] }, 'series has a value at an instant that does not exist'],
      [{ ...good, at: [1, 1] }, 'series has two values at one instant'],
      [{ ...good, at: [1, 0] }, 'series has two values at one instant'],
      [{ ...good, wholeDeltas: [2 ** 53, 2 ** 53] }, 'series has a number that is too large'],
      [{ name: 'a', scaledDeltas: [1, 1], decimals: 16 }, 'series has too many decimals'],
    ];
    for (const [series, sentence] of broken) expect(reason(body([series]))).toBe(sentence);
    const endless = Array.from({ length: limits.INSTANTS_PER_BODY_MAX + 1 }, () => 1);
    expect(reason(body([], endless))).toBe('body has too many instants');
    expect(reason(body([], [-1]))).toBe('body has an instant that is no time');
    expect(reason(body(Array.from({ length: 2_001 }, () => good)))).toBe(
      'body has too many series',
    );
    const times = Array.from({ length: 1_000 }, () => 1);
    const full = Array.from({ length: 201 }, () => ({ name: 'a', wholeDeltas: times }));
    expect(reason(body(full, times))).toBe('body has too many samples');
  });
});
