// Bugs, planted into the machines one at a time: for each rule those that it is there to find. A checker that lets
// one of them pass proves nothing by its silence.

import type { ComponentEffect, ComponentEvent } from '../../agent/watchdog/model.ts';
import type { RecoveryEffect, RecoveryEvent } from '../../agent/watchdog/recovery.ts';
import type { CheckerName } from './checkers.ts';
import type { PlanCheckerName } from './checkers-plan.ts';
import { MACHINES, type Machines } from './world.ts';

type Step = Machines['step'];
type StepRecovery = Machines['stepRecovery'];
const { step, stepRecovery } = MACHINES;

/** In the machine of a component. */
const inStep = (bug: Step): Machines => ({ step: bug, stepRecovery });
/** In the plan. */
const inPlan = (bug: StepRecovery): Machines => ({ step, stepRecovery: bug });

const without = (drop: (effect: ComponentEffect) => boolean): Machines =>
  inStep((policy, model, event, now) => {
    const result = step(policy, model, event, now);
    return { ...result, effects: result.effects.filter((effect) => !drop(effect)) };
  });
const isReport = (effect: ComponentEffect, kind: string): boolean =>
  effect.kind === 'report' && effect.event.kind === kind;
const withPolicy = (change: (policy: Parameters<Step>[0]) => Parameters<Step>[0]): Machines =>
  inStep((policy, model, event, now) => step(change(policy), model, event, now));
const deafTo = (kind: ComponentEvent['kind']): Machines =>
  inStep((policy, model, event, now) =>
    event.kind === kind ? { model, effects: [] } : step(policy, model, event, now),
  );
const hearing = (change: (event: ComponentEvent) => ComponentEvent): Machines =>
  inStep((policy, model, event, now) => step(policy, model, change(event), now));

const planDeafTo = (kind: RecoveryEvent['kind']): Machines =>
  inPlan((setting, model, event, now) =>
    event.kind === kind ? { model, effects: [] } : stepRecovery(setting, model, event, now),
  );
const planHearing = (change: (event: RecoveryEvent) => RecoveryEvent): Machines =>
  inPlan((setting, model, event, now) => stepRecovery(setting, model, change(event), now));
const planWithout = (drop: (effect: RecoveryEffect) => boolean): Machines =>
  inPlan((setting, model, event, now) => {
    const result = stepRecovery(setting, model, event, now);
    return { ...result, effects: result.effects.filter((effect) => !drop(effect)) };
  });
type Setting = Parameters<StepRecovery>[0];
type Plan = Parameters<StepRecovery>[1];
const planWith = (change: (setting: Setting) => Setting): Machines =>
  inPlan((setting, model, event, now) => stepRecovery(change(setting), model, event, now));
const planBelieving = (change: (model: Plan) => Plan): Machines =>
  inPlan((setting, model, event, now) => stepRecovery(setting, change(model), event, now));
const reboots = (change: Partial<NonNullable<Setting['reboot']>>): Machines =>
  planWith((setting) => ({
    ...setting,
    reboot: setting.reboot && { ...setting.reboot, ...change },
  }));

