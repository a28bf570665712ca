import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseExposition } from '../../agent/telemetry/exposition.ts';
import { unitsOf } from '../../agent/telemetry/families.ts';
import { globMatches, judgeOf } from '../../agent/telemetry/rules.ts';
import { outwardOf } from '../../agent/telemetry/series.ts';
import { type AgentConfig, loadConfig } from '../../configuration/config.ts';
import type { MetricRules } from '../../configuration/metrics.ts';

const rules = (more: Partial<MetricRules>): MetricRules => ({
  ...{ keep: [], drop: [], rename: {} },
  ...more,
});
function outward(text: string, more: Partial<MetricRules> = {}) {
  const { samples, types } = parseExposition(text);
  const judge = judgeOf(rules(more));
  return outwardOf({ component: 'sale', samples, types, judge, version: '2.0' });
}
const names = ({ units }: ReturnType<typeof outward>) => [
  ...new Set(units.flatMap(({ samples }) => samples.map(({ name }) => name))),
];

describe('a pattern for names', () => {
  test.each([
    ['node_*', 'node_cpu', true],
    ['node_*', 'anode_cpu', false],
    ['*_total', 'a_total', true],
    ['*_total', 'a_total_b', false],
    ['a?c', 'abc', true],
    ['a?c', 'ac', false],
    ['*', '', true],
    ['*a*b*', 'xxaxxbxx', true],
    ['*a*b', 'xxaxxbxx', false],
    ['abc', 'abcd', false],
  ])('%s meets %s: %s', (glob, name, expected) => {
    expect(globMatches(glob, name)).toBe(expected);
  });

  test('means what the same pattern means as a regular expression', () => {
    const letters = (extra: string) =>
      fc.array(fc.constantFrom('a', 'b', ...extra), { maxLength: 8 }).map((all) => all.join(''));
    fc.assert(
      fc.property(letters('*?'), letters(''), (glob, name) => {
        const expression = glob.replaceAll('*', '.*').replaceAll('?', '.');
        expect(globMatches(glob, name)).toBe(new RegExp(`^${expression}$`).test(name));
      }),
    );
  });

  test('takes no time on purpose-made names', () => {
    expect(globMatches(`${'*a'.repeat(60)}b`, 'a'.repeat(128))).toBe(false);
  });
});

describe('what is sent of a component', () => {
  const text = 'pos_basket_open 1\nnode_cpu 1\nnode_mem 2\nheap 3\npos_component_up 1\n';

  test('without rules is everything, others under app_', () => {
    expect(names(outward(text))).toEqual([
      'pos_basket_open',
      'app_node_cpu',
      'app_node_mem',
      'app_heap',
      'app_pos_component_up',
    ]);
  });
  test('is what is to be kept, and always what the catalogue knows', () => {
    expect(names(outward(text, { keep: ['node_*'] }))).toEqual([
      'pos_basket_open',
      'app_node_cpu',
      'app_node_mem',
    ]);
  });
  test('is not what is to be dropped, whatever else is said of it', () => {
    const dropped = outward(text, { keep: ['node_*'], drop: ['*_cpu', 'pos_basket_*'] });
    expect(names(dropped)).toEqual(['app_node_mem']);
    expect(dropped.left).toEqual([]);
  });
  test('is renamed to what the catalogue knows, with the version that runs', () => {
    const rename = { sales: 'pos_transactions_total' };
    const sales = '# TYPE sales counter\nsales{result="completed"} 5\n';
    expect(outward(sales, { rename, keep: ['nothing'] }).units[0]?.samples).toEqual([
      {
        name: 'pos_transactions_total',
        labels: { component: 'sale', result: 'completed', version: '2.0' },
        value: 5,
      },
    ]);
  });
  test('is left out by name where it is renamed to what it is not', () => {
    const rename = { sales: 'pos_transactions_total' };
    const gauge = outward('# TYPE sales gauge\nsales{result="completed"} 5\n', { rename });
    expect(gauge.units).toEqual([]);
    expect(gauge.left[0]).toMatchObject({ name: 'sales', count: 1 });
    expect(gauge.left[0]?.reason).toContain('is a gauge and pos_transactions_total is a counter');
    for (const labels of ['', '{kind="a"}', '{result="a",kind="b"}']) {
      const other = outward(`sales${labels} 5\n`, { rename });
      expect(other.left[0]?.reason, labels).toContain('its labels are not those');
    }
  });
});

const histogram = (name: string, label = ''): string => {
  const inner = (le: string) => `{${label}${label && ','}le="${le}"}`;
  const outer = label && `{${label}}`;
  return `# TYPE ${name} histogram
${name}_bucket${inner('0.1')} 1
${name}_bucket${inner('1')} 2
${name}_bucket${inner('+Inf')} 3
${name}_sum${outer} 2.5
${name}_count${outer} 3
`;
};

