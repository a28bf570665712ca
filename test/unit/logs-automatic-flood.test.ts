// One terminal that tells of more incidents than anybody reads does not make the others wait for theirs.

import { expect, it, onTestFinished } from 'vitest';
import { AUTOMATIC_DEFAULT } from '../../broker/config-logs.ts';
import { openAutomatic } from '../../broker/logs/automatic.ts';
import { happened, quiet, START_MS } from './fleet-rig.ts';
import { inventory, open } from './http-rig.ts';

const SETTINGS = { ...AUTOMATIC_DEFAULT, perDay: 5 };

const opened = (incident: string) =>
  happened(START_MS, {
    kind: 'incident_opened',
    component: 'sale',
    fields: { incident, cause: 'crash', reason: 'gone', version: '2.4.1' },
  });

it('is asked for no more than a day of its own, and the next one gets its turn', async () => {
  const { fleet, logs, metrics, time, terminals } = await open();
  const parts = { fleet, logs, metrics, ...time, log: quiet, settings: SETTINGS };
  onTestFinished(openAutomatic(parts).stop);
  for (const id of ['lane-1', 'lane-2']) terminals.events(id, inventory);
  for (let n = 0; n < 10; n += 1) {
    terminals.events('lane-1', ...Array.from({ length: 50 }, (_, at) => opened(`i-${n}-${at}`)));
  }
  fleet.drain();
  terminals.events('lane-2', opened('i-1'));
  fleet.drain();
  time.pass(20_000);
  const asked = logs.list({ what: 'incident', limit: 1_000 });
  expect(asked.filter(({ terminal }) => terminal === 'lane-2')).toHaveLength(1);
  expect(asked.filter(({ terminal }) => terminal === 'lane-1')).toHaveLength(SETTINGS.perDay);
  const counted = await metrics.registry.getSingleMetric('tillwatch_log_automatic_total')?.get();
  const over = counted?.values.find(({ labels }) => labels['result'] === 'over_budget');
  expect(over?.value).toBe(500 - SETTINGS.perDay);
});
