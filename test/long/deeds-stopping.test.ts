// What operators do to components of a real terminal: a stop that lasts until somebody starts it, and all of them
// restarted, in order and not under an open sale. The till is the reference terminal; commands are signed as a broker signs them.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../real/agent-rig.ts';
import type { DeedsRig } from './deeds-rig.ts';
import { openSaleAt, openSelling } from './deeds-sale.ts';

let rig: DeedsRig;
beforeEach(async () => {
  rig = await openSelling();
});
afterEach(() => rig.close());

const openSale = () => openSaleAt(rig);
const voidSale = () => rig.terminal.ask('sale', 'POST', '/basket/void');
const pidOf = (name: string): number | undefined => rig.till.copies(name)[0];
const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));

const stop = (component: string, force = false) =>
  ({ kind: 'stop', arguments: { component, force } }) as const;
const start = (component: string) => ({ kind: 'start', arguments: { component } }) as const;
const restartAll = (force = false) => ({ kind: 'restart_all', arguments: { force } }) as const;

describe('an operator', () => {
  it('stops a component, and neither the watchdog nor another agent brings it back', async () => {
    expect(await rig.obeyed(stop('hardware'))).toMatchObject({
      ...{ state: 'succeeded', reason: 'it is stopped and stays so' },
    });
    expect(rig.till.copies('hardware')).toEqual([]);
    await rig.killAgent();
    rig.startAgent();
    await rig.connected(2);
    await pause(2_000);
    expect(rig.till.copies('hardware')).toEqual([]);
    expect(pidOf('sale')).toBeDefined();
    const why = 'kim has stopped it, until somebody starts it: a test';
    const told = rig.events().filter(({ fields }) => fields['reason'] === why);
    expect(told).toMatchObject([
      { component: 'hardware', fields: { to: 'stopped', cause: 'operator' } },
      { component: 'hardware', fields: { to: 'stopped', cause: 'operator' } },
    ]);
    const seen = await rig.status('hardware');
    expect(seen).toMatchObject({ state: 'stopped', reason: why, stopped: { by: 'kim' } });
    expect(await rig.obeyed(start('hardware'))).toMatchObject({
      ...{ state: 'succeeded', reason: 'it is ready' },
    });
    expect(rig.till.copies('hardware')).toHaveLength(1);
  });

  it('has all restarted in order, and nobody while a sale is open', async () => {
    const before = [pidOf('hardware'), pidOf('sale')];
    // Right after its start the agent believes nobody to be idle.
    await openSale();
    const id = rig.send(restartAll());
    await pause(6_000);
    expect([pidOf('hardware'), pidOf('sale')]).toEqual(before);
    await voidSale();
    const ended = await until('all are restarted', () => rig.ended(id));
    expect(ended).toMatchObject({ state: 'succeeded' });
    expect(ended.reason).toContain('in order, and are ready');
    const begun = rig.till.log().filter(({ to }) => to === 'stopping' || to === 'ready');
    expect(begun.slice(-4).map(({ component, to }) => `${component} ${to}`)).toEqual([
      ...['sale stopping', 'hardware stopping', 'hardware ready', 'sale ready'],
    ]);
    expect(pidOf('sale')).not.toBe(before[1]);
  });
});
