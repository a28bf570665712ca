// An operator's stop and start of one component. A stop is on disk before the component is asked to end, is never healed
// back, and lasts until somebody starts or restarts it. Both answer when it is so, and not when it was asked for.

import type { Component } from '../component.ts';
import { DEATH_MS_MAX } from '../watchdog/state.ts';
import type { Ending } from './pending.ts';
import { type Stop, stayReason } from './stopped.ts';
import { type Desk, type Of, whyOf } from './types.ts';

/** Beyond all graces: the sweep that sees it, and a starved machine. */
const EXTRA_MS = 15_000;

/** To the centre, which sees a component that is stopped: by whom, and that it is meant so. */
export function tellStopped(
  { name, version }: Pick<Component, 'name' | 'version'>,
  stop: Stop,
  { report }: Pick<Desk, 'report'>,
): void {
  const fields = { from: 'stopped', to: 'stopped', cause: 'operator', version } as const;
  report({
    kind: 'component_state',
    component: name,
    fields: { ...fields, reason: stayReason(stop) },
  });
}

export function stop(command: Of<'stop'>, desk: Desk): void {
  const { supervisor, stopped, pending, done } = desk;
  const { id, operator, reason } = command;
  const { component } = command.arguments;
  const kept = stopped.add(component, { by: operator, reason });
  if (!kept.ok) {
    done(id, false, `it could not be written down that it is to stay stopped: ${kept.reason}`);
    return;
  }
  const found = supervisor.watched.find(component);
  if (found === undefined) return;
  supervisor.tell(component, { kind: 'stop', reason: whyOf(command), cause: 'operator' });
  const { stopGraceMs, graceMsMax, abortMs } = found.policy;
  const msMax = Math.max(stopGraceMs, graceMsMax) + abortMs + 2 * DEATH_MS_MAX + EXTRA_MS;
  const isSo = (): Ending | undefined => {
    if (found.model.state === 'stopped') {
      tellStopped(found, { by: operator, reason }, desk);
      return { ok: true, reason: 'it is stopped and stays so' };
    }
    // Somebody wants it again meanwhile.
    if (!stopped.has(component)) return { ok: false, reason: 'it was started again meanwhile' };
    return undefined;
  };
  pending.until(isSo, msMax, ({ ok, reason: why }) => done(id, ok, why));
}

export function start(command: Of<'start'>, desk: Desk): void {
  const { supervisor, stopped, pending, done } = desk;
  const { id, arguments: args } = command;
  const { component } = args;
  const found = supervisor.watched.find(component);
  const kept = stopped.remove(component);
  if (!kept.ok) {
    done(id, false, `it could not be written down that it is to run: ${kept.reason}`);
    return;
  }
  if (found === undefined) return;
  supervisor.tell(component, { kind: 'start', reason: whyOf(command) });
  const isSo = (): Ending | undefined => {
    const { state } = found.model;
    if (state === 'ready' || state === 'suspect') return { ok: true, reason: 'it is ready' };
    if (state === 'starting' || state === 'stopping') return undefined;
    return { ok: false, reason: `it is ${state}: ${found.state?.reason ?? 'nobody knows why'}` };
  };
  pending.until(isSo, found.policy.startTimeoutMsMax + EXTRA_MS, (end) =>
    done(id, end.ok, end.reason),
  );
}
