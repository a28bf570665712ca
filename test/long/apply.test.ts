// Documents of the fleet on a real till: one that changes one component, one that breaks it, one that is refused. What
// counts is who keeps his pid, what the operator is told, and that the last good one is in force again.

import { readdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fault, until } from '../real/agent-rig.ts';
import { ApplyRig, apply } from './apply-rig.ts';

let rig: ApplyRig;
beforeEach(() => {
  rig = new ApplyRig();
});
afterEach(() => rig.close());

const components = (knobs: readonly string[] = [], more: object = {}) => [
  fault('printer'),
  fault('sale', knobs, more),
];

async function open(): Promise<{ printer: number; sale: number }> {
  await rig.open(components());
  await rig.connected();
  return { printer: await rig.till.ready('printer'), sale: await rig.till.ready('sale') };
}

describe('a document of the fleet', () => {
  it('restarts what it changes and nobody else, in the same agent process', async () => {
    const before = await open();
    const changed = components([], { version: '2.0.0', env: { SHOP: 'x' } });
    const id = rig.send(apply(1, { components: changed, sampling: { everyMs: 1_000 } }));
    await rig.heard('trial 1');
    const sale = await rig.till.ready('sale', 2);
    expect(rig.notes().trial?.attempts).toBe(1);
    expect(sale).not.toBe(before.sale);
    expect(rig.till.copies('printer')).toEqual([before.printer]);
    expect(rig.till.copies('sale')).toEqual([sale]);
    const pid = rig.till.agent?.pid ?? 0;
    expect(rig.begun()).toEqual([pid, pid]);
    expect(readdirSync(`/proc/${pid}/fd`).length).toBeLessThan(60);
    const result = await until('it is kept', () => rig.ended(id), 60_000);
    expect(result).toMatchObject({ state: 'succeeded', detail: { name: 'shop', version: 1 } });
    await rig.heard('kept 1');
    expect(rig.good()).toContain('version: 2.0.0');
  });
});
