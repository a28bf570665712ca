// The fleet in a few numbers: terminals by presence and version, components by state, restarts. Its size
// is bounded however odd the names are that terminals send: the first COMBINATIONS_MAX pairs of
// component and version have their own line and keep it, the rest is counted under "other". Once
// admitted means always admitted, because a counter that changes its label looks like a restart.

import type { Presence, RestartCount, TerminalView } from './view.ts';

/** Pairs of component and version with a line of their own (design.md section 6: bounded size). */
export const COMBINATIONS_MAX = 200;
export const OTHER = 'other';

export type Rollup = {
  readonly terminals: Readonly<Record<Presence | 'total', number>>;
  readonly versions: readonly {
    readonly component: string;
    readonly version: string;
    readonly terminals: number;
  }[];
  readonly states: readonly {
    readonly component: string;
    readonly state: string;
    readonly count: number;
  }[];
  readonly restarts: readonly {
    readonly component: string;
    readonly cause: string;
    readonly version: string;
    readonly count: number;
  }[];
  readonly agentStarts: number;
};

/** `view` is undefined for a terminal that is no longer planned: only its restarts still count. */
export type RollupInput = {
  readonly view: TerminalView | undefined;
  readonly restarts: readonly RestartCount[];
};

/** Adds up numbers under a key of several parts, and gives them back sorted by key. */
function tally<const Part extends string>(...parts: readonly Part[]) {
  const sums = new Map<string, number>();
  return {
    add: (count: number, ...values: readonly string[]): void => {
      const key = values.join('\0');
      sums.set(key, (sums.get(key) ?? 0) + count);
    },
    list: (): { readonly labels: Record<Part, string>; readonly count: number }[] =>
      [...sums].sort().map(([key, count]) => {
        const values = key.split('\0');
        const pairs = parts.map((part, index) => [part, values[index] ?? '']);
        return { labels: Object.fromEntries(pairs) as Record<Part, string>, count };
      }),
  };
}

/** The agent itself stands among the versions under this name. */
export const AGENT = 'agent';

/** @returns a function that rolls up the fleet; it remembers which pairs it has admitted. */
export function createRollup(): (fleet: Iterable<RollupInput>) => Rollup {
  const admitted = new Set<string>();
  const pair = (component: string, version: string): readonly [string, string] => {
    const key = `${component}\0${version}`;
    if (admitted.has(key)) return [component, version];
    if (admitted.size >= COMBINATIONS_MAX) return [OTHER, OTHER];
    admitted.add(key);
    return [component, version];
  };
  return (fleet) => {
    const presence = { total: 0, never: 0, online: 0, late: 0, lost: 0 };
    const versions = tally('component', 'version');
    const states = tally('component', 'state');
    const restarts = tally('component', 'cause', 'version');
    let agentStarts = 0;
    const addView = (view: TerminalView): void => {
      presence.total += 1;
      presence[view.presence] += 1;
      agentStarts += view.agent.starts;
      if (view.agent.version !== '') versions.add(1, ...pair(AGENT, view.agent.version));
      for (const component of view.components) {
        const [name, version] = pair(component.name, component.version);
        versions.add(1, name, version);
        states.add(1, name, component.state);
      }
    };
    for (const { view, restarts: counts } of fleet) {
      if (view !== undefined) addView(view);
      for (const { component, cause, version, count } of counts) {
        const [name, known] = pair(component, version);
        restarts.add(count, name, cause, known);
      }
    }
    return {
      terminals: presence,
      versions: versions.list().map(({ labels, count }) => ({ ...labels, terminals: count })),
      states: states.list().map(({ labels, count }) => ({ ...labels, count })),
      restarts: restarts.list().map(({ labels, count }) => ({ ...labels, count })),
      agentStarts,
    };
  };
}
