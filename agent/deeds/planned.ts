// What takes the whole till: the recovery plan does it (watchdog/recovery.ts), as it does for the watchdog, because then
// nothing else of that size is under way, order and disk token are the same, and an agent that dies in the middle
// leaves a note of whom it had stopped. A reboot is answered by the next boot (commands-journal.ts, recover).

import type { Component } from '../component.ts';
import type { Ending } from './pending.ts';
import { type Desk, type Of, whyOf } from './types.ts';

const EXTRA_MS = 15_000;

function ask(command: Of<'restart_all' | 'reboot'>, rung: 'all' | 'reboot', desk: Desk): void {
  const { id, arguments: args, expiresMs } = command;
  const patienceMs = Math.max(0, expiresMs - desk.rooms.outbox.time.nowMs());
  desk.supervisor.plan({
    ...{ kind: 'escalated', component: '', rung, incident: '', cause: 'operator', patienceMs },
    ...{ reason: whyOf(command), asked: { command: id, force: args.force === true } },
  });
}

/** All that are to run are ready; who crashes meanwhile is the watchdog's, and the answer names it. */
const allReady =
  (names: ReadonlySet<string>) =>
  (components: readonly Component[]): Ending | undefined => {
    const left = components.filter(
      ({ name, model }) => names.has(name) && model.state !== 'ready' && model.state !== 'suspect',
    );
    const failed = left.find(({ model }) => model.state === 'quarantined');
    if (failed !== undefined) return { ok: false, reason: `${failed.name} does not come back` };
    if (left.length > 0) return undefined;
    return { ok: true, reason: 'all were stopped and started again, in order, and are ready' };
  };

export function restartAll(command: Of<'restart_all'>, desk: Desk): void {
  const { supervisor, pending, done, instead } = desk;
  const { id } = command;
  const wanted = supervisor.components().filter(({ model }) => model.state !== 'stopped');
  const spared = wanted.filter(({ config }) => !config.channel).map(({ name }) => name);
  const isSparing = command.arguments.force !== true && spared.length > 0;
  instead(id, (ok, reason) => {
    if (!ok) {
      done(id, false, reason);
      return;
    }
    const msMax = wanted.reduce((sum, { policy }) => sum + policy.startTimeoutMsMax, EXTRA_MS);
    const names = new Set(wanted.map(({ name }) => name));
    pending.until(allReady(names), msMax, (end) =>
      // A black box may be in the middle of a sale, and cannot say so.
      done(id, end.ok, end.reason, isSparing ? { spared } : undefined),
    );
  });
  ask(command, 'all', desk);
}

export function reboot(command: Of<'reboot'>, desk: Desk): void {
  ask(command, 'reboot', desk);
}