const ofComponents: Record<CheckerName, Readonly<Record<string, Machines>>> = {
  neverTwoCopies: {
    'starts one beside it at a restart': inStep((policy, model, event, now) => {
      const result = step(policy, model, event, now);
      if (event.kind !== 'restart' || model.state !== 'ready') return result;
      return { ...result, effects: [...result.effects, { kind: 'spawn', reason: 'impatient' }] };
    }),
    'believes that a kill is a death': inStep((policy, model, event, now) => {
      const result = step(policy, model, event, now);
      if (!result.effects.some(({ kind }) => kind === 'kill')) return result;
      const dead = { kind: 'exited', code: undefined, signal: 'SIGKILL' } as const;
      const next = step(policy, result.model, dead, now);
      return { model: next.model, effects: [...result.effects, ...next.effects] };
    }),
    'adopts nobody': deafTo('adopted'),
  },
  neverOverBudget: {
    'one more': withPolicy((policy) => ({ ...policy, restartsMax: policy.restartsMax + 1 })),
    'no budget for a cause': withPolicy((policy) => ({ ...policy, budgetCauses: {} })),
    'hurries quarantine': withPolicy((policy) => ({ ...policy, quarantineRetryMs: 100 })),
    'forgets with its agent': without(({ kind }) => kind === 'persist'),
  },
  noKillInGrace: {
    'was never away': deafTo('paused'),
    'moves deadlines and gives no grace': inStep((policy, model, event, now) => {
      const result = step(policy, model, event, now);
      if (event.kind !== 'paused') return result;
      const watch = { ...model.watch, beatAt: model.watch.beatAt + (event.gapMs || 0) };
      return { ...result, model: { ...result.model, watch } };
    }),
  },
  alwaysADeadline: {
    'backs off for ever': inStep((policy, model, event, now) => {
      const result = step(policy, model, event, now);
      const lost = result.model.state === 'backoff';
      return lost ? { ...result, model: { ...result.model, deadline: undefined } } : result;
    }),
    'does not look while it stops': inStep((policy, model, event, now) =>
      event.kind === 'tick' && model.state === 'stopping'
        ? { model, effects: [] }
        : step(policy, model, event, now),
    ),
    'counts sleep as time': inStep((policy, model, event, now) => {
      const gapMs = event.kind === 'paused' && event.gapMs === 0 ? 8 * 3_600_000 : undefined;
      return step(policy, model, gapMs === undefined ? event : { kind: 'paused', gapMs }, now);
    }),
  },
  oneAnswerPerCommand: {
    'never says no': without((effect) => effect.kind === 'command_done' && !effect.ok),
    'says it twice': inStep((policy, model, event, now) => {
      const result = step(policy, model, event, now);
      const again = result.effects.filter(({ kind }) => kind === 'command_done');
      return { ...result, effects: [...result.effects, ...again] };
    }),
  },
  noKillWithoutStory: {
    'opens no incident': without((effect) => isReport(effect, 'incident_opened')),
    'looks at nothing': without((effect) => effect.kind === 'collect_evidence'),
  },
  incidentsAreStories: {
    'tells no recovery': without((effect) => isReport(effect, 'incident_recovered')),
  },
  statesAreTold: {
    'tells no state': without((effect) => isReport(effect, 'component_state')),
  },
  onlyWatched: {
    'acts in observe': withPolicy((policy) => ({ ...policy, mode: 'act' })),
    'does not hear of a hold': deafTo('hold'),
  },
  noTenderCutOff: {
    'has no patience': withPolicy((policy) => ({ ...policy, tenderMsMax: 0 })),
    'does not know a tender': hearing((event) =>
      event.kind === 'begin' ? { ...event, name: 'work' } : event,
    ),
    'believes that a touch ends it': hearing((event) =>
      event.kind === 'touch' ? { kind: 'end', id: event.id } : event,
    ),
  },
  noSaleCutOffByPlan: {
    'does not hear of sales': deafTo('busy'),
    'forces what is only asked': hearing((event) =>
      event.kind === 'restart' ? { ...event, force: true } : event,
    ),
    'forgets sales with a new connection': inStep((policy, model, event, now) => {
      const result = step(policy, model, event, now);
      if (event.kind !== 'touch') return result;
      return { ...result, model: { ...result.model, busy: new Map() } };
    }),
  },
  rungsWithinBudget: {
    'once more': withPolicy((policy) => ({
      ...policy,
      rungs: policy.rungs.map((rule) => ({ ...rule, times: rule.times + 1 })),
    })),
    'does not cool down': withPolicy((policy) => ({
      ...policy,
      rungs: policy.rungs.map((rule) => ({ ...rule, coolDownMs: 0 })),
    })),
    'heals for ever': withPolicy((policy) => ({
      ...policy,
      heal: { times: 100, windowMs: 1, coolDownMs: 0 },
    })),
    'forgets with its agent': without(({ kind }) => kind === 'remember'),
  },
};

