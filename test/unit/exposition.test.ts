import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseExposition, readNumber, SERIES_MAX } from '../../agent/telemetry/exposition.ts';
import { outwardName, shares, withinBudget } from '../../agent/telemetry/series.ts';
import * as limits from '../../protocol/limits.ts';
import { decodeMetricBody, encodeMetricBody } from '../../protocol/metric-body.ts';

const one = (line: string) => {
  const { samples, garbageLines } = parseExposition(line);
  return garbageLines > 0 ? undefined : samples[0];
};

describe('the text format', () => {
  test('the example of its own documentation is read whole', () => {
    // prometheus.io/docs/instrumenting/exposition_formats, "Text format example".
    const text = `# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363000

# Escaping in label values:
msdos_file_access_time_seconds{path="C:\\\\DIR\\\\FILE.TXT",error="Cannot find file:\\n\\"FILE.TXT\\""} 1.458255915e9

# Minimalistic line:
metric_without_timestamp_and_labels 12.47

# A weird metric from before the epoch:
something_weird{problem="division by zero"} +Inf -3982045

# A histogram, which has a pretty complex representation in the text format:
# HELP http_request_duration_seconds A histogram of the request duration.
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le="0.05"} 24054
http_request_duration_seconds_bucket{le="+Inf"} 144320
http_request_duration_seconds_sum 53423
http_request_duration_seconds_count 144320

# Finally a summary, which has a complex representation, too:
rpc_duration_seconds{quantile="0.99"} 76656
rpc_duration_seconds_sum 1.7560473e+07
`;
    const { samples, garbageLines } = parseExposition(text);
    expect(garbageLines).toBe(0);
    expect(samples).toHaveLength(11);
    expect(samples[2]).toEqual({
      name: 'msdos_file_access_time_seconds',
      labels: { path: 'C:\\DIR\\FILE.TXT', error: 'Cannot find file:\n"FILE.TXT"' },
      value: 1.458255915e9,
    });
    expect(samples[4]?.value).toBe(Infinity);
    expect(samples[6]?.labels).toEqual({ le: '+Inf' });
    expect(samples.at(-1)?.value).toBe(17_560_473);
  });

  test.each([
    ['a 1', 1],
    ['a\t2', 2],
    ['  a   3  ', 3],
    ['a{} 4', 4],
    ['a{}5', 5],
    ['a { b = "c" , } 6', 6],
    ['a{b="}"} 7', 7],
    ['a -Inf', -Infinity],
    ['a +inf', Infinity],
    ['a 1e3 17', 1000],
    ['a .5', 0.5],
    ['a 5.', 5],
    ['a 8\r', 8],
  ])('%j has the value %d', (line, value) => {
    expect(one(line)?.value).toBe(value);
  });

  test.each([
    'a',
    'a ',
    '1a 1',
    'a-b 1',
    'a{b="c" 1',
    'a{b="c} 1',
    'a{b=c} 1',
    'a{b="c",b="d"} 1',
    'a{"b"="c"} 1',
    'a{b="c"d="e"} 1',
    'a 1 2 3',
    'a 0x10',
    'a 1_000',
    'a one',
    'a 1 1.5',
    '{b="c"} 1',
    'a{,} 1',
    'a\u00a01',
  ])('%j is garbage, counted and otherwise ignored', (line) => {
    expect(parseExposition(`x 1\n${line}\ny 2`)).toMatchObject({
      samples: [
        { name: 'x', labels: {}, value: 1 },
        { name: 'y', labels: {}, value: 2 },
      ],
      garbageLines: 1,
    });
  });

  test('NaN is a value', () => {
    expect(one('a NaN')?.value).toBeNaN();
    expect(readNumber('-NaN')).toBeNaN();
  });

  test('a label may have any name that objects have', () => {
    expect(one('a{constructor="1",toString="2"} 1')?.labels).toEqual({
      constructor: '1',
      toString: '2',
    });
  });

  test('endless series end at a limit', () => {
    const text = Array.from({ length: SERIES_MAX + 5 }, (_, i) => `a{i="${i}"} 1`).join('\n');
    const { samples, garbageLines } = parseExposition(text);
    expect([samples.length, garbageLines]).toEqual([SERIES_MAX, 5]);
  });

  test('whatever a component answers, nothing throws, and what was read can be sent', () => {
    const piece = fc.constantFrom(
      'a',
      '{',
      '}',
      '"',
      '\\',
      '=',
      ',',
      ' ',
      '\n',
      '1',
      'NaN',
      '#',
      'é',
    );
    const texts = fc.oneof(
      fc.string(),
      fc.array(piece).map((pieces) => pieces.join('')),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const { samples } = parseExposition(text);
        const budgeted = withinBudget([], [{ component: 'sale', samples }]);
        const body = encodeMetricBody([{ timeMs: 1, samples: budgeted.samples }]);
        expect(decodeMetricBody(body).ok).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('series that leave the terminal', () => {
  const series = (count: number, name = 'thing') =>
    Array.from({ length: count }, (_, i) => ({ name, labels: { i: String(i) }, value: i }));

  test.each([
    ['pos_lane_state', 'pos_lane_state'],
    ['pos_component_up', 'app_pos_component_up'],
    ['tillwatch_link_up', 'app_tillwatch_link_up'],
    ['tillwatch_ledger_commit_seconds_bucket', 'app_tillwatch_ledger_commit_seconds_bucket'],
    ['pos_lane_state_sum', 'app_pos_lane_state_sum'],
    ['nodejs_heap_bytes', 'app_nodejs_heap_bytes'],
    ['toString', 'app_toString'],
  ])('%s is called %s', (name, outward) => {
    expect(outwardName(name)).toBe(outward);
  });

  test('carry their component, and never a store or terminal of their own saying', () => {
    const labels = { store: 'x', terminal: 'y', component: 'z', state: 'open' };
    const samples = [{ name: 'pos_lane_state', labels, value: 1 }];
    expect(withinBudget([], [{ component: 'sale', samples }]).samples).toEqual([
      {
        name: 'pos_lane_state',
        labels: { component: 'sale', exported_component: 'z', state: 'open' },
        value: 1,
      },
    ]);
  });

  test('two that become one are sent once', () => {
    const samples = ['a', 'b'].map((store) => ({ name: 'x', labels: { store }, value: 1 }));
    const { samples: kept, dropped } = withinBudget([], [{ component: 'sale', samples }]);
    expect(kept).toHaveLength(1);
    expect(dropped.get('sale')).toEqual(['app_x']);
  });

  test('too long names and labels and too many labels are left out', () => {
    const many = Object.fromEntries(Array.from({ length: 13 }, (_, i) => [`l${i}`, 'v']));
    const samples = [
      { name: 'n'.repeat(limits.NAME_CHARS_MAX), labels: {}, value: 1 },
      { name: 'long_label', labels: { a: 'x'.repeat(limits.LABEL_CHARS_MAX + 1) }, value: 1 },
      { name: 'many', labels: many, value: 1 },
      { name: 'fine', labels: {}, value: 1 },
    ];
    const { samples: kept, dropped } = withinBudget([], [{ component: 'sale', samples }]);
    expect(kept.map((sample) => sample.name)).toEqual(['app_fine']);
    expect(dropped.get('sale')).toHaveLength(3);
  });

  test('share the budget: a chatty component cannot silence a quiet one, nor the agent', () => {
    const own = series(70, 'own');
    const lane = { name: 'pos_basket_open', labels: {}, value: 1 };
    const { samples, dropped } = withinBudget(own, [
      { component: 'chatty', samples: [...series(500), lane] },
      { component: 'quiet', samples: series(5) },
      { component: 'middling', samples: series(60) },
    ]);
    const of = (component: string) =>
      samples.filter((sample) => sample.labels['component'] === component);
    expect(samples).toHaveLength(limits.SERIES_PER_TERMINAL_MAX);
    expect(['quiet', 'middling', 'chatty'].map((name) => of(name).length)).toEqual([5, 37, 38]);
    expect(of('chatty')[0]?.name).toBe('pos_basket_open');
    expect(dropped.get('chatty')).toHaveLength(463);
    expect(dropped.has('quiet')).toBe(false);
  });

  test('shares never exceed the total nor a wish', () => {
    const wishes = fc.array(fc.nat(300), { maxLength: 12 });
    fc.assert(
      fc.property(wishes, fc.nat(200), (wanted, total) => {
        const granted = shares(wanted, total);
        const sum = granted.reduce((a, b) => a + b, 0);
        expect(sum).toBeLessThanOrEqual(total);
        granted.forEach((grant, i) => {
          expect(grant).toBeLessThanOrEqual(wanted[i] ?? 0);
        });
        const asked = wanted.reduce((a, b) => a + b, 0);
        if (asked >= total) expect(sum).toBeGreaterThan(total - Math.max(1, wanted.length));
      }),
    );
  });
});
