// What may be done to the registry from behind: a ledger that went back, terminals that send rubbish.

import { describe, expect, it } from 'vitest';
import type { NewEvent } from '../../protocol/events.ts';
import { happened, rig, START_MS } from './fleet-rig.ts';

const ready = (component: string): NewEvent => ({
  kind: 'component_state',
  component,
  fields: { from: 'starting', to: 'ready', reason: 'ready', version: '1.0' },
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
