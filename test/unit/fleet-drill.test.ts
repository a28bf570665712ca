// What the broker makes of a drill: what is broken on purpose is no ailing component, and its report is kept with the
// command that asked for it.

import { describe, expect, it } from 'vitest';
import { enqueue, step } from '../../broker/commands/queue.ts';
import { totalOf } from '../../broker/fleet/tally.ts';
import type { Command } from '../../protocol/commands.ts';
import type { NewEvent } from '../../protocol/events.ts';
import { events, incident, state, tell } from './fleet-story.ts';

const drilled = (event: NewEvent): NewEvent => ({ ...event, component: 'drill' });

describe('a drill', () => {
  const story = tell([
    1,
    events(
      1,
      [1, state('ready')],
      [1, state('ready', {}, 'drill')],
      [2, drilled(incident('incident_opened', 'd'))],
      [3, state('starting', { cause: 'hang' }, 'drill')],
      [4, drilled(incident('incident_quarantined', 'd'))],
    ),
  ]);

  it('is no component of its terminal and no incident', () => {
    const view = story.at(5);
    expect(view.components.map(({ name }) => name)).toEqual(['sale']);
    expect(view.openIncidents).toEqual([]);
  });

  it('counts its restarts under its own name only', () => {
    const { components } = story.model;
    const of = (name: string): number[] =>
      Object.values(components[name]?.restarts ?? {}).map((tally) => totalOf(tally));
    expect(of('drill')).toEqual([1]);
    expect(of('sale')).toEqual([]);
  });
});

it('the report of a drill stays with its command', () => {
  const command: Command = {
    ...{ id: '11111111-1111-4111-8111-111111111111', terminal: 'lane-1', kind: 'drill' },
    ...{ arguments: { fault: 'hang' }, issuedMs: 0, expiresMs: 1_000, operator: 'kim' },
    ...{ reason: 'monthly', traceparent: '' },
  };
  const result = { commandId: command.id, state: 'succeeded', timeMs: 5, reason: 'good' } as const;
  const told = (detail: Record<string, unknown>) =>
    step(enqueue(command), { kind: 'result', result: { ...result, detail } }, 6).queued.history;
  expect(told({ verdict: 'good' }).at(-1)).toMatchObject({ detail: { verdict: 'good' } });
  expect(told({}).at(-1)).not.toHaveProperty('detail');
});
