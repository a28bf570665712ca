// Documents of the fleet on a real till: one that changes one component, ones that break it, ones that are refused. What
// counts is who keeps his pid, what the operator is told, and that the last good one is in force again.

import { readdirSync, readlinkSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fault, until } from '../real/agent-rig.ts';
import { ApplyRig, apply, childrenOf } from './apply-rig.ts';

const READY = { readyMs: 16_000 };
const TWO = [fault('printer'), fault('sale')];
const version = (number: string, more: object = {}, knobs: readonly string[] = []) => [
  fault('printer'),
  fault('sale', knobs, { version: number, ...more }),
];

async function till<T>(own: readonly object[], run: (rig: ApplyRig) => Promise<T>): Promise<void> {
  const rig = new ApplyRig();
  try {
    await rig.open(own, own.length === 0 ? { components: undefined } : {});
    await rig.connected();
    await run(rig);
  } finally {
    await rig.close();
  }
}

const openFiles = (pid: number): string[] =>
  readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
    } catch {
      return [];
    }
  });

describe('a document of the fleet', () => {
  it.concurrent('restarts what it changes and nobody else, in the same process', async () => {
    await till(TWO, async (rig) => {
      const printer = await rig.till.ready('printer');
      const before = await rig.till.ready('sale');
      const pid = rig.till.agent?.pid ?? 0;
      const files = openFiles(pid).length;
      // What only concerns watching restarts nobody.
      const watching = { components: version('1.0.0', { mode: 'observe', beatMs: 400 }) };
      expect(await rig.obeyed(apply(1, watching, READY))).toMatchObject({
        ...{ state: 'succeeded', detail: { name: 'shop', version: 1 } },
      });
      expect(rig.till.copies('sale')).toEqual([before]);
      expect(await rig.status('sale')).toMatchObject({ mode: 'observe', state: 'ready' });
      const next = { components: version('2.0.0', { env: { SHOP: 'x' } }) };
      expect((await rig.obeyed(apply(2, next, READY))).state).toBe('succeeded');
      expect(rig.till.copies('printer')).toEqual([printer]);
      const [sale] = rig.till.copies('sale');
      expect(sale).not.toBe(before);
      expect(rig.begun()).toEqual([pid, pid, pid]);
      expect(openFiles(pid).length).toBeLessThan(files + 5);
      // Those that ended before the last agent began; what it left is adopted, and ours until it ends.
      expect(childrenOf(pid).filter((child) => child.endsWith('Z'))).toEqual([]);
      expect(rig.told()).toEqual(['trial 1', 'kept 1', 'trial 2', 'kept 2']);
    });
  });

  it.concurrent('that breaks a component is left by itself, and told', async () => {
    await till(TWO, async (rig) => {
      const printer = await rig.till.ready('printer');
      await rig.till.ready('sale');
      const broken = { components: version('2.0.0', {}, ['--no-ready']) };
      const result = await rig.obeyed(apply(1, broken, READY));
      expect(result).toMatchObject({
        state: 'failed',
        reason:
          'not ready under it within 16 s: sale; the till is back on its last good configuration',
      });
      await until('as before', async () => {
        const seen = (await rig.status('sale').catch(() => undefined)) as
          | { version: string; state: string }
          | undefined;
        return seen?.version === '1.0.0' && seen.state === 'ready';
      });
      expect(rig.told()).toEqual(['trial 1', 'rolled_back 1']);
      expect(rig.till.copies('printer')).toEqual([printer]);
      expect(rig.till.copies('sale')).toHaveLength(1);
    });
  });

  it.concurrent('that ends a component again and again touches no other, and is left at once', async () => {
    await till(TWO, async (rig) => {
      const printer = await rig.till.ready('printer');
      await rig.till.ready('sale');
      const more = {
        command: [process.execPath, '-e', 'process.exit(1)'],
        budget: { restarts: 1 },
      };
      const since = performance.now();
      const result = await rig.obeyed(
        apply(1, { components: version('2.0.0', more) }, { readyMs: 120_000 }),
      );
      expect(result).toMatchObject({
        state: 'failed',
        reason: expect.stringContaining('sale is in quarantine under it'),
      });
      expect(performance.now() - since).toBeLessThan(40_000);
      await rig.till.ready('sale');
      expect(rig.till.copies('printer')).toEqual([printer]);
      const rungs = rig
        .events()
        .flatMap((event) => (event.kind === 'recovery' ? event.fields.rung : []));
      expect(rungs.filter((rung) => rung === 'dependants' || rung === 'all')).toEqual([]);
    });
  });

  it.concurrent('brings and takes components, to a till that has none in its own file', async () => {
    await till([], async (rig) => {
      const first = { components: [fault('sale'), fault('scale')] };
      expect((await rig.obeyed(apply(1, first, READY))).state).toBe('succeeded');
      const [sale] = rig.till.copies('sale');
      const wrong = {
        components: [fault('sale', [], { beatMs: 1 }), { name: 'x' }],
        terminal: 'y',
      };
      const refused = await rig.obeyed(apply(2, wrong, READY));
      expect(refused.state).toBe('failed');
      expect(refused.reason).toContain('3 problems: terminal: stands in the till');
      expect(refused.reason).toContain('components[0].beatMs');
      expect(refused.reason).toContain('components[1].command: is missing');
      const second = { components: [fault('sale'), fault('drawer')] };
      expect(await rig.obeyed(apply(3, second, READY))).toMatchObject({ state: 'succeeded' });
      expect(rig.till.copies('scale')).toEqual([]);
      expect(rig.till.copies('sale')).toEqual([sale]);
      expect(rig.till.copies('drawer')).toHaveLength(1);
      expect(rig.told()).toEqual(['trial 1', 'kept 1', 'refused 2', 'trial 3', 'kept 3']);
    });
  });
});
