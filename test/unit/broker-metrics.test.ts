import { describe, expect, it } from 'vitest';
import { COMBINATIONS_MAX } from '../../broker/fleet/rollup.ts';
import { createMetrics } from '../../broker/metrics.ts';
import { catalogue, METRIC_NAMES } from '../../protocol/metrics.ts';
import { happened, rig, START_MS } from './fleet-rig.ts';

const state = (component: string, version: string, cause?: 'hang') =>
  happened(START_MS, {
    kind: 'component_state',
    component,
    fields: {
      from: 'backoff',
      to: 'starting',
      reason: 'again',
      version,
      ...(cause && { cause }),
    },
  });

describe('the metrics of the broker', () => {
  it('show a small fleet by presence, version, state and restart', async () => {
    const { fleet, terminals, metrics } = rig();
    metrics.watch({ fleet: fleet.rollup, behind: fleet.behind, commands: () => 2 });
    metrics.watch({ connections: () => 1, ledger: () => ({ bytes: 4_096, rows: 3 }) });
    terminals.events('lane-1', state('sale', '2.4.1', 'hang'), state('sync', '1.0'));
    fleet.drain();
    const text = await metrics.registry.metrics();
    const lines = text.split('\n').filter((line) => !line.startsWith('#') && line !== '');
    expect(lines).toEqual(
      expect.arrayContaining([
        'pos_terminals{presence="never"} 1',
        'pos_terminals{presence="online"} 1',
        'pos_terminals{presence="late"} 0',
        'pos_terminals{presence="lost"} 0',
        'pos_terminals_by_version{component="sale",version="2.4.1"} 1',
        'pos_components{component="sync",state="starting"} 1',
        'pos_fleet_restarts_total{component="sale",cause="hang",version="2.4.1"} 1',
        'tillwatch_ingest_events_total 2',
        'tillwatch_ledger_bytes 4096',
        'tillwatch_ledger_rows 3',
        'tillwatch_registry_behind_batches 0',
        'tillwatch_commands_pending 2',
        'tillwatch_broker_connections 1',
      ]),
    );
  });

  it('expose every broker metric of the catalogue, with its help and type, and no other', async () => {
    const text = await createMetrics('1.0').registry.metrics();
    for (const name of METRIC_NAMES.filter((known) => catalogue[known].source === 'broker')) {
      expect(text).toContain(`# HELP ${name} ${catalogue[name].help}`);
      expect(text).toContain(`# TYPE ${name} ${catalogue[name].type}`);
    }
    const exposed = [...text.matchAll(/^# TYPE (\S+)/gm)].map((match) => String(match[1]));
    expect(exposed.filter((name) => !METRIC_NAMES.includes(name as never))).toEqual([]);
  });

  it('claim nothing about what they cannot see yet', async () => {
    const text = await createMetrics('1.0').registry.metrics();
    expect(text).not.toMatch(/^(tillwatch_ledger_rows|pos_terminals|tillwatch_commands_pending)/m);
  });

  it('stay small when terminals invent versions, and lose no terminal from the sum', async () => {
    const { fleet, terminals, metrics } = rig({
      terminals: Array.from({ length: 400 }, (_, i) => ({ id: `t${i}`, store: 's' })),
    });
    metrics.watch({ fleet: fleet.rollup });
    for (let i = 0; i < 400; i += 1) terminals.events(`t${i}`, state('sale', `1.${i}`, 'hang'));
    fleet.drain();
    const { versions, restarts } = fleet.rollup();
    expect(versions.length).toBe(COMBINATIONS_MAX + 1);
    expect(versions.reduce((sum, { terminals: count }) => sum + count, 0)).toBe(400);
    expect(restarts.reduce((sum, { count }) => sum + count, 0)).toBe(400);
    const text = await metrics.registry.metrics();
    expect(text).toContain('pos_terminals_by_version{component="other",version="other"} 200');
  });

  it('escape names that would break the page', async () => {
    const { fleet, terminals, metrics } = rig();
    metrics.watch({ fleet: fleet.rollup });
    terminals.events('lane-1', state('sale', '1"\n} 99 \\'));
    fleet.drain();
    const text = await metrics.registry.metrics();
    expect(text).toContain('version="1\\"\\n} 99 \\\\"} 1');
  });
});
