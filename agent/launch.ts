// The begin and the end of one life: with which environment it is started, what watches it from outside, what is
// known of it from now on, and what is done when it is gone. Only here a component is started; everything it
// leads to comes back as an event.

import { randomBytes, randomUUID } from 'node:crypto';
import { dirname } from 'node:path';
import type { ComponentConfig } from '../configuration/config.ts';
import type { Component } from './component.ts';
import { launchMark } from './configuration/difference.ts';
import { exitEvidence } from './evidence/inquiry.ts';
import { type Hands, messageOf } from './hands.ts';
import type { RunAs } from './ports.ts';
import type { Exit, Life } from './watchdog/control.ts';
import { type Holder, waitUntilFree } from './watchdog/held.ts';
import { probeEnvironment } from './watchdog/probe-sweep.ts';
import { startProbe } from './watchdog/probes.ts';
import { startProgress } from './watchdog/progress.ts';

const TOKEN_BYTES = 24;

/** As whom what is this component's own runs: itself, what asks it (exec probes) and what heals it. */
export const runAs = ({ user, group }: ComponentConfig): RunAs | undefined =>
  user === undefined ? undefined : { user, group };

/** The agent's home is not another user's. */
function inheritedBy({ user }: ComponentConfig, { inherited }: Pick<Hands, 'inherited'>) {
  if (user === undefined) return inherited;
  const { HOME: _, ...rest } = inherited;
  return rest;
}

function environmentOf(component: Component, hands: Hands): Record<string, string> {
  const { name, version, env } = component.config;
  return {
    ...inheritedBy(component.config, hands),
    ...env,
    TILLWATCH_COMPONENT: name,
    TILLWATCH_INSTANCE: component.identity?.instance ?? '',
    TILLWATCH_VERSION: version,
    TILLWATCH_SOCKET: hands.socketPath,
    TILLWATCH_TOKEN: component.identity?.token ?? '',
    ...(component.config.witness ? { TILLWATCH_WITNESS: '1' } : {}),
  };
}

/** What a hook of a component is told; never the token: a hook is not the component. */
export const hookEnvironment = (
  { name, env, version }: ComponentConfig,
  incident: string,
  { inherited }: Pick<Hands, 'inherited'>,
): Record<string, string> => ({
  ...inherited,
  ...env,
  TILLWATCH_COMPONENT: name,
  TILLWATCH_VERSION: version,
  TILLWATCH_INCIDENT: incident,
});

/** From now on it is asked from outside too; ends with the process. */
function startProbes(component: Component, hands: Hands): void {
  const mark = probeEnvironment(dirname(hands.socketPath), hands.ports.processes.ownPid);
  const { config } = component;
  const env = { ...inheritedBy(config, hands), ...config.env, ...mark };
  const ownOutput = component.life?.logFile;
  component.probes = component.config.probes.map((spec, index) => {
    const probe = `${spec.kind}-${index}`;
    const told = (ok: boolean, reason: string): void => {
      component.answers.set(probe, reason);
      hands.push(component.name, { kind: 'probe', probe, ok, reason });
    };
    const context = { env, as: runAs(config), ownOutput, readOwn: hands.outputTail };
    return startProbe(spec, { ...hands.ports, log: hands.log }, told, context);
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
    hands.log.info(`${name} ended`, { component: name, pid: life.pid, code, signal });
    const isAsked = component.model.state === 'stopping';
    const evidence = isAsked ? undefined : exitEvidence(component, { code, signal }, hands);
    component.forget();
    hands.hooks.cancel(name, 'the process that it was for is gone');
    hands.push(name, { kind: 'exited', code, signal, evidence });
    // A new start sweeps by itself; without one, nothing of the old tree may stay behind.
    if (component.model.process === 'none') endTree(name, life, hands);
  };

export function endTree(name: string, life: Life, { control, log }: Hands): void {
  control.killTree(life).then(
    ({ survivors }) => {
      if (survivors.length > 0) log.error(`${name} left processes`, { component: name, survivors });
    },
    (error: unknown) => log.error(`cannot end the tree of ${name}: ${messageOf(error)}`),
  );
}

export function spawn(component: Component, reason: string, hands: Hands): void {
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
    as: runAs(config),
    env: environmentOf(component, hands),
    logFile: hands.logFileOf(name, instance),
    version: config.version,
    launch: launchMark(config),
    beforeStart: () => waitUntilFree(name, config.holds, { ...hands, report: tellHeld }),
  };
  const tellHeld = ({ what, pid, comm }: Holder, why: string): void =>
    hands.report({
      kind: 'resource_held',
      component: name,
      fields: {
        what,
        reason: why,
        ...(pid === undefined ? {} : { pid }),
        ...(comm === undefined ? {} : { comm }),
      },
    });
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
