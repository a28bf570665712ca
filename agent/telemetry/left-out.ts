// What is told of series that are not sent: their names, once for each set of them and at most once an hour for each
// component, so that a label that never repeats fills no outbox with news of itself. Pure but for what it
// remembers; what was told by an agent before is not told again.

import type { NewEvent } from '../../protocol/events.ts';
import { OVER } from './budget.ts';
import type { LeftOut } from './series.ts';

export const LEFT_OUT_EVERY_MS = 60 * 60_000;
/** Of one event; the count is of all. 100 names of 128 characters fit in an event twice. */
export const NAMES_TOLD_MAX = 100;
const REASONS_MAX = 3;

type Told = { readonly names: string; readonly atMs: number };
/** By component, the names that were told. */
export type ToldNames = Readonly<Record<string, string>>;

export class LeftOutTeller {
  readonly #told = new Map<string, Told>();

  constructor(remembered: ToldNames = {}) {
    for (const [component, names] of Object.entries(remembered)) {
      this.#told.set(component, { names, atMs: Number.NEGATIVE_INFINITY });
    }
  }

  told(): ToldNames {
    return Object.fromEntries([...this.#told].map(([component, { names }]) => [component, names]));
  }

  /** @param component `agent` for our own. @returns what is news of one sample. */
  hear(
    component: string,
    left: readonly LeftOut[],
    seriesMax: number,
    nowMs: number,
  ): NewEvent | undefined {
    const names = [...new Set(left.map(({ name }) => name))].sort();
    const before = this.#told.get(component);
    const signature = names.slice(0, NAMES_TOLD_MAX).join(' ');
    if (names.length === 0 || signature === before?.names) return undefined;
    if (before !== undefined && nowMs - before.atMs < LEFT_OUT_EVERY_MS) return undefined;
    this.#told.set(component, { names: signature, atMs: nowMs });
    const reasons = [...new Set(left.map(({ reason }) => reason))].map((reason) =>
      reason === OVER ? `over the budget of ${seriesMax} series` : reason,
    );
    const fields = {
      names: names.slice(0, NAMES_TOLD_MAX),
      count: left.reduce((sum, { count }) => sum + count, 0),
      seriesMax,
      reason: reasons.slice(0, REASONS_MAX).join('; ').slice(0, 500),
    };
    const of = component === 'agent' ? '' : component;
    return { kind: 'series_left_out', component: of, fields };
  }
}
