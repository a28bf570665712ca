// What of two configurations differs for the processes that run: whom a change stops and starts again, whom it takes away
// and whom it brings. Only what a process is born with counts; how it is watched, how often and by which rungs it
// is healed are taken over while it runs. A component that something else starts is never stopped for it.

import { createHash } from 'node:crypto';
import type { AgentConfig, ComponentConfig } from '../../configuration/config.ts';

/** Of this way of saying it: what an earlier agent noted in another way says nothing. */
const WAY = '1';
const CHARS = 32;

const sorted = (env: Readonly<Record<string, string>>): [string, string][] =>
  Object.entries(env).toSorted(([one], [other]) => (one < other ? -1 : 1));

/**
 * What a component is started with, as one word. Only keys by name: one that a later agent knows, and that nobody
 * has set, changes nothing, or an upgrade of the agent would restart every component.
 */
export function launchMark(component: ComponentConfig): string {
  const { run, command, cwd, env, channel, witness, version, user, group } = component;
  const born =
    run === 'external'
      ? { run }
      : { run, command, cwd, env: sorted(env), channel, witness, version, user, group };
  const text = JSON.stringify(born);
  return `${WAY}:${createHash('sha256').update(text).digest('hex').slice(0, CHARS)}`;
}

/** @param mark of what runs; undefined: it was started before such marks were noted. */
export const isOtherLaunch = (mark: string | undefined, component: ComponentConfig): boolean =>
  mark?.startsWith(`${WAY}:`) === true && mark !== launchMark(component);

export type Difference = {
  /** Stopped before, and not started again. */
  readonly removed: readonly string[];
  /** Stopped before and started again. */
  readonly changed: readonly string[];
  readonly added: readonly string[];
};

type Components = Pick<AgentConfig, 'components'>;

export function differenceOf(before: Components, after: Components): Difference {
  const old = new Map(before.components.map((one) => [one.name, one]));
  const names = new Set(after.components.map(({ name }) => name));
  const isOther = (one: ComponentConfig): boolean => {
    const was = old.get(one.name);
    return was !== undefined && launchMark(was) !== launchMark(one);
  };
  return {
    removed: before.components
      .filter(({ name, run }) => run === 'managed' && !names.has(name))
      .map(({ name }) => name),
    changed: after.components.filter(isOther).map(({ name }) => name),
    added: after.components.filter(({ name }) => !old.has(name)).map(({ name }) => name),
  };
}
