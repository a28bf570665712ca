// In which order components start and stop, and who depends on whom. Pure functions over names and
// `after` lists, as in a supervisor's child list: start forwards, stop backwards (OTP supervisor). There is
// no stored plan that could grow stale: who may start is asked anew at each change of state.

import type { ComponentState } from '../../protocol/events.ts';

export type PlanItem = { readonly name: string; readonly after: readonly string[] };
export type PlanProblem = { readonly name: string; readonly reason: string };
export type States = ReadonlyMap<string, ComponentState>;

type Standing = {
  readonly state: ComponentState;
  readonly told: ReadonlyMap<string, unknown>;
  readonly unkillableTold: boolean;
};

/**
 * Its state to those that come after it: one that is late for good and only observed, or that the kernel does not
 * let die, holds nobody up any longer.
 */
export function orderState({ state, told, unkillableTold }: Standing): ComponentState {
  const isLate = state === 'starting' && told.has('start_timeout');
  return isLate || (state === 'stopping' && unkillableTold) ? 'suspect' : state;
}

/** Everything that makes the order impossible, as sentences for the configuration's author. */
export function planProblems(items: readonly PlanItem[]): readonly PlanProblem[] {
  const names = new Set(items.map(({ name }) => name));
  const problems: PlanProblem[] = [];
  for (const { name, after } of items) {
    for (const other of new Set(after)) {
      if (other === name) problems.push({ name, reason: `${name} cannot start after itself` });
      else if (!names.has(other)) {
        problems.push({ name, reason: `${name} starts after ${other}, which is not configured` });
      }
    }
  }
  const cycle = findCycle(items);
  if (cycle !== undefined) {
    const [name = ''] = cycle;
    const path = [...cycle, name].join(' after ');
    problems.push({ name, reason: `components wait for each other and none can start: ${path}` });
  }
  return problems;
}

/** Start order: as configured, except that a component comes after what it needs (Kahn, stable). */
export function startOrder(items: readonly PlanItem[]): readonly string[] {
  const left = [...items];
  const placed = new Set<string>();
  const known = new Set(items.map(({ name }) => name));
  const order: string[] = [];
  while (left.length > 0) {
    const found = left.findIndex(({ after }) =>
      after.every((name) => placed.has(name) || !known.has(name)),
    );
    // A cycle is refused by planProblems; here it only must not loop: take the first as it stands.
    const [item] = left.splice(Math.max(0, found), 1);
    if (item === undefined) break;
    placed.add(item.name);
    order.push(item.name);
  }
  return order;
}

export const stopOrder = (items: readonly PlanItem[]): readonly string[] =>
  startOrder(items).toReversed();

/**
 * Those that are stopped and wait for nothing in their `after`, in start order. What failed is not waited for, or a
 * till whose scanner is broken, or whose line is down, would not sell. `toStart`: who is yet to be started.
 */
export function mayStart(
  items: readonly PlanItem[],
  states: States,
  toStart?: ReadonlySet<string>,
): readonly string[] {
  const after = new Map(items.map((item) => [item.name, item.after]));
  const holdsUp = (other: string): boolean => {
    const state = states.get(other) ?? 'stopped';
    if (state === 'stopped') return toStart?.has(other) ?? true;
    return state === 'starting' || state === 'stopping';
  };
  return startOrder(items).filter(
    (name) =>
      (states.get(name) ?? 'stopped') === 'stopped' && !(after.get(name) ?? []).some(holdsUp),
  );
}

/** Those that are not stopped and on which nothing that still runs depends, in stop order. */
export function mayStop(items: readonly PlanItem[], states: States): readonly string[] {
  const runs = (name: string): boolean => (states.get(name) ?? 'stopped') !== 'stopped';
  return stopOrder(items).filter(
    (name) => runs(name) && !dependants(items, name).some((other) => runs(other)),
  );
}

/** All that need `name`, directly or not, in start order; without `name` itself. */
export function dependants(items: readonly PlanItem[], name: string): readonly string[] {
  const reached = new Set([name]);
  for (let grown = true; grown; ) {
    const more = items.filter(
      (item) => !reached.has(item.name) && item.after.some((other) => reached.has(other)),
    );
    for (const item of more) reached.add(item.name);
    grown = more.length > 0;
  }
  reached.delete(name);
  return startOrder(items).filter((other) => reached.has(other));
}

/** All that `name` needs, directly or not, in start order; without `name` itself. */
export function needs(items: readonly PlanItem[], name: string): readonly string[] {
  const after = new Map(items.map((item) => [item.name, item.after]));
  const reached = new Set([name]);
  // A set is walked to its end, also over what is added on the way.
  for (const each of reached) {
    for (const other of after.get(each) ?? []) if (after.has(other)) reached.add(other);
  }
  reached.delete(name);
  return startOrder(items).filter((other) => reached.has(other));
}

/** One cycle of at least two components, or undefined. */
function findCycle(items: readonly PlanItem[]): readonly string[] | undefined {
  const needs = new Map(items.map(({ name, after }) => [name, after]));
  const done = new Set<string>();
  const visit = (name: string, path: readonly string[]): readonly string[] | undefined => {
    const seen = path.indexOf(name);
    if (seen !== -1) return path.length - seen > 1 ? path.slice(seen) : undefined;
    if (done.has(name)) return undefined;
    for (const other of needs.get(name) ?? []) {
      const cycle = visit(other, [...path, name]);
      if (cycle !== undefined) return cycle;
    }
    done.add(name);
    return undefined;
  };
  for (const { name } of items) {
    const cycle = visit(name, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}
