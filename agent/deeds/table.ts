// What is done for each kind of command: a mapped type over the catalogue, so that a kind without a deed does not
// compile. A deed does not judge whether it may (commands.ts has) and does not wait for sales (office.ts does, by the
// row of the catalogue); it acts, and answers through the desk, at once or later. What is rarely needed is
// imported when it is, because an agent's memory is part of the product.

import type { CommandKind } from '../../protocol/catalogue.ts';
import { AGENT_LOG } from '../../protocol/commands.ts';
import { obeyDrill } from '../drill/open.ts';
import { stillHeld } from '../hold.ts';
import { dependants } from '../watchdog/plan.ts';
import * as apply from './apply.ts';
import { reboot, restartAll } from './planned.ts';
import { start, stop } from './running.ts';
import { raisingWith } from './tail.ts';
import { type Deed, type Desk, whyOf } from './types.ts';

export type Deeds = { readonly [K in CommandKind]: Deed<K> };

/** A device may have to be found again on its bus. */
const REOPEN_MS_MAX = 20_000;

/** Who would notice: the component, and whoever needs it. */
const withDependants = (name: string, { rooms }: Desk): readonly string[] => {
  const items = rooms.config.components.map((one) => ({ name: one.name, after: one.after }));
  return [name, ...dependants(items, name)];
};
const everybody = ({ rooms }: Desk): readonly string[] =>
  rooms.config.components.map(({ name }) => name);

const needsChannel = (name: string, { rooms }: Desk): string | undefined => {
  const found = rooms.config.components.find((one) => one.name === name);
  return found === undefined || found.channel ? undefined : `${name} does not speak the channel`;
};

const touchesComponent = (
  { arguments: { component } }: { readonly arguments: { readonly component: string } },
  desk: Desk,
): readonly string[] => withDependants(component, desk);

export const deeds: Deeds = {
  restart: {
    touches: touchesComponent,
    run: (command, { supervisor, stopped, done }) => {
      const { component, force = false } = command.arguments;
      const removed = stopped.remove(component);
      if (!removed.ok) done(command.id, false, removed.reason);
      else {
        const reason = whyOf(command);
        supervisor.tell(component, { kind: 'restart', reason, command: command.id, force });
      }
    },
  },
  stop: { touches: touchesComponent, run: stop },
  start: { run: start },
  restart_all: { touches: (_, desk) => everybody(desk), run: restartAll },
  reboot: {
    impossible: (_, { rooms }) =>
      rooms.config.ladder.reboot === undefined
        ? 'this till cannot be rebooted from afar: it has no reboot hook (ladder.reboot)'
        : undefined,
    touches: (_, desk) => everybody(desk),
    run: reboot,
  },
  probe: {
    run: async (command, desk) => (await import('./probe.ts')).probe(command, desk),
  },
  diagnose: {
    run: async (command, desk) => (await import('./diagnose.ts')).diagnose(command, desk),
  },
  unquarantine: {
    run: (command, { supervisor, done }) => {
      const { component } = command.arguments;
      const state = supervisor.watched.find(component)?.model.state;
      if (state !== 'quarantined') {
        done(command.id, false, `${component} is not in quarantine: it is ${state}`);
        return;
      }
      const reason = whyOf(command);
      supervisor.tell(component, { kind: 'restart', reason, command: command.id, force: false });
    },
  },
  reset_budget: {
    run: ({ id, arguments: { component } }, { supervisor, done }) => {
      const names = supervisor.components().map(({ name }) => name);
      for (const name of component === undefined ? names : [component]) {
        supervisor.tell(name, { kind: 'refill' });
      }
      // Those are the whole till's, and what makes a loop of reboots impossible.
      done(id, true, 'the budgets are whole again; reboots of the last hours still count');
    },
  },
  reopen: {
    impossible: ({ arguments: { component } }, desk) => needsChannel(component, desk),
    touches: touchesComponent,
    run: async ({ id, arguments: { component, device } }, { asks, done }) => {
      const order = (ask: string) => ({ kind: 'reopen', id: ask, device }) as const;
      const { ok, reason } = await asks.ask(component, order, REOPEN_MS_MAX);
      done(id, ok, reason === '' ? `${device} was closed and opened again` : reason);
    },
  },
  hold: {
    run: ({ id, operator, reason, arguments: { forMs, maintenance } }, { hold, done }) => {
      const begun = hold.begin({ forMs, reason, by: operator, maintenance });
      if (begun.ok) done(id, true, 'the till is held', { untilMs: begun.value.untilMs });
      else done(id, false, begun.reason);
    },
  },
  release: {
    run: ({ id, operator, arguments: { maintenance } }, { hold, done }) => {
      const released = hold.release(operator, maintenance);
      const was = released ? 'the till is no longer held' : 'the till was not held';
      const still = hold.view();
      done(id, true, still === undefined ? was : `${was} so; ${stillHeld(still)}`);
    },
  },
  log_level: {
    impossible: ({ arguments: { component } }, desk) =>
      component === AGENT_LOG ? undefined : needsChannel(component, desk),
    run: async ({ id, arguments: { component, level, forMs } }, { levels, done }) => {
      const { ok, reason } = await levels.set(component, level, forMs);
      done(
        id,
        ok,
        ok ? `${component} logs at ${level} for ${Math.round(forMs / 1_000)} s` : reason,
      );
    },
  },
  configure: {
    run: async (command, desk) => (await import('./configure.ts')).configure(command, desk),
  },
  apply: { impossible: apply.impossible, touches: apply.touches, run: apply.run },
  purge_logs: {
    run: async (command, desk) => (await import('./purge.ts')).purge(command, desk),
  },
  drill: {
    run: (command, { drills, done }) => obeyDrill(drills, done, command),
  },
  logs: { run: (command, { rooms }) => rooms.pulls.begin(command) },
  tail: { run: (command, desk) => desk.rooms.tails.begin(command, raisingWith(desk)) },
  cancel_logs: {
    run: ({ id, arguments: { request } }, { rooms, done }) => {
      const isOpen = rooms.pulls.cancel(request) || rooms.tails.cancel(request);
      done(id, true, isOpen ? 'it is ended' : 'it is not open here, and will not begin');
    },
  },
  trust: {
    run: ({ id, arguments: { renew = false, ...document } }, { rooms, done }) => {
      const applied = rooms.identity.applyTrust(document, renew);
      done(id, applied.ok, applied.ok ? `trust ${document.version} is in force` : applied.reason);
    },
  },
};
