// Whether a till is as it was, under a document that is tried: who has to be ready, and who of them is not. Somebody whom
// an operator has stopped, and a component that is done as it should be, holds nothing up; one that still runs
// as the configuration before had it does, however well it feels.

import type { AgentConfig, ComponentConfig } from '../../configuration/config.ts';
import type { Component } from '../component.ts';
import { isOtherLaunch } from './difference.ts';
import type { Notes } from './types.ts';

const isReady = ({ model }: Pick<Component, 'model'>): boolean =>
  model.state === 'ready' || model.state === 'suspect';

/** Started a moment ago, as after a trial that has just ended, and nothing says that it will not be. */
const isComing = ({ model }: Pick<Component, 'model'>): boolean =>
  model.state === 'starting' && model.failures === 0;

/**
 * Whether the restarts that an agent before has counted say nothing of it: they were those of a document that was left,
 * or of the program that this one replaces. Otherwise the last good one would begin with a budget that the bad one
 * has spent, and climb at once.
 */
export function isFresh({ trial, outcome }: Notes, component: string): boolean {
  if (trial !== undefined) return trial.attempts <= 1 && trial.restarted.includes(component);
  return outcome?.what === 'rolled_back' && !outcome.isTold;
}

/** It ran when the document came, was stopped for it, and its end under that says nothing of it without. */
export function isToRunAgain({ outcome }: Notes, component: string): boolean {
  if (outcome?.what !== 'rolled_back' || outcome.isTold) return false;
  const { restarted, needed = [] } = outcome;
  return restarted.includes(component) && needed.includes(component);
}

/** One that is only waited for may not be started today at all. */
const isWaitedFor = ({ run, external }: ComponentConfig): boolean =>
  run === 'external' && external?.start === undefined;

/** Of those in `after`: who is ready now or about to be, and who is new. */
export function neededOf(
  components: readonly Component[],
  after: Pick<AgentConfig, 'components'>,
): string[] {
  const known = new Map(components.map((one) => [one.name, one]));
  return after.components
    .filter((one) => {
      const now = known.get(one.name);
      return now === undefined ? !isWaitedFor(one) : isReady(now) || isComing(now);
    })
    .map(({ name }) => name);
}

export function unreadyOf(
  components: readonly Component[],
  needed: readonly string[],
  isStopped: (component: string) => boolean,
): Component[] {
  return components.filter((one) => {
    const { name, config, life, model } = one;
    if (!needed.includes(name) || isStopped(name)) return false;
    if (isOtherLaunch(life?.launch, config)) return true;
    const isDone = model.state === 'stopped' && config.restart !== 'permanent';
    return !isReady(one) && !isDone;
  });
}
