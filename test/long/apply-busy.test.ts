// A document that comes while something else goes on at the till: an open sale, a technician who holds it, another
// document on trial, and an agent that ends again and again under it.

import { describe, expect, it } from 'vitest';
import { fault, until } from '../real/agent-rig.ts';
import { ApplyRig, apply, asCommand } from './apply-rig.ts';
import { openSaleAt } from './deeds-sale.ts';

const READY = { readyMs: 16_000 };
const sale = (rig: ApplyRig, version: string) => [
  rig.component('hardware'),
  rig.component('sale', {}, { after: ['hardware'], version }),
];
const simple = (version: string, knobs: readonly string[] = []) => [
  fault('sale', knobs, { version }),
];

async function withTill(
  components: (rig: ApplyRig) => readonly object[],
  run: (rig: ApplyRig, pid: number) => Promise<void>,
  prepare: (rig: ApplyRig) => void = () => undefined,
): Promise<void> {
  const rig = new ApplyRig();
  prepare(rig);
  try {
    await rig.open(components(rig));
    await rig.connected();
    await run(rig, await rig.till.ready('sale'));
  } finally {
    await rig.close();
  }
}

describe('a document of the fleet that comes', () => {
  it.concurrent('while a sale is open: waits for its end', { timeout: 90_000 }, async () => {
    await withTill(
      (rig) => sale(rig, '1.0.0'),
      async (rig, pid) => {
        await openSaleAt(rig);
        await until('it is busy', async () => {
          const seen = (await rig.status('sale')) as { busy: boolean };
          return seen.busy;
        });
        const id = rig.send(apply(1, { components: sale(rig, '2.0.0') }, READY));
        await new Promise((done) => setTimeout(done, 3_000));
        expect(rig.till.copies('sale')).toEqual([pid]);
        expect(rig.told()).toEqual([]);
        const voided = await rig.terminal.ask('sale', 'POST', '/basket/void');
        expect(voided?.status).toBe(200);
        const result = await until('it is kept', () => rig.ended(id));
        expect(result.state).toBe('succeeded');
        expect(rig.till.copies('sale')).not.toContain(pid);
      },
    );
  });

  it.concurrent('to `tillwatch agent`, which ends when it is told to in the middle', {
    timeout: 90_000,
  }, async () => {
    await withTill(
      () => simple('1.0.0'),
      async (rig, pid) => {
        const first = await rig.obeyed(apply(1, { components: simple('2.0.0') }, READY));
        expect(first.state).toBe('succeeded');
        const own = rig.till.agent?.pid;
        expect(rig.begun()).toEqual([own, own]);
        expect(rig.till.copies('sale')).not.toContain(pid);
        const id = rig.send(apply(2, { components: simple('3.0.0') }, READY));
        await until('it goes', () =>
          rig.till.log().some(({ message }) => message.includes('shop 2 is tried')),
        );
        const gone = new Promise((done) => rig.till.agent?.once('exit', done));
        rig.till.agent?.kill('SIGTERM');
        await gone;
        rig.startAgent();
        expect((await until('it is kept', () => rig.ended(id))).state).toBe('succeeded');
        expect(rig.till.copies('sale')).toHaveLength(1);
      },
      asCommand,
    );
  });

  it.concurrent('while another is on trial: is sent away; one that ends the agent thrice is left', {
    timeout: 120_000,
  }, async () => {
    await withTill(
      () => simple('1.0.0'),
      async (rig) => {
        // It stays unready, so that the trial lasts.
        const first = apply(
          1,
          { components: simple('2.0.0', ['--no-ready']) },
          { readyMs: 60_000 },
        );
        const id = rig.send(first);
        await rig.heard('trial 1');
        const second = await rig.obeyed(apply(2, { components: simple('3.0.0') }, READY));
        expect(second).toMatchObject({
          state: 'failed',
          reason: 'configuration shop 1 is on trial here: send it again when that has ended',
        });
        for (const attempt of [1, 2, 3]) {
          await until(`attempt ${attempt}`, () => rig.notes().trial?.attempts === attempt);
          await rig.killAgent();
          rig.startAgent();
        }
        const result = await until('it is left', () => rig.ended(id));
        expect(result.state).toBe('failed');
        expect(result.reason).toContain('the agent ended 3 times before all was ready under it');
        await until('as before', async () => {
          const seen = (await rig.status('sale').catch(() => undefined)) as
            | { version: string; state: string }
            | undefined;
          return seen?.version === '1.0.0' && seen.state === 'ready';
        });
      },
    );
  });
});
