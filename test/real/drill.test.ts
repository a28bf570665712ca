// A drill as a person at the till runs it: refused unless the till's own configuration allows it, watched as it
// happens, one at a time, and nothing of it is left.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fault, Rig, until } from './agent-rig.ts';
import { drill, guests } from './drill-rig.ts';
import { status } from './recovery-rig.ts';

let rig: Rig;
beforeEach(() => {
  rig = new Rig();
});
afterEach(() => rig.clean());

describe('a drill at the till', () => {
  it('is refused with a sentence where the configuration does not allow it', async () => {
    rig.configure([fault('sale')]);
    void rig.start();
    await rig.ready('sale');
    await status(rig);
    const ran = await drill(rig, 'deadlock');
    expect(ran).toMatchObject({ exit: 77, out: '' });
    expect(ran.err).toContain("this till's own configuration does not say drills: true");
    expect(guests(rig)).toEqual([]);
  });

  it('is watched as it happens, one at a time, and touches nobody else', async () => {
    rig.configure([fault('sale')], { drills: true });
    void rig.start();
    const sale = await rig.ready('sale');
    await status(rig);
    const running = drill(rig, 'deadlock');
    await until('it has failed', () => existsSync(join(rig.folder, 'run', 'drill.failed')));
    const second = await drill(rig, 'hang');
    expect(second).toMatchObject({ exit: 77 });
    expect(second.err).toContain('one at a time');
    const meanwhile = await status(rig);
    expect(meanwhile.components.map(({ name }) => name)).toEqual(['sale']);

    const ran = await running;
    expect(ran.out).toMatch(/suspected: .*\n(.*\n)*.* {2}confirmed: hang/);
    expect(ran.out).toMatch(/passed: found after .* s, ready again after .* s\n$/);
    expect(ran).toMatchObject({ exit: 0, err: '' });
    expect(guests(rig)).toEqual([]);
    expect(rig.copies('sale')).toEqual([sale]);
    expect(existsSync(join(rig.folder, 'run', 'drill.json'))).toBe(false);
    const after = await status(rig);
    // Its restart was of its own budget.
    expect(after.components[0]?.left).toContainEqual({ rung: 'restart', times: 5, of: 5 });
    expect(after.drill).toBeUndefined();
  });
});
