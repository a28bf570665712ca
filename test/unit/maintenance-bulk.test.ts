// A recurring window as the bulk action that it becomes: started by the broker itself in several stores, carried on though
// the broker is no operator, half of a store at a time, and never at a till that is in maintenance by now.

import { expect, it } from 'vitest';
import { openBulks } from '../../broker/bulk/desk.ts';
import { type MaintenanceOptions, openMaintenances } from '../../broker/maintenance/room.ts';
import { happened, quiet, START_MS } from './fleet-rig.ts';
import { BULK, open } from './http-rig.ts';

const MINUTE = 60_000;
const ADA = { name: 'ada', role: 'admin' } as const;
const TILLS = { 'lane-1': 's-1', 'lane-2': 's-1', 'lane-3': 's-2', 'lane-4': 's-2' };

it('runs in the name of the broker, spares half of a store and whoever is in maintenance', async () => {
  const terminals = Object.entries(TILLS).map(([id, store]) => ({ id, store }));
  const back = await open({ terminals } as never);
  const { fleet, commands, audit, metrics, notices, time } = back;
  for (const { id } of terminals) {
    fleet.sessionOpened(id, { address: '', openedMs: START_MS });
    const components = [{ name: 'sale', version: '1' }];
    const fields = { agent: '1', os: 'Linux', hostname: id, timeZone: 'UTC', components };
    back.terminals.events(id, happened(START_MS, { kind: 'inventory', component: '', fields }));
  }
  fleet.drain();
  const shared = { fleet, commands, audit, metrics, log: quiet, ...time };
  const bulks = openBulks({
    ...{ ...shared, notices, settings: { ...BULK, firstWave: 10 } },
    // Nobody is an operator: what the broker does by itself goes on all the same.
    ...{ stateOf: () => 'enrolled' as const, roleOf: () => undefined },
    inMaintenance: (terminal) => room.inMaintenance.ofTerminal(terminal),
  });
  const room = openMaintenances({
    ...{ ...shared, bulks },
    stores: {
      ...{ zoneOf: () => undefined, regionOf: () => undefined, file: () => undefined },
      ...{ files: () => [], leaveOutBy: () => undefined },
    },
  } as MaintenanceOptions);
  const begin = new Date(time.clock.wallMs() + 2 * MINUTE);
  const at = `daily ${begin.toISOString().slice(11, 16)}`;
  const window = { name: 'nightly', where: { all: true }, at, forMs: 60 * MINUTE } as const;
  const added = room.windows.add({ ...window, action: 'reboot', reason: 'patches', actor: ADA });
  expect(added).toMatchObject({ ok: true, window: { stores: 2 } });
  time.pass(3 * MINUTE);
  const [bulk] = bulks.list(5);
  expect(bulk).toMatchObject({ kind: 'reboot', state: 'running', startedBy: 'broker', count: 4 });
  const open_ = () => commands.list({ limit: 50 }).filter(({ kind }) => kind === 'reboot');
  // One of each store, and the second one of s-1 is worked on from now on.
  expect(
    open_()
      .map(({ terminal }) => TILLS[terminal as keyof typeof TILLS])
      .sort(),
  ).toEqual([...['s-1', 's-2']]);
  const first = open_().find(({ terminal }) => terminal.match(/[12]$/))?.terminal;
  const other = first === 'lane-1' ? 'lane-2' : 'lane-1';
  const wish = {
    scope: 'terminal',
    subject: other,
    forMs: 20 * MINUTE,
    reason: 'scanner',
  } as const;
  expect(room.start({ ...wish, actor: ADA }).ok).toBe(true);
  for (const { id, terminal } of open_()) {
    const result = { commandId: id, state: 'succeeded', reason: '', atMs: time.clock.wallMs() };
    back.terminals.results(terminal, result as never);
  }
  fleet.drain();
  time.pass(5_000);
  expect(open_().map(({ terminal }) => terminal)).not.toContain(other);
  expect(open_()).toHaveLength(3);
  room.close();
  bulks.close();
});
