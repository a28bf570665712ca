import { expect, it } from 'vitest';
import { newTerminal, type TerminalModel } from '../../broker/fleet/model.ts';
import { createTroubles, SKEWED_MS } from '../../broker/fleet/troubles.ts';

const till = (more: Partial<TerminalModel>): TerminalModel => ({
  ...newTerminal('lane-1', 'berlin', true),
  ...more,
});
const device = (state: string, signs: Record<string, string> = {}) => ({
  ...{ component: 'hardware', device: 'printer', state, signs, atMs: 0 },
});
const incident = (cause: string) => ({
  ...{ incident: 'i', cause, reason: '', openedMs: 0, quarantined: false },
});

it('sums up what ails a fleet, in closed lists whatever terminals say', () => {
  const { add, sum } = createTroubles()();
  const ailing = till({
    clockOffsetMs: -SKEWED_MS,
    incidents: { sale: incident('hang'), sync: incident('nonsense') },
    devices: {
      a: device('idle', { cover: 'cover open' }),
      b: device('error'),
      c: device('idle'),
      d: device('constructor', { power: 'off' }),
    },
  });
  add(ailing);
  add(ailing);
  add(till({ clockOffsetMs: SKEWED_MS - 1 }));
  expect(sum()).toMatchObject({
    clockSkewed: 2,
    incidents: { hang: 2, crash: 0 },
    devices: { closed: 0, idle: 2, busy: 0, error: 2, unknown: 0, other: 2 },
  });
  expect(Object.keys(sum().incidents)).not.toContain('nonsense');
});
