// One terminal's story: what the registry makes of steps that are told with the second at which the
// broker saw them.

import { type FleetEvent, newTerminal, type TerminalModel } from '../../broker/fleet/model.ts';
import type { Moment } from '../../broker/fleet/presence.ts';
import { step } from '../../broker/fleet/registry.ts';
import { type TerminalView, viewOf } from '../../broker/fleet/view.ts';
import type { NewEvent } from '../../protocol/events.ts';
import { EPOCH, happened, PRESENCE, START_MS } from './fleet-rig.ts';

type Batch = Extract<FleetEvent, { kind: 'batch' }>;

/** The broker began to listen long before. */
export const moment = (seconds: number, more: Partial<Moment> = {}): Moment => {
  const nowMs = seconds * 1_000;
  return { wallMs: START_MS + nowMs, nowMs, heardMs: nowMs, fairMs: -1e9, ...more };
};

/** A story: steps of one terminal, each with the second at which the broker saw it. */
export function tell(...steps: readonly (readonly [seconds: number, event: FleetEvent])[]) {
  let model: TerminalModel = newTerminal('lane-1', 'berlin', true);
  const effects = steps.flatMap(([seconds, event]) => {
    const next = step(model, event, moment(seconds), PRESENCE);
    model = next.model;
    return next.effects;
  });
  const at = (seconds: number): TerminalView =>
    viewOf(
      step(model, { kind: 'tick' }, moment(seconds), PRESENCE).model,
      START_MS + seconds * 1_000,
    );
  return { model, effects, at };
}

export function batch(
  seconds: number,
  content: Batch['content'],
  more: Partial<Batch> = {},
): Batch {
  const receivedMs = START_MS + seconds * 1_000;
  const facts = { epoch: EPOCH, seq: 1, receivedMs, createdMs: receivedMs, clockOffsetMs: 0 };
  return { kind: 'batch', ...facts, arrivedMs: seconds * 1_000, content, ...more };
}

/** Events at their seconds, received at the last one unless said. */
export function events(seq: number, ...list: readonly (readonly [number, NewEvent])[]): Batch {
  const last = Math.max(...list.map(([seconds]) => seconds));
  const placed = list.map(([seconds, event], index) => ({
    ...happened(START_MS + seconds * 1_000, event),
    index,
  }));
  return batch(last, { stream: 'events', events: placed }, { seq });
}

type To = { cause?: 'hang' | 'crash' | 'operator'; version?: string; pid?: number };
export const state = (
  to: 'starting' | 'ready' | 'suspect' | 'backoff' | 'stopped',
  { cause, version = '1.0', pid }: To = {},
  component = 'sale',
): NewEvent => ({
  kind: 'component_state',
  component,
  fields: {
    from: 'ready',
    to,
    reason: `now ${to}`,
    version,
    ...(cause && { cause }),
    ...(pid && { pid }),
  },
});
export const incident = (
  kind: 'incident_opened' | 'incident_quarantined',
  id: string,
): NewEvent => ({
  kind,
  component: 'sale',
  fields: { incident: id, cause: 'hang', reason: 'no beat', version: '1.0', attempts: 1 },
});
export const recovered = (id: string): NewEvent => ({
  kind: 'incident_recovered',
  component: 'sale',
  fields: { incident: id, cause: 'hang', detectedMs: 2_000, readyMs: 3_000, attempts: 1 },
});
export const agentStarted: NewEvent = {
  kind: 'agent_started',
  component: '',
  fields: { version: '0.1.0', node: '24.21.0', bootId: 'b', adopted: ['sale'] },
};

export function metrics(
  seconds: number,
  ...samples: readonly [string, Record<string, string>, number][]
) {
  const timeMs = START_MS + seconds * 1_000;
  const list = samples.map(([name, labels, value]) => ({ name, labels, value }));
  return batch(seconds, { stream: 'metrics', snapshots: [{ timeMs, samples: list }] });
}
export const restarts = (value: number, cause = 'hang') =>
  ['pos_component_restarts_total', { component: 'sale', cause, version: '1.0' }, value] as [
    string,
    Record<string, string>,
    number,
  ];

export const sale = (view: TerminalView) => view.components.find(({ name }) => name === 'sale');
