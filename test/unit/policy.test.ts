// Which rungs a component's configuration leaves its ladder: none that can do nothing for it, and none that would
// cost the rest of the till more than it can bring.

import { expect, it } from 'vitest';
import { policyOf } from '../../agent/policy.ts';
import { loadConfig } from '../../configuration/config.ts';

/** @returns the rungs above restart of the first component. */
function rungsOf(component: string): string[] {
  const loaded = loadConfig(
    `terminal: lane-1
dataDir: data
runDir: run
ladder: { reboot: { command: [reboot] } }
components:
  - { name: kiosk, ${component} }
  - { name: sale, command: [sale] }`,
    '/etc',
  );
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const [first] = loaded.config.components;
  if (first === undefined) throw new Error('no component');
  return policyOf(first, loaded.config).rungs.map(({ rung }) => rung);
}

it('climbs as far as is configured', () => {
  expect(rungsOf('command: [kiosk]')).toEqual(['all', 'reboot']);
  expect(rungsOf('command: [kiosk], reset: { command: [reset] }')).toEqual([
    'reset',
    'all',
    'reboot',
  ]);
  const started = 'run: external, external: { pid: { file: pid }, start: { command: [start] } }';
  expect(rungsOf(started)).toEqual(['all', 'reboot']);
});

it('costs no other component a restart, and the till no reboot, because nobody has started it yet', () => {
  const awaited = 'run: external, external: { pid: { file: pid } }';
  expect(rungsOf(awaited)).toEqual([]);
  expect(rungsOf(`${awaited}, reset: { command: [reset] }`)).toEqual(['reset']);
});

it('has no rung above restart while a document of the fleet is on trial', () => {
  const text =
    'terminal: lane-1\ndataDir: d\nrunDir: r\nladder: { reboot: { command: [r] } }\ncomponents:\n' +
    '  - { name: a, command: [x], reset: { command: [y] } }\n  - { name: b, command: [x], after: [a] }\n';
  const loaded = loadConfig(text, '/etc');
  if (!loaded.ok) throw new Error('wrong');
  const [first] = loaded.config.components;
  if (first === undefined) throw new Error('none');
  let isOnTrial = true;
  const policy = policyOf(first, loaded.config, () => !isOnTrial);
  expect(policy.rungs).toEqual([]);
  isOnTrial = false;
  expect(policy.rungs.map(({ rung }) => rung)).toEqual(['dependants', 'reset', 'all', 'reboot']);
});
