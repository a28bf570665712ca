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

/** What ails one terminal; a model never changes, so it is worked out once for each state of it. */
type Ailing = {
  readonly skewed: boolean;
  readonly causes: readonly Cause[];
  readonly devices: readonly string[];
};

function ailingOf(model: TerminalModel): Ailing {
  const causes = Object.entries(model.incidents)
    // One of a component that is not configured any more can never end, and ails nobody.
    .filter(([component]) => own(model.components, component)?.listed !== false)
    .map(([, { cause }]) => cause)
    .filter(isCause);
  const devices = Object.values(model.devices)
    .filter(({ state, signs }) => state === 'error' || Object.keys(signs).length > 0)
    .map(({ state }) => (DEVICE_STATES.has(state) ? state : OTHER));
  return { skewed: Math.abs(model.clockOffsetMs) >= SKEWED_MS, causes, devices };
}

/** @returns a sum over terminals; call `add` for each that is shown, then `sum`. */
export function createTroubles(): () => {
  readonly add: (model: TerminalModel) => void;
  readonly sum: () => Troubles;
} {
  const known = new WeakMap<TerminalModel, Ailing>();
  return () => {
    const incidents = Object.fromEntries(CAUSES.map((cause) => [cause, 0])) as Record<
      Cause,
      number
    >;
    const states = [...DEVICE_STATES, OTHER];
    const devices: Record<string, number> = Object.fromEntries(states.map((state) => [state, 0]));
    let clockSkewed = 0;
    return {
      add: (model) => {
        const ailing = known.get(model) ?? ailingOf(model);
        known.set(model, ailing);
        if (ailing.skewed) clockSkewed += 1;
        for (const cause of ailing.causes) incidents[cause] += 1;
        for (const state of ailing.devices) devices[state] = (devices[state] ?? 0) + 1;
      },
      sum: () => ({ clockSkewed, incidents, devices }),
    };
  };
}
