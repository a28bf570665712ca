// What lies in the memory of a simulated terminal: sealed batches and what is not sealed yet, how a batch is
// named, when it goes, and whether an acknowledgement means it.

import type { TerminalEvent } from '../../protocol/events.ts';
import type { Stream } from '../../protocol/wire.ts';
import type { Clock } from '../ports.ts';
import type { Flight } from '../telemetry/window.ts';

export type MemoryOutboxOptions = {
  readonly clock: Clock;
  readonly sendMs: number;
  readonly random: () => number;
  /** When in the period it first sends live samples, 0 to 1: a fleet does not send in step. */
  readonly phase: number;
};

export type Sealed = {
  readonly stream: Stream;
  readonly seq: number;
  readonly live: boolean;
  /** Samples, events or results inside. */
  readonly items: number;
  readonly bytes: Uint8Array;
};

/** An event that is not sealed. `mono`: set while the broker's time was not known. */
export type Waiting = { readonly event: TerminalEvent; readonly mono: number | undefined };

/** Bounds of how often a broker may wish for samples, as the agent's own. */
const WISHED_MS_MIN = 1_000;
const WISHED_MS_MAX = 3_600_000;

/** 0 stays 0: no wish. */
export const wishedMs = (ms: number): number =>
  ms === 0 ? 0 : Math.min(WISHED_MS_MAX, Math.max(WISHED_MS_MIN, ms));

export const keyOf = ({ stream, seq }: Pick<Sealed, 'stream' | 'seq'>): string =>
  `${stream}/${seq}`;

/** Of the quickest of them since it was first sent: a resend says nothing about the line. */
export function roundTripMs(
  named: readonly Sealed[],
  flights: ReadonlyMap<string, Flight>,
  now: number,
): number | undefined {
  const trips = named.flatMap((row) => {
    const flight = flights.get(keyOf(row));
    return flight === undefined ? [] : [now - flight.firstMs];
  });
  return trips.length === 0 ? undefined : Math.min(...trips);
}

export { choose, isBacklog, isNamed } from '../telemetry/order.ts';
