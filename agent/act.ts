// Does what the state machine asks for: one entry per kind of effect, in a table whose type makes a missing
// one an error of the compiler. Nothing is decided here, and only here is a component started, asked to
// stop or killed. What a deed leads to comes back as an event, never as a return value.

import { randomBytes, randomUUID } from 'node:crypto';
import type { Cause, NewEvent } from '../protocol/events.ts';
import type { ToComponent } from './channel/messages.ts';
import type { Component } from './component.ts';
import type { Log, Ports } from './ports.ts';
import type { Control, Exit, Life } from './watchdog/control.ts';
import { isUp } from './watchdog/machine.ts';
import type { ComponentEffect, ComponentEvent } from './watchdog/model.ts';
import { startProbe } from './watchdog/probes.ts';
import { startProgress } from './watchdog/progress.ts';

const TOKEN_BYTES = 24;

/** What the deeds are done with. */
export type Hands = {
  readonly ports: Ports;
  readonly log: Log;
  readonly control: Control;
  readonly socketPath: string;
  /** PATH, HOME, LANG and TZ of the agent: all that a component inherits. */
  readonly inherited: Readonly<Record<string, string>>;
  readonly logFileOf: (component: string, instance: string) => string;
  readonly send: (component: string, message: ToComponent) => boolean;
  readonly push: (component: string, event: ComponentEvent) => void;
  readonly report: (event: NewEvent) => void;
  readonly countRestart: (component: string, cause: Cause) => void;
  readonly commandDone: (command: string, ok: boolean, reason: string) => void;
  /** The model changed in what the next agent should know. */
  readonly changed: (component: string) => void;
  readonly started: (component: Component) => void;
};

type Of<K extends ComponentEffect['kind']> = Extract<ComponentEffect, { kind: K }>;
type Executors = {
  readonly [K in ComponentEffect['kind']]: (component: Component, effect: Of<K>) => void;
};
export type Act = (component: Component, effect: ComponentEffect) => void;

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

function environmentOf(component: Component, hands: Hands): Record<string, string> {
  const { name, version, env } = component.config;
  return {
    ...hands.inherited,
    ...env,
    TILLWATCH_COMPONENT: name,
    TILLWATCH_INSTANCE: component.identity?.instance ?? '',
    TILLWATCH_VERSION: version,
    TILLWATCH_SOCKET: hands.socketPath,
    TILLWATCH_TOKEN: component.identity?.token ?? '',
  };
}

/** From now on it is asked from outside too; ends with the process. */
function startProbes(component: Component, hands: Hands): void {
  const env = { ...hands.inherited, ...component.config.env };
  const ownOutput = component.life?.logFile;
  component.probes = component.config.probes.map((spec, index) => {
    const probe = `${spec.kind}-${index}`;
    const told = (ok: boolean, reason: string): void =>
      hands.push(component.name, { kind: 'probe', probe, ok, reason });
    return startProbe(spec, { ...hands.ports, log: hands.log }, told, { env, ownOutput });
  });
  const { progress } = component.config;
  if (progress === undefined) return;
  const ports = { timers: hands.ports.timers, log: hands.log };
  const asked = startProgress(
    progress,
    ports,
    () => component.metricsUrl,
    (told) => hands.push(component.name, { kind: 'progress', ...told }),
  );
  component.probes.push(asked);
}

/** Of a process that was started or adopted: what is known of it from now on. */
export function takeOver(component: Component, life: Life, hands: Hands): void {
  component.life = life;
  component.identity = { instance: life.instance, token: life.token };
  startProbes(component, hands);
}

/** @returns what control calls, once, when the process is gone. */
export const onExit =
  (component: Component, hands: Hands) =>
  ({ code, signal }: Exit): void => {
    const { name, life } = component;
    if (life === undefined) return;
    component.forget();
    hands.log.info(`${name} ended`, { component: name, pid: life.pid, code, signal });
    hands.push(name, { kind: 'exited', code, signal });
    // A new start sweeps by itself; without one, nothing of the old tree may stay behind.
    if (component.model.process === 'none') endTree(name, life, hands);
  };

function endTree(name: string, life: Life, { control, log }: Hands): void {
  control.killTree(life).then(
    ({ survivors }) => {
      if (survivors.length > 0) log.error(`${name} left processes`, { component: name, survivors });
    },
    (error: unknown) => log.error(`cannot end the tree of ${name}: ${messageOf(error)}`),
  );
}

function spawn(component: Component, reason: string, hands: Hands): void {
  const { name, config } = component;
  const instance = randomUUID();
  component.forget();
  component.identity = { instance, token: randomBytes(TOKEN_BYTES).toString('hex') };
  const spec = {
    component: name,
    instance,
    token: component.identity.token,
    command: config.command ?? [],
    cwd: config.cwd,
    env: environmentOf(component, hands),
    logFile: hands.logFileOf(name, instance),
  };
  const failed = (why: string): void => {
    component.forget();
    hands.log.error(`${name} could not be started: ${why}`, { component: name });
    hands.push(name, { kind: 'spawn_failed', reason: why });
  };
  const born = (life: Life): void => {
    const { early } = component;
    component.early = [];
    takeOver(component, life, hands);
    hands.log.info(`${name} started: ${reason}`, { component: name, pid: life.pid, instance });
    hands.push(name, { kind: 'spawned', instance, pid: life.pid });
    for (const event of early) hands.push(name, event);
    hands.started(component);
  };
  hands.control.spawn(spec, onExit(component, hands)).then(
    (result) => (result.ok ? born(result.value) : failed(result.reason)),
    (error: unknown) => failed(messageOf(error)),
  );
}

export function createAct(hands: Hands): Act {
  const { control, log } = hands;
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
    },
    collect_evidence: (component, { phase }) => {
      const { name, life, status } = component;
      const seen = life === undefined ? {} : control.evidence(life);
      const summary = { ...seen, ...(status === '' ? {} : { status }) };
      hands.push(name, { kind: 'evidence', phase, summary });
    },
    report: (component, { event }) => {
      tell(component, event, log);
      hands.report(event);
    },
    count_restart: ({ name }, { cause }) => hands.countRestart(name, cause),
    command_done: (_component, { command, ok, reason }) => hands.commandDone(command, ok, reason),
    persist: (component) => {
      const ready = isUp(component.model);
      if (component.life !== undefined) control.record(component.life, { ready });
      hands.changed(component.name);
    },
    // Not wired yet: the words of the whole ladder.
    heal: () => {},
    abort: () => {},
    escalate: () => {},
    count_recovery: () => {},
    count_outcome: () => {},
    count_suppressed: () => {},
    remember: () => {},
  };
  return (component, effect) => perform(executors, component, effect);
}

/** The table's type ties each executor to its effect; a look-up by a union loses that tie. */
function perform(executors: Executors, component: Component, effect: ComponentEffect): void {
  const execute = executors[effect.kind] as (c: Component, e: ComponentEffect) => void;
  execute(component, effect);
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
      });
      return;
    default:
      log.info(`${name}: ${event.kind}`, { ...about, ...event.fields });
  }
}
