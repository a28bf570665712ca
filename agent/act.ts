// Does what the state machine asks for: one entry per kind of effect, in a table whose type makes a missing
// one an error of the compiler. Nothing is decided here. What a deed leads to comes back as an event, never as
// a return value. How a life begins is in launch.ts, what takes more than one component in recover.ts.

import type { NewEvent } from '../protocol/events.ts';
import type { Component } from './component.ts';
import { createInquiry } from './evidence/inquiry.ts';
import type { Hands } from './hands.ts';
import { endTree, hookEnvironment, runAs, spawn } from './launch.ts';
import type { Log } from './ports.ts';
import { isUp } from './watchdog/machine.ts';
import type { ComponentEffect } from './watchdog/model.ts';

type Of<K extends ComponentEffect['kind']> = Extract<ComponentEffect, { kind: K }>;
type Executors = {
  readonly [K in ComponentEffect['kind']]: (component: Component, effect: Of<K>) => void;
};
export type Act = (component: Component, effect: ComponentEffect) => void;

export function createAct(hands: Hands): Act {
  const { control, log } = hands;
  const inquiry = createInquiry({ ...hands, evidence: control.evidence, disturb: control.disturb });
  const executors: Executors = {
    spawn: (component, { reason }) => spawn(component, reason, hands),
    terminate: (component, { graceMs, reason }) => {
      const { name, life } = component;
      log.info(`${name} is asked to stop: ${reason}`, { component: name });
      hands.send(name, { kind: 'stop', graceMs, reason });
      if (life !== undefined) control.terminate(life);
    },
    kill: (component, { reason }) => {
      const { name, life } = component;
      log.warn(`${name} is killed: ${reason}`, { component: name, pid: life?.pid });
      if (life !== undefined) endTree(name, life, hands);
      else control.abandon(name);
    },
    collect_evidence: (component, { phase, incident }) =>
      inquiry.collect(component, phase, incident),
    report: (component, { event }) => {
      const told = withVersion(component, event);
      if (told.kind === 'component_state') {
        component.stateTold(told.fields.reason, hands.ports.clock.monotonicMs());
      }
      tell(component, told, log);
      hands.report(told);
    },
    count_restart: ({ name, ended }, { cause }) => hands.countRestart(name, cause, ended),
    command_done: (_component, { command, ok, reason }) => hands.commandDone(command, ok, reason),
    persist: (component) => {
      const ready = isUp(component.model);
      if (component.life !== undefined)
        control.record(component.life, { ready, turns: component.model.watch.turns });
      hands.changed(component.name);
    },
    heal: (component, { incident }) => heal(component, incident, hands),
    abort: ({ name, life }, { reason }) => {
      log.warn(`${name} is told to leave a dump: ${reason}`, { component: name, pid: life?.pid });
      if (life !== undefined) control.abort(life);
    },
    // The plan hears of it with the rest of the news of this step (recovery-glue.ts, newsOf).
    escalate: () => undefined,
    count_recovery: ({ name }, { rung, cause }) => hands.countRecovery(name, rung, cause),
    count_outcome: ({ name }, { rung, held }) => hands.countOutcome(name, rung, held),
    count_suppressed: ({ name }, { rung, cause }) => hands.countSuppressed(name, rung, cause),
    remember: ({ name }) => hands.remember(name),
  };
  return (component, effect) => perform(executors, component, effect);
}

/** The table's type ties each executor to its effect; a look-up by a union loses that tie. */
function perform(executors: Executors, component: Component, effect: ComponentEffect): void {
  const execute = executors[effect.kind] as (c: Component, e: ComponentEffect) => void;
  execute(component, effect);
}

/** By its own program where it has one, else by a word over the channel, which is all that can be known of it. */
function heal(component: Component, incident: string, hands: Hands): void {
  const { name, config, life } = component;
  const done = (ok: boolean, reason: string): void => {
    // What was to be healed may be gone by now, and another life in its place.
    if (component.life === life) hands.push(name, { kind: 'healed', ok, reason });
  };
  const command = config.heal?.command;
  if (config.heal === undefined || command === undefined) {
    const sent = hands.send(name, { kind: 'heal' });
    if (sent) done(true, 'it was asked over the channel to heal itself');
    else done(false, 'it has no connection over which it could be asked');
    return;
  }
  const env = {
    ...hookEnvironment(config, incident, hands),
    ...(life === undefined ? {} : { TILLWATCH_PID: String(life.pid) }),
  };
  const { timeoutMs } = config.heal;
  const { cwd } = config;
  hands.hooks.run(
    { kind: 'heal', component: name, command, timeoutMs, cwd, env, as: runAs(config) },
    ({ ok, reason }) => done(ok, reason),
  );
}

/** What runs is not always what is configured: an adopted component keeps its version until it is restarted. */
function withVersion({ life, config, version }: Component, event: NewEvent): NewEvent {
  const begins = event.kind === 'component_state' && event.fields.to === 'starting';
  if (version === config.version || (begins && life === undefined)) return event;
  if (!('version' in event.fields)) return event;
  return { ...event, fields: { ...event.fields, version } } as NewEvent;
}

/** The agent's own log tells the same story as the events, for whoever stands at the till. */
function tell({ name, life }: Component, event: NewEvent, log: Log): void {
  const about = { component: name, pid: life?.pid };
  switch (event.kind) {
    case 'component_state': {
      const { from, to, reason, cause } = event.fields;
      const line = `${name}: ${from} -> ${to}: ${reason}`;
      const fields = { ...about, from, to, ...(cause === undefined ? {} : { cause }) };
      if (to === 'suspect' || to === 'quarantined') log.warn(line, fields);
      else log.info(line, fields);
      return;
    }
    case 'incident_opened':
      log.warn(`${name}: incident opened: ${event.fields.reason}`, {
        ...about,
        incident: event.fields.incident,
        cause: event.fields.cause,
        version: event.fields.version,
      });
      return;
    default:
      log.info(`${name}: ${event.kind}`, { ...about, ...event.fields });
  }
}
