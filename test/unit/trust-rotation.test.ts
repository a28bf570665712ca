// Rotation as a pure step: in which order things are believed, used and dropped, and what is refused.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  listOf,
  nextNumber,
  phaseOf,
  type RotationStep,
  rotate,
  type Target,
} from '../../broker/trust/rotation.ts';
import { parseState, type TrustState } from '../../broker/trust/state.ts';
import { AUTHORITIES_MAX, COMMAND_KEYS_MAX } from '../../protocol/limits.ts';
import { must, why } from './trust-rig.ts';

const fresh: TrustState = {
  format: 1,
  version: 1,
  authorities: [{ name: 'authority-1', stage: 'used' }],
  commandKeys: [{ name: 'command-1', stage: 'used', key: 'one' }],
  since: { authority: 1, command: 1 },
};
const start = (name: string): RotationStep => ({ kind: 'start', name, key: name });
const stages = (state: TrustState, target: Target): string =>
  listOf(state, target)
    .map((one) => `${one.name.split('-')[1]} ${one.stage}`)
    .join(', ');

describe.each(['authority', 'command'] as const)('the rotation of an %s', (target) => {
  const go = (state: TrustState, ...steps: RotationStep[]): TrustState =>
    steps.reduce((before, step) => must(rotate(before, target, step)), state);
  const started = go(fresh, start(`${target}-2`));
  const switched = go(started, { kind: 'switch' });

  it('lets the new one be believed, then used, and drops the old one last', () => {
    expect(stages(started, target)).toBe('1 used, 2 next');
    expect(stages(switched, target)).toBe('2 used, 1 last');
    expect(stages(go(switched, { kind: 'finish' }), target)).toBe('2 used');
    expect(stages(go(started, { kind: 'cancel' }), target)).toBe('1 used');
  });

  it('raises the version with each step, and remembers since when the new one is believed', () => {
    expect([started.version, switched.version]).toEqual([2, 3]);
    expect(started.since[target]).toBe(2);
    expect(switched.since[target]).toBe(2);
  });

  it('refuses what does not come next, with a sentence', () => {
    const reason = (state: TrustState, step: RotationStep) => why(rotate(state, target, step));
    expect(reason(fresh, { kind: 'switch' })).toMatch(/^no rotation of the .* has begun$/);
    expect(reason(fresh, { kind: 'finish' })).toMatch(/has begun/);
    expect(reason(started, start('x-3'))).toMatch(/waits for its switch/);
    expect(reason(started, { kind: 'finish' })).toMatch(/waits for its switch/);
    expect(reason(switched, start('x-3'))).toMatch(/finish the rotation first/);
    expect(reason(switched, { kind: 'cancel' })).toMatch(/finish the rotation first/);
  });
});

it('never holds more than terminals do, never less than one that is used, never goes back', () => {
  const kind = fc.constantFrom('start', 'switch', 'finish', 'cancel');
  const target = fc.constantFrom<Target>('authority', 'command');
  fc.assert(
    fc.property(fc.array(fc.tuple(target, kind), { maxLength: 60 }), (steps) => {
      let state = fresh;
      let made = 1;
      for (const [of, what] of steps) {
        made += 1;
        const step = what === 'start' ? start(`${of}-${made}`) : { kind: what };
        const next = rotate(state, of, step as RotationStep);
        if (!next.ok) continue;
        expect(next.value.version).toBe(state.version + 1);
        state = next.value;
        expect(must(parseState(JSON.stringify(state), 'trust.json'))).toEqual(state);
        expect(state.authorities.length).toBeLessThanOrEqual(AUTHORITIES_MAX - 1);
        expect(state.commandKeys.length).toBeLessThanOrEqual(COMMAND_KEYS_MAX);
        expect(['settled', 'started', 'switched']).toContain(phaseOf(state, of));
      }
    }),
  );
});

it('takes a number that no file has, also none of an interrupted run', () => {
  expect(nextNumber([])).toBe(1);
  expect(nextNumber(['authority-1', 'authority-12.key', 'authority-3.pem', 'audit.key'])).toBe(13);
});

it('calls a state that is none damaged', () => {
  const two = [...fresh.authorities, { name: 'authority-2', stage: 'used' }];
  const bad = [
    'x',
    '{}',
    '[]',
    JSON.stringify({ ...fresh, version: 0 }),
    JSON.stringify({ ...fresh, authorities: [] }),
    JSON.stringify({ ...fresh, authorities: two }),
    JSON.stringify({ ...fresh, authorities: [{ name: '../../etc', stage: 'used' }] }),
  ];
  for (const text of bad) expect(why(parseState(text, 'trust.json'))).toMatch(/is damaged/);
});
