// A recurring window of a large chain: two thousand stores are due in the same second, and the broker acknowledges meanwhile.

import { describe, expect, it } from 'vitest';
import { createScheduler, type SchedulerOptions } from '../../broker/maintenance/scheduler.ts';
import type { MaintenanceStore } from '../../broker/maintenance/store.ts';
import { type Action, readAt, type Window } from '../../broker/maintenance/windows.ts';
import { ok } from '../../protocol/result.ts';
import { quiet } from './fleet-rig.ts';

const STORES = 2_000;
/** Sunday, three o'clock in Berlin. */
const NOW_MS = Date.parse('2026-11-22T02:01:00Z');

function world(action: Action) {
  const read = readAt('sun 03:00');
  if (!read.ok) throw new Error(read.reason);
  const window: Window = {
    ...{ name: 'nightly', where: { all: true }, ...read.value, forMs: 30 * 60_000 },
    ...{ action, by: 'ada', reason: 'patches', addedMs: 0 },
  };
  const asked = { standing: 0, planned: 0, started: 0 };
  const stores = Array.from({ length: STORES }, (_, index) => ({
    ...{ id: `s-${index}`, zone: 'Europe/Berlin', region: 'east', labels: [] },
  }));
  const options = {
    database: { transact: (work: () => unknown) => ok(work()) },
    bulks: {
      plan: () => {
        asked.planned += 1;
        return { ok: false, kind: 'unavailable', reason: 'not now' };
      },
    },
    audit: { write: () => undefined },
    clock: { wallMs: () => NOW_MS, monotonicMs: () => 0 },
    log: quiet,
    stores: () => stores,
    terminalsOf: () => {
      asked.standing += 1;
      return ['lane-1'];
    },
    forbidden: () => undefined,
  } as unknown as SchedulerOptions;
  const store = { windows: { runs: () => [], keys: () => [], keep: () => undefined } };
  const start = () => {
    asked.started += 1;
    return { ok: true, maintenances: [{ id: 'm' }] } as never;
  };
  const kept = store as unknown as MaintenanceStore;
  const scheduler = createScheduler(options, kept, { start }, () => [window]);
  return { scheduler, asked };
}

describe('a window of two thousand stores', () => {
  it('asks once who stands in them, not once for each', () => {
    const { scheduler, asked } = world('reboot');
    scheduler.tick();
    expect(asked).toEqual({ standing: 1, planned: 1, started: 0 });
  });

  it('begins so many maintenances at a time that others get their turn, and all of them', () => {
    const { scheduler, asked } = world('observe');
    scheduler.tick();
    expect(asked.started).toBeLessThanOrEqual(50);
    for (let ticks = 0; ticks < STORES; ticks += 1) scheduler.tick();
    expect(asked.started).toBe(STORES);
  });
});
