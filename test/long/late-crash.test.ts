// A crash loop that begins only after a minute of health, which supervisors that count the crashes of the first
// seconds never notice (research/supervisors.md 0.3): 217 restarts in 40 s, status "online". With the settings that
// ship it is started again five times, the ladder is climbed, and then it is tried slowly and a human is called.

import { afterEach, beforeEach, expect, it } from 'vitest';
import { Rig, until } from '../real/agent-rig.ts';
import { ward } from './patients/ward.ts';

const HEALTHY_MS = 61_000;
/** configuration/defaults.ts: restarts of one component within five minutes. */
const RESTARTS = 5;
/** Rungs above that start it once more: everything, twice at most. */
const ALL = 2;

let rig: Rig;
beforeEach(() => {
  rig = new Rig();
});
afterEach(() => rig.clean());

it('a crash loop after a minute of health is braked, and ends in quarantine', async () => {
  const loop = {
    name: 'loops',
    language: 'node',
    mode: 'crash-loop',
    afterMs: HEALTHY_MS,
  } as const;
  const well = { name: 'well', language: 'shell', mode: 'well', afterMs: 0 } as const;
  rig.configure(await ward([loop, well], rig.folder));
  void rig.start();
  await rig.ready('loops');
  await until(
    'a human is called',
    () => rig.lines('loops').some(({ to }) => to === 'quarantined'),
    HEALTHY_MS + 200_000,
  );
  const starts = rig.lines('loops').filter(({ message }) => message.includes(' started: ')).length;
  expect(starts).toBeGreaterThan(RESTARTS);
  expect(starts).toBeLessThanOrEqual(1 + RESTARTS + ALL);
  const story = rig
    .lines('loops')
    .map(({ message }) => message)
    .join('\n');
  expect(story).toContain('the process ended with code 1');
  expect(story).toMatch(/human is needed/);
  // Whoever was restarted with it is well again.
  await until('its neighbour runs', () => rig.copies('well').length >= 1);
});
