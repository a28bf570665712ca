// What may be done to the registry from behind: a ledger that went back, terminals that send rubbish.

import { describe, expect, it } from 'vitest';
import type { NewEvent } from '../../protocol/events.ts';
import { happened, rig, START_MS } from './fleet-rig.ts';

const ready = (component: string): NewEvent => ({
  kind: 'component_state',
  component,
  fields: { from: 'starting', to: 'ready', reason: 'ready', version: '1.0' },
});

describe('events that are large', () => {
  it('go oldest first before they fill the disk, however few they are', async () => {
    const bytesMax = 4 * 1024 * 1024;
    const { fleet, terminals, metrics } = rig({ bytesMax });
    const evidence = 'x'.repeat(30_000);
    for (let i = 0; i < 400; i += 1) {
      const fields = { reason: 'big', left: [], evidence };
      terminals.events(
        'lane-1',
        happened(START_MS + i, { kind: 'agent_stopping', component: '', fields }),
      );
    }
    fleet.drain();
    const kept = fleet.events({ limit: 1_000 });
    expect(kept.length * evidence.length).toBeLessThan(bytesMax);
    expect(kept.at(-1)?.id).toBe(400);
    const dropped = await metrics.registry.getSingleMetricAsString(
      'tillwatch_registry_dropped_total',
    );
    expect(dropped).toContain(`events"} ${400 - kept.length}`);
  });
});

describe('the follower', () => {
  it('misses nothing when it is killed right after the ledger was put back', () => {
    const { fleet, terminals, ledger, reopen } = rig();
    for (let i = 0; i < 5; i += 1)
      terminals.events('lane-1', happened(START_MS + i, ready('sale')));
    fleet.drain();
    ledger.rows.length = 3;
    reopen();
    for (let i = 5; i < 8; i += 1)
      terminals.events('lane-1', happened(START_MS + i, ready('sale')));
    const again = reopen();
    again.drain();
    expect(again.events({ limit: 10 }).length).toBe(8);
  });

  it('logs a few of very many bodies that cannot be read, and counts all', async () => {
    const lines: string[] = [];
    const log = { info: () => {}, error: () => {}, warn: (line: string) => lines.push(line) };
    const { fleet, terminals, metrics } = rig({ log });
    for (let i = 0; i < 200; i += 1)
      terminals.put('lane-1', 'events', new Uint8Array(20).fill(255));
    fleet.drain();
    expect(lines.length).toBeLessThanOrEqual(20);
    const name = 'tillwatch_ingest_dead_letters_total';
    expect(await metrics.registry.getSingleMetricAsString(name)).toMatch(/} 200/);
  });
});
