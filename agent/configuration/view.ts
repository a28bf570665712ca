// What an agent says of the configuration that it runs under: to the centre in its inventory and its series, and to
// whoever stands at the till.

import type { ConfigurationState } from '../../protocol/event-kinds.ts';
import type { TillAnswer } from '../../protocol/till.ts';
import type { Keeper } from './keeper.ts';
import { isOnTrial } from './model.ts';
import { RESULTS } from './types.ts';

export type ConfigurationView = {
  readonly state: ConfigurationState;
  readonly name?: string;
  readonly version?: number;
  readonly sha256?: string;
};

/** The note of its end is on disk before the till is back. */
const isLeft = (keeper: Keeper | undefined): boolean =>
  keeper !== undefined && isOnTrial(keeper.model);

export function configurationView(
  keeper: Keeper | undefined,
  overridden: boolean,
): ConfigurationView & { readonly overridden?: boolean } {
  const over = overridden ? { overridden } : {};
  const { running, notes } = keeper?.model ?? {};
  if (running === undefined) return { state: 'own', ...over };
  const isTried = notes?.trial?.document.sha256 === running.sha256 || isLeft(keeper);
  const state = isTried ? 'trial' : 'kept';
  return { state, ...running, ...over };
}

/** For whoever stands at the till. */
export function configurationAtTill(
  keeper: Keeper | undefined,
  overridden: boolean,
  bootMs: number,
): NonNullable<TillAnswer['configuration']> {
  const view = configurationView(keeper, overridden);
  const { phase, notes } = keeper?.model ?? {};
  const tried = phase?.kind === 'trying' ? { triedMs: Math.max(0, bootMs - phase.sinceMs) } : {};
  const { outcome } = notes ?? {};
  if (outcome?.what !== 'rolled_back' || view.state === 'trial') return { ...view, ...tried };
  const { name, version } = outcome.document;
  return { ...view, ...tried, left: { name, version, reason: outcome.reason } };
}

/** For the series of the agent. */
export function configurationReading(keeper: Keeper | undefined): {
  readonly configuration?: { readonly name: string; readonly version: string };
  readonly configurationTrials: readonly (readonly [string, number])[];
} {
  const { running, notes } = keeper?.model ?? {};
  const configurationTrials = RESULTS.map((what) => [what, notes?.counts[what] ?? 0] as const);
  if (running === undefined) return { configurationTrials };
  const { name, version } = running;
  return { configurationTrials, configuration: { name, version: String(version) } };
}