describe('a histogram', () => {
  test('is one unit for each set of labels, told by its type or by its buckets', () => {
    const typed = histogram('t', 'a="x"') + histogram('t', 'a="y"');
    for (const text of [typed, typed.replaceAll(/^#.*\n/gm, '')]) {
      const { samples, types } = parseExposition(text);
      const { units, broken } = unitsOf(samples, types);
      expect(units.map(({ family, samples: parts }) => [family, parts.length])).toEqual([
        ['t', 5],
        ['t', 5],
      ]);
      expect(broken).toEqual([]);
    }
  });
  test('is judged by its own name and keeps the names of its parts', () => {
    expect(names(outward(histogram('t'), { keep: ['t'] }))).toEqual([
      'app_t_bucket',
      'app_t_sum',
      'app_t_count',
    ]);
    expect(names(outward(histogram('t'), { drop: ['t'] }))).toEqual([]);
    expect(names(outward(histogram('t'), { drop: ['t_bucket'] }))).toHaveLength(3);
  });
  test('without its last bucket is no histogram: nothing of it is sent', () => {
    const text = histogram('t').replace(/^.*Inf.*\n/m, '');
    const { units, left } = outward(text);
    expect(units).toEqual([]);
    expect(left.map(({ reason }) => reason)).toEqual(Array(4).fill('a histogram is not whole'));
  });
  test('of which one label is too long is left out whole', () => {
    expect(outward(histogram('t', `a="${'x'.repeat(300)}"`)).units).toEqual([]);
  });
  test('and a counter that only looks like its part are two things', () => {
    const text = `# TYPE t_count counter\nt_count 1\n# TYPE t gauge\nt 2\nrows_count 3\n`;
    expect(names(outward(text))).toEqual(['app_t_count', 'app_t', 'app_rows_count']);
  });
});

test('a summary is one unit with its quantiles', () => {
  const text = '# TYPE s summary\ns{quantile="0.5"} 1\ns{quantile="0.9"} 2\ns_sum 3\ns_count 4\n';
  expect(outward(text).units.map(({ samples }) => samples.length)).toEqual([4]);
});

test('card data in a label does not leave the terminal', () => {
  const text =
    'sales{card="4111111111111111",cvv="123",track=";4111111111111111=2512101",le="0.5"} 1';
  for (let sweep = 0; sweep < 2; sweep += 1) {
    const [unit] = outward(text).units;
    expect(JSON.stringify(unit)).not.toMatch(/411111111111|"123"|2512101/);
    expect(unit?.samples[0]?.labels).toMatchObject({ le: '0.5', component: 'sale' });
  }
});

describe('the configuration', () => {
  const load = (metrics: string) =>
    loadConfig(
      `terminal: lane-1\ndataDir: d\nrunDir: r\ncomponents:\n  - name: sale\n    command: [sale]\n${metrics}`,
      '/x',
    );
  const problems = (metrics: string): string[] => {
    const loaded = load(metrics);
    return loaded.ok ? [] : loaded.problems.map(({ path, sentence }) => `${path} ${sentence}`);
  };

  test('says nothing by itself', () => {
    const { config } = load('') as { config: AgentConfig };
    expect(config.components[0]?.metrics).toEqual(rules({}));
    expect(config.sampling.seriesMax).toBe(150);
  });
  test('takes rules as they are meant', () => {
    const text =
      '    metrics: { keep: [node_*], drop: ["*_created"], rename: { sales: pos_transactions_total } }\n' +
      '    counters: [{ name: offline_total, pattern: "offline (?P<code>\\\\d+)", labels: [code] }]\n';
    expect(problems(text)).toEqual([]);
  });
  test.each([
    ['metrics: { rename: { a: pos_component_up } }', 'must be a name of the catalogue'],
    ['metrics: { rename: { a: my_name } }', 'must be a name of the catalogue'],
    ['metrics: { rename: { "a b": pos_basket_open } }', 'is not a metric name'],
    ['metrics: { keep: ["a(b|c)"] }', 'must be a metric name in which * stands'],
    ['metrics: { keeps: [] }', 'is not a key that belongs here; known are: keep, drop, rename'],
    ['counters: [{ name: offline, pattern: x }]', 'must end with _total'],
    ['counters: [{ name: pos_component_restarts_total, pattern: x }]', 'only Tillwatch itself'],
    ['counters: [{ name: pos_transactions_total, pattern: x }]', 'wants exactly its own labels'],
    ['counters: [{ name: a_total, pattern: x, labels: [version] }]', 'put on by Tillwatch itself'],
    ['counters: [{ name: a_total, pattern: x }, { name: a_total, pattern: y }]', 'of its own'],
    ['counters: [{ name: a_total }]', 'is missing'],
  ])('%s: %s', (text, sentence) => {
    expect(problems(`    ${text}\n`).join('\n')).toContain(sentence);
  });
});
