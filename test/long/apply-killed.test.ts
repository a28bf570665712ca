// The agent is killed with SIGKILL at the worst moments of a trial, as soon as each thing lies on the disk, and with it
// the machine (the run directory is wiped and everything ended). The next agent goes on: one copy of each
// component, one end of the trial, one result of the command.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fault, isAlive, until } from '../real/agent-rig.ts';
import { ApplyRig, apply } from './apply-rig.ts';

const READY_MS = 16_000;
const components = (version: string, knobs: readonly string[] = []) => [
  fault('printer'),
  fault('sale', knobs, { version }),
];

async function opened(): Promise<{ rig: ApplyRig; printer: number }> {
  const rig = new ApplyRig();
  await rig.open(components('1.0.0'));
  await rig.connected();
  const printer = await rig.till.ready('printer');
  await rig.till.ready('sale');
  return { rig, printer };
}

/** As fast as it can: what is looked for may last for milliseconds. */
async function as(look: () => boolean): Promise<void> {
  for (let turn = 0; !look(); turn += 1) {
    await new Promise((done) => setTimeout(done, 1));
    if (turn > 60_000) throw new Error('it never came to this');
  }
}

const MOMENTS: [string, (rig: ApplyRig) => boolean][] = [
  ['its text lies there', (rig) => rig.file('data', 'configuration', 'trial.yaml') !== ''],
  ['its component has stopped', (rig) => rig.till.lines('sale').some(({ to }) => to === 'stopped')],
  ['it is kept', (rig) => rig.good() !== ''],
];

async function ends(rig: ApplyRig, id: string): Promise<void> {
  const result = await until('it has ended', () => rig.ended(id), 60_000);
  const isTried = rig.good() !== '';
  // Killed before anything was noted, it was never tried, and the operator is told so.
  expect(result.state).toBe(isTried ? 'succeeded' : 'unknown');
  await until('one copy of each', () => rig.till.copies('sale').length === 1);
  expect(rig.till.copies('printer')).toHaveLength(1);
  if (isTried) await until('told', () => rig.notes().outcome?.isTold === true);
}

describe('an agent that is killed as soon as', () => {
  it.concurrent.each(MOMENTS)('%s', { timeout: 120_000 }, async (_, look) => {
    const { rig, printer } = await opened();
    try {
      const document = { components: components('2.0.0') };
      const id = rig.send(apply(1, document, { readyMs: READY_MS }));
      await as(() => look(rig));
      await rig.killAgent();
      rig.startAgent();
      await ends(rig, id);
      expect(isAlive(printer)).toBe(true);
    } finally {
      await rig.close();
    }
  });

  it.concurrent('the first attempt is noted, with the machine', { timeout: 120_000 }, async () => {
    const { rig } = await opened();
    try {
      const document = { components: components('2.0.0') };
      const id = rig.send(apply(1, document, { readyMs: READY_MS }));
      await as(() => rig.notes().trial?.attempts === 1);
      await rig.killAgent();
      for (const pid of rig.till.marked()) process.kill(pid, 'SIGKILL');
      rmSync(join(rig.till.folder, 'run'), { recursive: true });
      rig.startAgent();
      await ends(rig, id);
      expect((await rig.status('sale')) as object).toMatchObject({ version: '2.0.0' });
    } finally {
      await rig.close();
    }
  });
});
