// Looks at components now, by everything that the watchdog has to look with: each probe of the configuration once, the
// main thread twice, memory and descriptors of its tree, and what its state machine believes. It decides nothing and
// tells its state machine nothing: what an operator asks out of turn must not count as a failure.

import { redactFields } from '../../redact/index.ts';
import type { Component } from '../component.ts';
import { runAs } from '../launch.ts';
import { probeEnvironment } from '../watchdog/probe-sweep.ts';
import { askOnce } from '../watchdog/probes.ts';
import type { Desk, Of } from './types.ts';

/** Between two looks at a thread: long enough for a healthy one to have run. */
const THREAD_MS = 1_000;

type Findings = Readonly<Record<string, unknown>>;

async function askProbes(component: Component, { rooms }: Desk): Promise<Findings[]> {
  const { ports, log, config, environment } = rooms;
  const { probes, env } = component.config;
  const mark = probeEnvironment(config.runDir, ports.processes.ownPid);
  const context = {
    env: { PATH: environment['PATH'] ?? '', ...env, ...mark },
    as: runAs(component.config),
    ownOutput: component.life?.logFile,
  };
  const asked = probes.map(async (spec, index) => {
    const name = `${spec.kind}-${index}`;
    const begunMs = ports.clock.monotonicMs();
    // What watches output has to have watched it: asked anew it would know of nothing.
    if (spec.kind === 'log') return { name, last: component.answers.get(name) ?? 'no answer yet' };
    const { ok, reason } = await askOnce(spec, { ...ports, log }, context);
    const tookMs = Math.round(ports.clock.monotonicMs() - begunMs);
    return { name, ok: ok ?? 'could not be asked', reason, tookMs };
  });
  return await Promise.all(asked);
}

async function lookAtThread(component: Component, desk: Desk): Promise<Findings | undefined> {
  const { control, rooms } = desk;
  const { life } = component;
  const first = life && control.sample(life);
  if (life === undefined || first === undefined) return undefined;
  await new Promise<void>((done) => rooms.ports.timers.after(THREAD_MS, done));
  const second = control.sample(life);
  if (second === undefined) return { state: 'gone' };
  return {
    state: second.state,
    cpuMs: Math.round(second.cpuMs - first.cpuMs),
    waitedForCpuMs: Math.round(second.runDelayMs - first.runDelayMs),
    switches: second.voluntarySwitches - first.voluntarySwitches,
    overMs: THREAD_MS,
  };
}

export async function lookAt(component: Component, desk: Desk): Promise<Findings> {
  const { control, rooms } = desk;
  const { model, life, state, status, version, policy, descriptors } = component;
  const [probes, thread] = await Promise.all([
    askProbes(component, desk),
    lookAtThread(component, desk),
  ]);
  const now = rooms.ports.clock.monotonicMs();
  return {
    ...{ state: model.state, reason: state?.reason ?? '', version, mode: policy.mode, status },
    forMs: Math.round(now - (state?.at ?? now)),
    ...(life === undefined ? {} : { pid: life.pid, ...control.usage(life) }),
    ...{ thread, probes, descriptors },
    work: model.watch.work.size,
    busy: [...model.busy.keys()],
    stopped: desk.stopped.of(component.name),
  };
}

export async function probe({ id, arguments: args }: Of<'probe'>, desk: Desk): Promise<void> {
  const { supervisor, done } = desk;
  const { component: asked } = args;
  const found = supervisor.components().filter(({ name }) => asked === undefined || name === asked);
  const findings = await Promise.all(found.map((one) => lookAt(one, desk)));
  const detail = Object.fromEntries(found.map(({ name }, index) => [name, findings[index]]));
  const failed = found.filter((_, index) => JSON.stringify(findings[index]).includes('"ok":false'));
  const names = failed.map(({ name }) => name).join(', ');
  const reason = names === '' ? 'every probe was answered' : `a probe of ${names} failed`;
  done(id, true, reason, redactFields(detail).value as Record<string, unknown>);
}