const ofThePlan: Record<PlanCheckerName, Readonly<Record<string, Machines>>> = {
  alwaysAnEnd: {
    'waits for ever': inPlan((setting, model, event, now) => {
      const result = stepRecovery(setting, model, event, now);
      if (result.model.phase !== 'waiting') return result;
      return { ...result, model: { ...result.model, deadline: undefined } };
    }),
    'does not look at the clock': planDeafTo('tick'),
    'only waits for the hook': inPlan((setting, model, event, now) =>
      event.kind === 'tick' && model.phase === 'resetting'
        ? { model, effects: [] }
        : stepRecovery(setting, model, event, now),
    ),
    'believes that a reboot always comes': inPlan((setting, model, event, now) =>
      event.kind === 'tick' && model.phase === 'rebooting'
        ? { model, effects: [] }
        : stepRecovery(setting, model, event, now),
    ),
  },
  stopsInReverse: {
    'knows of no order': planWith((setting) => ({
      ...setting,
      items: setting.items.map(({ name }) => ({ name, after: [] })),
    })),
    'believes that asking is enough': planBelieving((model) => ({
      ...model,
      operation: model.operation && {
        ...model.operation,
        members: model.operation.members.map((member) =>
          member.progress === 'asked' ? { ...member, progress: 'down' } : member,
        ),
      },
    })),
  },
  startsInOrder: {
    'believes that a start is readiness': planHearing((event) =>
      event.kind === 'state' && event.state === 'starting' ? { ...event, state: 'ready' } : event,
    ),
    'has no patience': planWith((setting) => ({
      ...setting,
      timing: new Map(
        [...setting.timing].map(([name, timing]) => [name, { ...timing, startMsMax: 0 }]),
      ),
    })),
  },
  restartsWhoWasActive: {
    'forgets to start them': planWithout(({ kind }) => kind === 'start'),
    'believes that everybody runs': planHearing((event) =>
      event.kind === 'state' && event.state === 'stopped' ? { ...event, state: 'ready' } : event,
    ),
    'stops who is only observed': planWith((setting) => ({
      ...setting,
      timing: new Map(
        [...setting.timing].map(([name, timing]) => [name, { ...timing, isObserved: false }]),
      ),
    })),
  },
  stopsNobodyInASale: {
    'does not hear of sales': planDeafTo('busy'),
    'believes idle whom it does not know yet': inPlan((setting, model, event, now) => {
      const { settledAt } = model;
      // The component's own machine guards it as well, so that has to be unheard.
      if (now < settledAt && event.kind === 'busy') return { model, effects: [] };
      const result = stepRecovery(setting, { ...model, settledAt: 0 }, event, now);
      const known = Math.max(settledAt, result.model.settledAt);
      return { ...result, model: { ...result.model, settledAt: known } };
    }),
  },
  beginsNothingWhenHeld: { 'does not hear of a hold': planDeafTo('hold') },
  rebootsOnlyIdle: {
    'does not hear of sales': planDeafTo('busy'),
    'does not ask again once it is noted': inPlan((setting, model, event, now) =>
      stepRecovery(
        setting,
        model.phase === 'noting' ? { ...model, busy: new Set() } : model,
        event,
        now,
      ),
    ),
  },
  rebootsWithinBudget: {
    'soon after a boot': reboots({ uptimeMsMin: 0 }),
    'too often an hour': reboots({ hourMax: 100 }),
    'forgets them': planBelieving((model) =>
      model.phase === 'noting' ? model : { ...model, reboots: [] },
    ),
    'each one helped': planBelieving((model) => ({
      ...model,
      reboots: model.reboots.map((token) => ({ ...token, held: true })),
    })),
    'writes down nothing': inPlan((setting, model, event, now) => {
      const result = stepRecovery(setting, model, event, now);
      const effects = result.effects.map((effect) =>
        effect.kind === 'note_reboot' ? { ...effect, reboots: [] } : effect,
      );
      return { ...result, effects };
    }),
  },
  rebootsAreNoted: {
    'does not wait for the disk': inPlan((setting, model, event, now) => {
      const result = stepRecovery(setting, model, event, now);
      if (!result.effects.some(({ kind }) => kind === 'note_reboot')) return result;
      const noted = { kind: 'noted', ok: true, reason: 'surely' } as const;
      const next = stepRecovery(setting, result.model, noted, now);
      return { model: next.model, effects: [...result.effects, ...next.effects] };
    }),
    'takes any answer for a yes': planHearing((event) =>
      event.kind === 'noted' ? { ...event, ok: true } : event,
    ),
  },
};

export const planted = { ...ofComponents, ...ofThePlan };
