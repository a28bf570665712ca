// What the centre knows of tills that are held, watched only, or short of disk.

import { describe, expect, it } from 'vitest';
import type { TerminalView } from '../../cli/client.ts';
import { plainStyle } from '../../cli/screen.ts';
import { terminalDetailLines } from '../../cli/verbs/terminal.ts';
import { happened, START_MS } from './fleet-rig.ts';
import { open } from './http-rig.ts';

const HOUR = 3_600_000;
const inventory = happened(START_MS, {
  kind: 'inventory',
  component: '',
  fields: {
    agent: '0.2.0',
    os: 'Linux',
    hostname: 'till',
    components: [
      { name: 'sale', version: '2.4.1', mode: 'observe' },
      { name: 'sync', version: '1.0' },
    ],
  },
});
const hold = (timeMs: number, active: boolean, untilMs?: number) =>
  happened(timeMs, {
    kind: 'hold',
    component: '',
    fields: {
      active,
      by: 'ada',
      reason: 'new printer',
      ...(untilMs === undefined ? {} : { untilMs }),
    },
  });
const disk = (timeMs: number, level: 'normal' | 'metrics') =>
  happened(timeMs, { kind: 'disk', component: '', fields: { level, reason: 'it fills' } });

async function viewAfter(
  ...events: Parameters<Awaited<ReturnType<typeof open>>['terminals']['events']>[1][]
) {
  const { terminals, fleet, get, time } = await open();
  for (const event of events) terminals.events('lane-1', event);
  fleet.drain();
  return { view: (await get('/api/v1/terminals/lane-1')).json() as TerminalView, time, get };
}

describe('a terminal', () => {
  it('says in which mode each component is; without a word it acts', async () => {
    const { view } = await viewAfter(inventory);
    expect(view.components).toMatchObject([
      { name: 'sale', mode: 'observe' },
      { name: 'sync', mode: 'act' },
    ]);
  });

  it('is held until it is let go', async () => {
    const untilMs = START_MS + HOUR;
    const { view } = await viewAfter(inventory, hold(START_MS + 1, true, untilMs));
    expect(view.held).toEqual({ by: 'ada', reason: 'new printer', untilMs });
    const released = hold(START_MS + 2, false);
    expect(
      (await viewAfter(hold(START_MS + 1, true, untilMs), released)).view.held,
    ).toBeUndefined();
  });

  it('is no longer held when the time is over, also if it cannot say so', async () => {
    const { view } = await viewAfter(hold(START_MS - 2, true, START_MS - 1));
    expect(view.held).toBeUndefined();
  });

  it('tells what it gives up for want of disk, until the disk is well', async () => {
    expect((await viewAfter(disk(START_MS, 'metrics'))).view.disk).toEqual({
      level: 'metrics',
      reason: 'it fills',
    });
    const { view } = await viewAfter(disk(START_MS, 'metrics'), disk(START_MS + 1, 'normal'));
    expect(view.disk).toBeUndefined();
  });

  it('shows all of that to the on-call', async () => {
    const held = hold(START_MS + 1, true, START_MS + HOUR);
    const { view } = await viewAfter(inventory, held, disk(START_MS + 2, 'metrics'));
    const lines = terminalDetailLines(view, START_MS, plainStyle).join('\n');
    expect(lines).toMatch(/held until \d\d:\d\d by ada: new printer/);
    expect(lines).toContain('disk: metrics: it fills');
    expect(lines).toMatch(/sale +2\.4\.1 +unknown, observed/);
  });
});
