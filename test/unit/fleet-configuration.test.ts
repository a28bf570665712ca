// What the registry knows of the configuration that a terminal runs: told late, twice and out of order.

import { describe, expect, it } from 'vitest';
import { happened, START_MS } from './fleet-rig.ts';
import { open } from './http-rig.ts';

const SHA = 'a'.repeat(64);
const inventory = (timeMs: number, configuration?: object) =>
  happened(timeMs, {
    kind: 'inventory',
    component: '',
    fields: {
      ...{ agent: '0.2.0', os: 'Linux', hostname: 'till', components: [] },
      ...(configuration === undefined ? {} : { configuration }),
    },
  } as never);
const event = (timeMs: number, what: string, version = 3, sha256 = SHA) =>
  happened(timeMs, {
    kind: 'configuration',
    component: '',
    fields: { what, name: 'base', version, sha256, reason: 'sale is not ready' },
  } as never);

async function toldBy(...events: ReturnType<typeof event>[]) {
  const { terminals, fleet } = await open();
  for (const one of events) terminals.events('lane-1', one);
  fleet.drain();
  const { running, refused } = fleet.configurationOf('lane-1');
  const { at: _, ...told } = running ?? { at: undefined };
  return { told, refused };
}

describe('the configuration of a terminal', () => {
  it('is unknown until it says so', async () => {
    expect(await toldBy(inventory(START_MS))).toEqual({ told: {}, refused: undefined });
    const own = { state: 'own', name: '', version: 0, sha256: '', overridden: false };
    expect((await toldBy(inventory(START_MS, { state: 'own' }))).told).toEqual(own);
  });

  it('is what its newest inventory or event says', async () => {
    const kept = { state: 'kept', name: 'base', version: 2, sha256: SHA };
    const { told } = await toldBy(
      inventory(START_MS, { ...kept, overridden: true }),
      event(START_MS + 10, 'kept'),
    );
    expect(told).toEqual({ ...kept, version: 3, overridden: true });
    const trial = await toldBy(inventory(START_MS, kept), event(START_MS + 10, 'trial'));
    expect(trial.told).toMatchObject(kept);
    const later = await toldBy(event(START_MS + 10, 'kept'), inventory(START_MS + 20, kept));
    expect(later.told).toMatchObject(kept);
  });

  it('is refused when it was refused or gone back from, until it is kept', async () => {
    const refused = { name: 'base', version: 3, sha256: SHA, reason: 'sale is not ready' };
    for (const what of ['refused', 'rolled_back']) {
      expect((await toldBy(event(START_MS, what))).refused).toMatchObject(refused);
    }
    const back = await toldBy(event(START_MS, 'rolled_back'), event(START_MS + 9, 'kept'));
    expect(back.refused).toBeUndefined();
    const other = await toldBy(
      event(START_MS, 'rolled_back'),
      event(START_MS + 9, 'kept', 4, 'b'.repeat(64)),
    );
    expect(other.refused).toMatchObject(refused);
  });

  it('is not believed to be a digest that is none', async () => {
    const { told } = await toldBy(inventory(START_MS, { state: 'kept', sha256: '<script>' }));
    expect(told).toMatchObject({ sha256: '' });
  });
});
