// The last lines of an incident, which the broker asks for by itself.

import { describe, expect, it, onTestFinished } from 'vitest';
import { AUTOMATIC_DEFAULT } from '../../broker/config-logs.ts';
import { AFTER_MS, INCIDENT_BYTES, openAutomatic } from '../../broker/logs/automatic.ts';
import { happened, quiet, START_MS } from './fleet-rig.ts';
import { inventory, LOGS_KEPT, open } from './http-rig.ts';

const opened = (incident: string, component = 'sale', timeMs = START_MS) =>
  happened(timeMs, {
    kind: 'incident_opened',
    component,
    fields: { incident, cause: 'crash', reason: 'gone', version: '2.4.1' },
  });

async function begin(settings = AUTOMATIC_DEFAULT) {
  const rig = await open();
  const { fleet, logs, metrics, time } = rig;
  // A day goes by without every tick in it.
  let laterMs = 0;
  const clock = { wallMs: () => time.clock.wallMs() + laterMs };
  const parts = { settings, fleet, logs, clock, timers: time.timers, metrics, log: quiet };
  const start = () => openAutomatic(parts);
  const automatic = start();
  fleet.attachBy(automatic.requestOf);
  onTestFinished(automatic.stop);
  rig.terminals.events('lane-1', inventory);
  fleet.drain();
  const count = async (result: string): Promise<number> => {
    const { values } = (await metrics.registry
      .getSingleMetric('tillwatch_log_automatic_total')
      ?.get()) ?? { values: [] };
    return values.find(({ labels }) => labels['result'] === result)?.value ?? 0;
  };
  return {
    ...rig,
    start,
    count,
    nextDay: () => {
      laterMs += 86_400_000;
    },
    tell: (...events: Parameters<typeof rig.terminals.events>[1][]) => {
      rig.terminals.events('lane-1', ...events);
      fleet.drain();
    },
    incidents: () => logs.list({ what: 'incident' }),
  };
}

describe('an incident of a component', () => {
  it('gets its last lines asked for, once what follows it can be in them', async () => {
    const { tell, incidents, time, audit, count } = await begin();
    tell(opened('i-1'));
    time.pass(AFTER_MS);
    expect(incidents()).toEqual([]);
    time.pass(3_000);
    expect(incidents()).toMatchObject([
      {
        ...{ what: 'incident', incident: 'i-1', operator: 'tillwatch', components: ['sale'] },
        ...{ sinceMs: START_MS - 60_000, untilMs: START_MS + 15_000, bytesMax: INCIDENT_BYTES },
        reason: 'incident i-1: crash',
      },
    ]);
    expect(await count('asked')).toBe(1);
    expect(audit.list(1)).toMatchObject([
      { operator: 'tillwatch', action: 'command.logs.create', subject: 'lane-1' },
    ]);
  });

  it('names the request where it is shown', async () => {
    const { tell, incidents, time, get } = await begin();
    tell(opened('i-1'));
    const shown = async () => [
      (await get('/api/v1/terminals/lane-1')).json().openIncidents[0].logs,
      (await get('/api/v1/events?kind=incident_opened')).json().events[0].logs,
    ];
    expect(await shown()).toEqual([undefined, undefined]);
    time.pass(20_000);
    const id = incidents()[0]?.id;
    expect(await shown()).toEqual([id, id]);
  });

  it('is asked for once, whatever comes again and however often the broker starts', async () => {
    const { tell, incidents, time, start } = await begin();
    tell(opened('i-1'));
    const again = start();
    onTestFinished(again.stop);
    time.pass(20_000);
    tell(opened('i-1', 'sale', START_MS + 9_000));
    time.pass(60_000);
    expect(incidents()).toHaveLength(1);
  });

  it('of a drill, or of nothing that has a name, is left alone', async () => {
    const { tell, incidents, time } = await begin();
    tell(opened('i-1', 'drill'));
    tell(opened('i-2', ''));
    tell(opened('i\n3'));
    time.pass(60_000);
    expect(incidents()).toEqual([]);
  });

  it('beyond the budget of a day is counted and not asked for, until a day has gone', async () => {
    const { tell, incidents, time, count, nextDay } = await begin({
      perDay: 2,
      bytesMax: 1024 ** 2,
    });
    for (const n of [1, 2, 3]) tell(opened(`i-${n}`));
    time.pass(20_000);
    expect([incidents().length, await count('over_budget')]).toEqual([2, 1]);
    nextDay();
    tell(opened('i-4', 'sale', START_MS + 86_400_000));
    time.pass(20_000);
    expect(incidents()).toHaveLength(3);
  });

  it('gets no more bytes than are left of the day', async () => {
    const { tell, incidents, time } = await begin({ perDay: 10, bytesMax: 100_000 });
    for (const n of [1, 2, 3]) tell(opened(`i-${n}`));
    time.pass(20_000);
    expect(incidents().map(({ bytesMax }) => bytesMax)).toEqual([100_000 - INCIDENT_BYTES, 65_536]);
  });

  it.each([
    { perDay: 0, bytesMax: 1 },
    { perDay: 1, bytesMax: 0 },
  ])('is not asked for where that is switched off: %j', async (settings) => {
    const { tell, incidents, time } = await begin(settings);
    tell(opened('i-1'));
    time.pass(60_000);
    expect(incidents()).toEqual([]);
  });

  it('never pushes out what somebody asked for', async () => {
    const { tell, incidents, time, post, logs } = await begin({ perDay: 999, bytesMax: 1e9 });
    const ask = { sinceMs: 1, untilMs: 2, reason: 'receipts are missing', expiresMs: 1_000 };
    await post('/api/v1/terminals/lane-1/logs', ask);
    time.pass(5_000);
    for (let n = 0; n < 3 * LOGS_KEPT; n += 1) tell(opened(`i-${n}`));
    time.pass(20_000);
    expect(incidents()).toHaveLength(LOGS_KEPT);
    expect(logs.list({ what: 'lines' })).toHaveLength(1);
  });

  it('of a terminal whose clock is a year ahead waits no longer', async () => {
    const { tell, incidents, time } = await begin();
    tell(opened('i-1', 'sale', START_MS + 365 * 86_400_000));
    time.pass(20_000);
    expect(incidents()).toHaveLength(1);
  });
});
