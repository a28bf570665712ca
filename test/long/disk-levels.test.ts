// A till's disk of 50 MB that fills to its last byte, is emptied, and is then read-only at a start: what is given up
// and told at each level, and that the till is supervised all the while. Limits are shares of so small a disk.

import { expect, it } from 'vitest';
import { onSmallDisk } from './disk-world.ts';

it('a disk that fills, empties and cannot be written costs no supervision and no event', (context) => {
  const told = onSmallDisk(context, 'test/long/disk-levels-child.ts', '50m');
  expect(Number(told['before']?.['reserveBytes'])).toBeGreaterThan(900_000);
  // Nobody may take the reserve before an event needs it.
  expect(told['full']).toMatchObject({ free: 0, reserve: true });
  expect(told['healed']).toMatchObject({ alive: 1, isNew: true, reserve: false });
  const { levels, incidents, gaps } = told['levels'] as {
    levels: string[];
    incidents: [string, number][];
    gaps: unknown[];
  };
  const filling = ['journal', 'evidence', 'metrics', 'reserve'];
  expect(levels).toEqual([...filling, 'normal']);
  // What happened while not one byte was free has arrived all the same.
  const killedMs = Number(told['healed']?.['killedMs']);
  expect(incidents.map(([kind]) => kind)).toEqual(['incident_opened', 'incident_recovered']);
  for (const [, timeMs] of incidents) expect(timeMs).toBeGreaterThanOrEqual(killedMs);
  // Spans of the incident as well: a trace is no event.
  expect(gaps).toEqual([
    expect.objectContaining({ stream: 'metrics' }),
    expect.objectContaining({ stream: 'traces' }),
  ]);
  const { kinds, damaged } = told['read_only'] as { kinds: [string, unknown][]; damaged: string[] };
  expect(damaged).toEqual([]);
  const has = (kind: string, text: unknown): boolean =>
    kinds.some(([found, what]) => found === kind && what === text);
  expect(has('agent_stopping', 'kept')).toBe(true);
  expect(has('disk', 'read_only')).toBe(true);
  expect(has('disk', 'normal')).toBe(true);
  // One that ended while no agent ran, and one on the read-only disk; both were put right.
  expect(kinds.filter(([kind]) => kind === 'incident_opened')).toHaveLength(2);
  expect(kinds.filter(([kind]) => kind === 'incident_recovered')).toHaveLength(2);
});
