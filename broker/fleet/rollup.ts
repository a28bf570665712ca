// The fleet in a few numbers: terminals by presence and version, components by state, restarts. Its size
// is bounded however odd the names are that terminals send: the first COMBINATIONS_MAX pairs of
// component and version have their own line and keep it, the rest is counted under "other". Once
// admitted means always admitted, because a counter that changes its label looks like a restart.
// What a terminal adds is worked out once for each state of its record, which never changes.

import type { TerminalModel } from './model.ts';
import type { Presence } from './presence.ts';
import { totalOf } from './tally.ts';
import { createTroubles, type Troubles } from './troubles.ts';
import { restartCounts } from './view.ts';

/** Pairs of component and version with a line of their own (design.md section 6: bounded size). */
export const COMBINATIONS_MAX = 200;
export const OTHER = 'other';
/** The agent itself stands among the versions under this name. */
export const AGENT = 'agent';

type Pair = { readonly component: string; readonly version: string };

export type Rollup = Troubles & {
  readonly terminals: Readonly<Record<Presence | 'total', number>>;
  readonly versions: readonly (Pair & { readonly terminals: number })[];
  readonly states: readonly {
    readonly component: string;
    readonly state: string;
    readonly count: number;
  }[];
  readonly restarts: readonly (Pair & { readonly cause: string; readonly count: number })[];
  readonly agentStarts: number;
};

/** What one terminal adds to one pair. */
type Part = {
  readonly key: string;
  readonly pair: Pair;
  readonly runs: boolean;
  readonly state: string | undefined;
  readonly restarts: readonly (readonly [cause: string, count: number])[];
};

/** All of one pair, over the fleet. */
type Sum = {
  readonly pair: Pair;
  terminals: number;
  readonly states: Map<string, number>;
  readonly restarts: Map<string, number>;
};

const increase = (counts: Map<string, number>, key: string, by: number): void => {
  counts.set(key, (counts.get(key) ?? 0) + by);
};

/** Restarts count for the version that was restarted, and when the component is no longer listed. */
function partsOf(model: TerminalModel): readonly Part[] {
  const parts: Part[] = [];
  const add = (pair: Pair, part: Omit<Part, 'key' | 'pair'>): void => {
    parts.push({ key: `${pair.component}\0${pair.version}`, pair, ...part });
  };
  const { version } = model.agent;
  if (version !== '') {
    add({ component: AGENT, version }, { runs: true, state: undefined, restarts: [] });
  }
  for (const [component, { listed, version: runs, state }] of Object.entries(model.components)) {
    if (listed) add({ component, version: runs }, { runs: true, state, restarts: [] });
  }
  for (const { component, version: of, cause, count } of restartCounts(model)) {
    const restarts = [[cause, count]] as const;
    add({ component, version: of }, { runs: false, state: undefined, restarts });
  }
  return parts;
}

function sumUp(into: Map<string, Sum>, part: Part, isShown: boolean): void {
  let sum = into.get(part.key);
  if (sum === undefined) {
    sum = { pair: part.pair, terminals: 0, states: new Map(), restarts: new Map() };
    into.set(part.key, sum);
  }
  for (const [cause, count] of part.restarts) increase(sum.restarts, cause, count);
  if (!isShown || !part.runs) return;
  sum.terminals += 1;
  if (part.state !== undefined) increase(sum.states, part.state, 1);
}

/** Adds up numbers under labels, and gives them back sorted. */
function createLines<const Label extends string>(...labels: readonly Label[]) {
  const counts = new Map<string, number>();
  return {
    add: (count: number, ...values: readonly string[]): void =>
      increase(counts, values.join('\0'), count),
    list: (): { readonly labels: Record<Label, string>; readonly count: number }[] =>
      [...counts].sort().map(([key, count]) => {
        const values = key.split('\0');
        const pairs = labels.map((label, index) => [label, values[index] ?? '']);
        return { labels: Object.fromEntries(pairs) as Record<Label, string>, count };
      }),
  };
}

/** @param admit says under which pair one is shown. */
function linesOf(sums: Iterable<Sum>, admit: (pair: Pair) => Pair) {
  const versions = createLines('component', 'version');
  const states = createLines('component', 'state');
  const restarts = createLines('component', 'cause', 'version');
  for (const sum of sums) {
    const { component, version } = admit(sum.pair);
    if (sum.terminals > 0) versions.add(sum.terminals, component, version);
    for (const [state, count] of sum.states) states.add(count, component, state);
    for (const [cause, count] of sum.restarts) restarts.add(count, component, cause, version);
  }
  return {
    versions: versions.list().map(({ labels, count }) => ({ ...labels, terminals: count })),
    states: states.list().map(({ labels, count }) => ({ ...labels, count })),
    restarts: restarts.list().map(({ labels, count }) => ({ ...labels, count })),
  };
}

function createAdmission(): (pair: Pair) => Pair {
  const admitted = new Set<string>();
  return (pair) => {
    const key = `${pair.component}\0${pair.version}`;
    if (admitted.has(key)) return pair;
    if (admitted.size >= COMBINATIONS_MAX) return { component: OTHER, version: OTHER };
    admitted.add(key);
    return pair;
  };
}

/** @returns a function that rolls up the fleet; it remembers which pairs it has admitted. */
export function createRollup() {
  const admit = createAdmission();
  const beginTroubles = createTroubles();
  const known = new WeakMap<TerminalModel, readonly Part[]>();
  const partsOnce = (model: TerminalModel): readonly Part[] => {
    const parts = known.get(model) ?? partsOf(model);
    known.set(model, parts);
    return parts;
  };
  return (models: readonly TerminalModel[], isShown: (model: TerminalModel) => boolean): Rollup => {
    const terminals = { total: 0, never: 0, online: 0, late: 0, lost: 0 };
    const sums = new Map<string, Sum>();
    const troubles = beginTroubles();
    let agentStarts = 0;
    for (const model of models) {
      const shown = isShown(model);
      for (const part of partsOnce(model)) sumUp(sums, part, shown);
      if (!shown) continue;
      troubles.add(model);
      terminals.total += 1;
      terminals[model.presence] += 1;
      agentStarts += totalOf(model.agentStarts);
    }
    return { terminals, ...linesOf(sums.values(), admit), agentStarts, ...troubles.sum() };
  };
}
