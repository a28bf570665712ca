// A till for stories of the recovery plan: components that obey, late or not at all, and time that is moved by
// hand in sweeps of a second. What the plan asks for is written down as short lines, in order, so that a story
// can be read as it happened.

import {
  initialRecovery,
  type RecoveryEffect,
  type RecoveryEvent,
  type RecoveryRemembered,
  type RecoverySetting,
  stepRecovery,
} from '../../agent/watchdog/recovery.ts';
import { SETTLE_MS } from '../../agent/watchdog/recovery-model.ts';
import type { ComponentState, Rung } from '../../protocol/events.ts';

export const MINUTE = 60_000;

/** Three levels: what hardware carries, and sync beside it. */
export const ITEMS = [
  { name: 'hardware', after: [] },
  { name: 'sync', after: [] },
  { name: 'sale', after: ['hardware'] },
  { name: 'display', after: ['sale'] },
];
export const NAMES = ITEMS.map(({ name }) => name);

/** What a restart of hardware with its dependants is when nothing comes between. */
export const WHOLE = [
  'stop display',
  'stop sale',
  'launch hardware',
  'start sale',
  'start display',
] as const;

export const setting: RecoverySetting = {
  items: ITEMS,
  timing: new Map(
    NAMES.map((name) => [
      name,
      {
        stopMsMax: 20_000,
        startMsMax: MINUTE,
        resetMs: name === 'hardware' ? 30_000 : undefined,
        isObserved: false,
      },
    ]),
  ),
  reboot: { uptimeMsMin: 15 * MINUTE, hourMax: 1, dayMax: 3 },
};

/** Needs time for nothing unless told otherwise. */
export type Ways = {
  /** Does not die when it is asked to stop. */
  readonly immortal: Set<string>;
  /** Starts and never becomes ready. */
  readonly slow: Set<string>;
  /** Fails as soon as it is started. */
  readonly failing: Set<string>;
};

export function till(remembered: RecoveryRemembered = {}, rules: Partial<RecoverySetting> = {}) {
  const rule = { ...setting, ...rules };
  let now = 1_000;
  let uptimeMs = 20 * MINUTE;
  let totalMs = 100 * 60 * MINUTE;
  let model = initialRecovery(rule, now, remembered);
  const lines: string[] = [];
  const effects: RecoveryEffect[] = [];
  const ways: Ways = { immortal: new Set(), slow: new Set(), failing: new Set() };
  const queue: RecoveryEvent[] = [];

  function be(component: string, state: ComponentState): void {
    queue.push({ kind: 'state', component, state });
  }

  function perform(effect: RecoveryEffect): void {
    effects.push(effect);
    if (effect.kind === 'stop' || effect.kind === 'start' || effect.kind === 'launch') {
      const { kind, component } = effect;
      lines.push(`${kind} ${component}`);
      if (kind === 'stop') {
        be(component, 'stopping');
        if (!ways.immortal.has(component)) be(component, 'stopped');
        return;
      }
      // It runs: nothing is to be done, and nothing is told.
      if (kind === 'start' && model.states.get(component) === 'ready') return;
      // Wanted again while it does not die: it is started when it is gone.
      if (model.states.get(component) === 'stopping') return;
      be(component, 'starting');
      if (ways.failing.has(component)) be(component, 'backoff');
      else if (!ways.slow.has(component)) be(component, 'ready');
    } else if (effect.kind === 'refuse') {
      lines.push(`refuse ${effect.component} ${effect.rung}: ${effect.reason}`);
    } else if (effect.kind === 'hook' || effect.kind === 'reboot') {
      lines.push(`${effect.kind} ${effect.component}`);
    } else lines.push(effect.kind === 'report' ? effect.event.kind : effect.kind);
  }

  function send(event: RecoveryEvent): void {
    queue.push(event);
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const before = JSON.stringify(model);
      const result = stepRecovery(rule, model, next, now);
      if (JSON.stringify(model) !== before) throw new Error('a step changed its own input');
      model = result.model;
      const endless = model.phase !== 'idle' && !Number.isFinite(model.deadline);
      if (endless) throw new Error(`${model.phase} has no deadline`);
      result.effects.forEach(perform);
    }
  }

  const story = {
    send,
    ways,
    lines,
    effects,
    model: () => model,
    now: () => now,
    be(component: string, state: ComponentState): void {
      send({ kind: 'state', component, state });
    },
    busy(component: string, busy = true): void {
      send({ kind: 'busy', component, busy });
    },
    /** @returns what was asked for since. */
    take: (): string[] => lines.splice(0).filter((line) => line !== 'persist'),
    pass(ms: number): void {
      for (const end = now + ms; now < end; ) {
        const gap = Math.min(1_000, end - now);
        now += gap;
        uptimeMs += gap;
        totalMs += gap;
        send({ kind: 'tick', uptimeMs, totalMs });
      }
    },
    boot(): void {
      uptimeMs = 0;
    },
    /** Time that passes with nobody looking. */
    later(ms: number): void {
      uptimeMs += ms;
      totalMs += ms;
    },
    fails(component: string, rung: Rung, incident = 'i-1'): void {
      story.be(component, 'backoff');
      const reason = 'it crashed';
      send({ kind: 'escalated', component, rung, incident, cause: 'crash', reason });
    },
  };
  return story;
}

/** Everybody is ready and the agent has been there for a while. */
export function running(remembered: RecoveryRemembered = {}, rules: Partial<RecoverySetting> = {}) {
  const story = till(remembered, rules);
  for (const name of NAMES) story.be(name, 'ready');
  story.pass(2 * SETTLE_MS);
  story.take();
  return story;
}
