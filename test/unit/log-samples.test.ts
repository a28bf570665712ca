// What a terminal says of its components' records in its series.

import { describe, expect, it } from 'vitest';
import { logSamples } from '../../agent/telemetry/log-samples.ts';
import { catalogue, isMetricName } from '../../protocol/metrics.ts';

const counts = [
  { component: 'sale', level: 'error', version: '2.4.0', count: 7 },
  { component: 'sale', level: 'error', version: '2.4.1', count: 2 },
  { component: 'sale', level: 'none', version: '2.4.1', count: 9 },
  { component: 'sync', level: 'info', version: '1.0', count: 0 },
] as const;
const reading = { counts, kinds: 3, kindsDropped: 40 };
const running = [{ name: 'sale', version: '2.4.1' }];
const line = ({ name, labels, value }: ReturnType<typeof logSamples>[number]): string =>
  `${name} ${Object.values(labels).join(' ')} ${value}`;

describe('records that components print', () => {
  it('are counted by component, level and version, errors and warnings from the beginning', () => {
    expect(logSamples(reading, running).map(line)).toEqual([
      'pos_component_log_records_total sale error 2.4.0 7',
      'pos_component_log_records_total sale error 2.4.1 2',
      'pos_component_log_records_total sale none 2.4.1 9',
      'pos_component_log_records_total sale warn 2.4.1 0',
      'tillwatch_signatures  3',
      'tillwatch_signatures_dropped_total  40',
    ]);
  });

  it('carry the labels of the catalogue', () => {
    for (const { name, labels } of logSamples(reading, running)) {
      expect(isMetricName(name) && catalogue[name].labels).toEqual(Object.keys(labels));
    }
  });

  it('have no series where nobody reads them', () => {
    expect(logSamples(undefined, running)).toEqual([]);
  });
});
