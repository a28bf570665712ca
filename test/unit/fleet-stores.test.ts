import { describe, expect, it } from 'vitest';
import { rig, START_MS } from './fleet-rig.ts';

describe('the store of a terminal', () => {
  it('is what the configuration says, and unassigned for whoever it does not name', () => {
    const { fleet } = rig({ acceptUnknown: true });
    expect([fleet.storeOf('lane-1'), fleet.storeOf('stranger')]).toEqual(['berlin', 'unassigned']);
  });

  it('is told of all at once and later of each new terminal, until nobody listens', () => {
    const { fleet, terminals } = rig({ acceptUnknown: true });
    const told: unknown[] = [];
    const undo = fleet.onStores((stores) => told.push([...stores]));
    fleet.sessionOpened('new-1', { address: '', openedMs: START_MS });
    fleet.sessionOpened('new-1', { address: '', openedMs: START_MS });
    terminals.metrics('new-2', {
      timeMs: START_MS,
      samples: [{ name: 'pos_host_load1', labels: {}, value: 1 }],
    });
    fleet.drain();
    undo();
    fleet.sessionOpened('new-3', { address: '', openedMs: START_MS });
    expect(told).toEqual([
      [
        ['lane-1', 'berlin'],
        ['lane-2', 'berlin'],
      ],
      [['new-1', 'unassigned']],
      [['new-2', 'unassigned']],
    ]);
  });
});
