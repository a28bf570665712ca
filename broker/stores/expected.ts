// How many lanes of a store should sell now, and how many do. Pure: this is what alerts and service levels divide by, so
// its cases stand in a table (test/unit/stores-lanes.test.ts). A store that has more terminals than lanes expected has
// spare ones: a maintenance takes those first, and only then a lane.

import type { TerminalModel } from '../fleet/model.ts';

export type LanesKnown = {
  /** Undefined: nothing is known of its hours; then nothing can be expected. */
  readonly open: boolean | undefined;
  /** As the file says; as many as stand there where it does not. */
  readonly lanes: number | undefined;
  /** Terminals that stand there. */
  readonly standing: number;
  /** Of those, in maintenance by themselves. */
  readonly maintained: number;
  /** The whole store is. */
  readonly isMaintained: boolean;
};

export function lanesExpectedOf(known: LanesKnown): number {
  const { open, standing, maintained, isMaintained } = known;
  if (open !== true || isMaintained) return 0;
  const lanes = known.lanes ?? standing;
  const spare = Math.max(0, standing - lanes);
  return Math.max(0, lanes - Math.max(0, maintained - spare));
}

/** A component that is suspected still works. */
const WORKS: readonly string[] = ['ready', 'suspect'];

/** Whether it could sell: it is there, and everything that it is made of works. */
export function isSelling({ presence, components }: TerminalModel): boolean {
  if (presence !== 'online') return false;
  const listed = Object.values(components).filter((one) => one.listed);
  return listed.length > 0 && listed.every(({ state }) => WORKS.includes(state));
}
