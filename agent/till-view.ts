// The till as `tillwatch status` shows it: each component with its state and why, what is wrong with it, and how often
// each rung of the ladder may still be used. Pure: from what the supervisor holds to plain data.

import { RUNGS, type Rung } from '../protocol/events.ts';
import type { TillAnswer, TillComponent } from '../protocol/till.ts';
import type { Component } from './component.ts';
import { type Stop, stayReason } from './deeds/stopped.ts';
import { isBusy } from './watchdog/machine.ts';

type Left = TillComponent['left'][number];

/** As far as budgets say; conditions such as idle or uptime come on top. */
export function rungsLeft({ policy, model }: Pick<Component, 'policy' | 'model'>, now: number) {
  const restarts = model.restarts.filter(({ at }) => at > now - policy.restartsWindowMs).length;
  const usedOf = (rung: Rung, windowMs: number): number =>
    model.uses.filter((use) => use.rung === rung && use.at > now - windowMs).length;
  const left = (rung: Rung, of: number, used: number): Left => ({
    ...{ rung, of, times: Math.max(0, of - used) },
  });
  const { heal, canHeal, rungs } = policy;
  const all = [
    ...(canHeal ? [left('heal', heal.times, usedOf('heal', heal.windowMs))] : []),
    left('restart', policy.restartsMax, restarts),
    ...rungs.map(({ rung, times, windowMs }) => left(rung, times, usedOf(rung, windowMs))),
  ];
  return all.toSorted((a, b) => RUNGS.indexOf(a.rung) - RUNGS.indexOf(b.rung));
}

export type StoppedOf = (component: string) => Stop | undefined;

export function componentView(
  component: Component,
  now: number,
  stoppedOf: StoppedOf = () => undefined,
): TillComponent {
  const { name, version, model, policy, state, life } = component;
  const { incident } = model;
  const open = incident?.open === true;
  const stopped = stoppedOf(name);
  const why = stopped && model.state === 'stopped' ? stayReason(stopped) : state?.reason;
  return {
    name,
    version,
    state: model.state,
    forMs: Math.max(0, Math.round(now - (state?.at ?? now))),
    reason: why ?? 'it was not started yet',
    mode: policy.mode,
    ...(life === undefined ? {} : { pid: life.pid }),
    busy: isBusy(model, now),
    ...(stopped === undefined ? {} : { stopped }),
    ...(open
      ? { incident: { id: incident.id, cause: incident.cause, reason: incident.reason } }
      : {}),
    left: rungsLeft(component, now),
  };
}

/** For `systemctl status`. */
export function statusLine(components: readonly Component[]): string {
  const ready = components.filter(({ model }) => model.state === 'ready').length;
  return `${ready} of ${components.length} components ready`;
}

export type TillFacts = Omit<TillAnswer, 'components'>;

export const tillView = (
  facts: TillFacts,
  components: readonly Component[],
  now: number,
  stoppedOf?: StoppedOf,
): TillAnswer => ({
  ...facts,
  components: components.map((component) => componentView(component, now, stoppedOf)),
});
