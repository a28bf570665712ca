// What ails the fleet, in a few numbers whose labels are closed lists: open incidents by cause, devices with
// something wrong by their state, terminals whose clock is off. Part of the roll-up; which terminals they are
// is what the API's lists are for.

import { CAUSES, type Cause } from '../../protocol/events.ts';
import { own, type TerminalModel } from './model.ts';

/** A clock that is off by so much puts receipts into the wrong minute. */
export const SKEWED_MS = 60_000;
/** UnifiedPOS control states in lower case; whatever else a component says is counted as `other`. */
const DEVICE_STATES: ReadonlySet<string> = new Set(['closed', 'idle', 'busy', 'error', 'unknown']);
const OTHER = 'other';

export type Troubles = {
  readonly clockSkewed: number;
  readonly incidents: Readonly<Record<Cause, number>>;
  readonly devices: Readonly<Record<string, number>>;
};

export const isCause = (word: unknown): word is Cause => CAUSES.some((known) => known === word);

function addIncidents(into: Record<Cause, number>, model: TerminalModel): void {
  for (const [component, { cause }] of Object.entries(model.incidents)) {
    // One of a component that is not configured any more can never end, and ails nobody.
    if (own(model.components, component)?.listed === false) continue;
    if (isCause(cause)) into[cause] += 1;
  }
}

function addDevices(into: Record<string, number>, model: TerminalModel): void {
  for (const { state, signs } of Object.values(model.devices)) {
    if (state !== 'error' && Object.keys(signs).length === 0) continue;
    const word = DEVICE_STATES.has(state) ? state : OTHER;
    into[word] = (into[word] ?? 0) + 1;
  }
}

/** @param models that are shown. */
export function troublesOf(models: Iterable<TerminalModel>): Troubles {
  const incidents = Object.fromEntries(CAUSES.map((cause) => [cause, 0])) as Record<Cause, number>;
  const states = [...DEVICE_STATES, OTHER];
  const devices = Object.fromEntries(states.map((state) => [state, 0]));
  let clockSkewed = 0;
  for (const model of models) {
    if (Math.abs(model.clockOffsetMs) >= SKEWED_MS) clockSkewed += 1;
    addIncidents(incidents, model);
    addDevices(devices, model);
  }
  return { clockSkewed, incidents, devices };
}
