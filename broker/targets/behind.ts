// Who runs another version than its target: for one terminal, for each target and over the fleet. A terminal that is not
// heard of is counted apart, because what it runs now nobody knows; one that never had the component is not meant.
// What a record of a terminal adds is worked out once for each state of the record and of the targets, as ten thousand
// terminals are asked about by every scrape.

import type { BehindView } from '../fleet/describe.ts';
import type { TerminalModel } from '../fleet/model.ts';
import { isSilent, keyOf, type Place, type Resolve, runningOf, type Target } from './model.ts';

export type TargetCounts = {
  /** Terminals for which it is the target. */
  readonly meant: number;
  readonly running: number;
  readonly behind: number;
  /** Meant, and not heard of: they are in neither of the two. */
  readonly silent: number;
};
export type TargetBehind = {
  readonly terminal: string;
  readonly store: string;
  readonly component: string;
  readonly running: string;
  readonly target: string;
};

type Standing = {
  readonly target: Target;
  /** Undefined: it never said. */
  readonly running: string | undefined;
};

/** @param placeOf where a terminal stands by now. */
export function createBehind(placeOf: (model: TerminalModel) => Place) {
  let resolve: Resolve = () => [];
  let known = new WeakMap<TerminalModel, readonly Standing[]>();

  function standings(model: TerminalModel): readonly Standing[] {
    const before = known.get(model);
    if (before !== undefined) return before;
    const made = resolve(placeOf(model)).flatMap(({ target }) => {
      const running = runningOf(model, target.component);
      // It has spoken, and has no such component.
      if (running === undefined && model.agent.version !== '') return [];
      return [{ target, running }];
    });
    known.set(model, made);
    return made;
  }

  const behindOf = (model: TerminalModel): readonly BehindView[] =>
    standings(model)
      .filter(({ running, target }) => running !== undefined && running !== target.version)
      .map(({ running = '', target: { component, version } }) => ({
        ...{ component, running, target: version },
      }));

  return {
    /** The targets, or where terminals stand, have changed. */
    renew: (now: Resolve): void => {
      resolve = now;
      known = new WeakMap();
    },
    of: behindOf,
    /** By the key of a target. */
    counts: (models: readonly TerminalModel[]): ReadonlyMap<string, TargetCounts> => {
      const counts = new Map<string, Record<keyof TargetCounts, number>>();
      for (const model of models) {
        for (const { target, running } of standings(model)) {
          const key = keyOf(target);
          const sum = counts.get(key) ?? { meant: 0, running: 0, behind: 0, silent: 0 };
          counts.set(key, sum);
          sum.meant += 1;
          if (isSilent(model) || running === undefined) sum.silent += 1;
          else if (running === target.version) sum.running += 1;
          else sum.behind += 1;
        }
      }
      return counts;
    },
    /** Of those that are heard of. @param silent of the others, as they were when they last said something. */
    list: (
      models: readonly TerminalModel[],
      { silent, component }: { readonly silent: boolean; readonly component?: string | undefined },
    ): readonly TargetBehind[] =>
      models
        .filter((model) => isSilent(model) === silent)
        .flatMap((model) =>
          behindOf(model)
            .filter((one) => component === undefined || one.component === component)
            .map((one) => ({ terminal: model.id, store: model.store, ...one })),
        ),
  };
}
export type Behind = ReturnType<typeof createBehind>;
