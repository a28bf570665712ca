// What operators do to components of a real terminal: a restart, which no sale feels unless it is forced. The till is the reference terminal; commands are signed as a broker signs them.

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

const restart = (component: string, force = false) =>
  ({ kind: 'restart', arguments: { component, force } }) as const;

describe('an operator', () => {
  it('has a component restarted, but not under an open sale of one that needs it', async () => {
    const before = pidOf('hardware');
    await openSale();
    const id = rig.send(restart('hardware'));
    await pause(1_500);
    expect([pidOf('hardware'), rig.ended(id)]).toEqual([before, undefined]);
    await voidSale();
    expect(await until('it is restarted', () => rig.ended(id))).toMatchObject({
      ...{ state: 'succeeded', reason: 'ready again' },
    });
    expect(pidOf('hardware')).not.toBe(before);
  });

  it('who waits for a sale that does not end is told so when his command expires', async () => {
    const before = pidOf('sale');
    await openSale();
    const late = { expiresMs: Date.now() + 2_000 };
    const polite = await rig.obeyed(restart('sale'), late);
    expect(polite.state).toBe('failed');
    expect(polite.reason).toMatch(/^it expired: sale stayed busy for 0\.0 min/);
    expect(pidOf('sale')).toBe(before);
    const forced = await rig.obeyed(restart('sale', true));
    expect(forced).toMatchObject({
      state: 'succeeded',
      reason: 'ready again, by force, while sale was busy',
    });
    expect(pidOf('sale')).not.toBe(before);
  });
});
