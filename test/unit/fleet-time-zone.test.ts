// The local time of a store, as its terminals' inventories say it.

import { describe, expect, it } from 'vitest';
import { happened, rig, START_MS } from './fleet-rig.ts';

const saying = (timeZone: string | undefined, timeMs = START_MS) =>
  happened(timeMs, {
    ...{ kind: 'inventory', component: '' },
    fields: {
      ...{ agent: '0.1.0', os: 'Linux', hostname: 'till', components: [] },
      ...(timeZone !== undefined && { timeZone }),
    },
  });

describe('the time zone of a terminal', () => {
  it('is that of its newest inventory, and none where that says none', () => {
    const { fleet, terminals } = rig();
    const told = (event: ReturnType<typeof saying>) => {
      terminals.events('lane-1', event);
      fleet.drain();
      return [fleet.view('lane-1')?.timeZone, fleet.timeZoneOf('lane-1')];
    };
    expect(fleet.timeZoneOf('lane-1')).toBeUndefined();
    expect(told(saying('Europe/Berlin'))).toEqual(['Europe/Berlin', 'Europe/Berlin']);
    expect(told(saying('Asia/Kolkata', START_MS + 1))).toEqual(['Asia/Kolkata', 'Asia/Kolkata']);
    expect(told(saying(undefined, START_MS + 2))).toEqual([undefined, undefined]);
  });

  it.each(['', '../../etc/passwd', 'Europe/\u001b[2J', 'x'.repeat(65)])(
    'is nothing that is no name: %j',
    (zone) => {
      const { fleet, terminals } = rig();
      terminals.events('lane-1', saying(zone));
      fleet.drain();
      expect(fleet.timeZoneOf('lane-1')).toBeUndefined();
    },
  );
});
