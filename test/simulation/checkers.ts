// What must never happen to a component, each rule by itself and told from outside: a checker sees events,
// effects and the state that the model shows, and keeps its own books. None of them shares a line with the
// machine, so that a wrong idea there cannot excuse itself here.

import type { Cause, ComponentEffect, Policy } from '../../agent/watchdog/model.ts';
import { actionCheckers } from './checkers-action.ts';
import type { Checker, MakeChecker, Seen } from './seen.ts';

type Effect<K extends ComponentEffect['kind']> = Extract<ComponentEffect, { kind: K }>;
/** Most steps have no effect at all, and millions are seen. */
const NOTHING: readonly never[] = [];
const only = <K extends ComponentEffect['kind']>(seen: Seen, kind: K): readonly Effect<K>[] =>
  seen.effects.length === 0
    ? NOTHING
    : seen.effects.filter((effect): effect is Effect<K> => effect.kind === kind);
const reports = (seen: Seen) => only(seen, 'report').map(({ event }) => event);

function neverTwoCopies(): Checker {
  return {
    see: (seen) => {
      const spawns = only(seen, 'spawn').length;
      if (spawns > 1) return 'two copies were started in one step';
      if (spawns === 1 && seen.copies > 0) return 'a copy was started beside a living one';
      return undefined;
    },
  };
}

/**
 * Restarts by the watchdog's own decision. What a person asks for begins anew; what a rung or an operation
 * launches has its own budget, but where the strategy is rest_for_one every restart is launched so: then it is
 * no use of a rung that is to be remembered.
 */
function neverOverBudget(policy: Policy): Checker {
  let restarts: { at: number; cause: string }[] = [];
  let quarantinedAt = Number.NEGATIVE_INFINITY;
  let isAsked = false;
  let isRemote = false;
  let isStrategy = false;
  const judge = (cause: Cause, at: number): string | undefined => {
    restarts = [...restarts, { at, cause }];
    restarts = restarts.filter((each) => each.at > at - policy.restartsWindowMs);
    const max = policy.budgetCauses[cause];
    const same = restarts.filter((each) => each.cause === cause).length;
    if (restarts.length > policy.restartsMax) return 'restarted more often than the budget';
    return max !== undefined && same > max ? `restarted too often for ${cause}` : undefined;
  };
  const forget = (): void => {
    isAsked = false;
    isRemote = false;
    isStrategy = false;
  };
  return {
    rebooted: () => {
      restarts = [];
    },
    newAgent: () => {
      quarantinedAt = Number.NEGATIVE_INFINITY;
      forget();
    },
    see: (seen) => {
      const { now, before, after, event, till, effects } = seen;
      let broken: string | undefined;
      if (event.kind === 'restart') isAsked = true;
      if (event.kind === 'trouble' && event.remote) isRemote = true;
      if (event.kind === 'exited' && policy.exit.remote.includes(event.code ?? 0)) isRemote = true;
      if (only(seen, 'escalate').length > 0) {
        const used = effects.findIndex(({ kind }) => kind === 'count_recovery');
        isStrategy = effects[used + 1]?.kind !== 'remember';
      }
      for (const { cause } of only(seen, 'count_restart')) {
        const launched = event.kind === 'start' || (event.kind === 'launch' && !isStrategy);
        if (isAsked) restarts = [];
        else if (before.state === 'quarantined' && isLetGo(event)) {
          // What a hold forbade to climb is climbed as soon as it ends, and may be a restart again.
          restarts = [];
        } else if (before.state === 'quarantined') {
          if (now - quarantinedAt < policy.quarantineRetryMs) broken = 'quarantine was hurried';
        } else if (!launched && !isRemote && cause !== 'operator') {
          broken = judge(cause, till.totalMs);
        }
      }
      if (only(seen, 'spawn').length > 0) forget();
      if (after.state === 'quarantined' && before.state !== 'quarantined') quarantinedAt = now;
      return broken;
    },
  };
}

const isLetGo = (event: Seen['event']): boolean => event.kind === 'hold' && !event.active;

/** Only what the component said itself, or an order, may kill so soon after the agent was away. */
function noKillInGrace(policy: Policy): Checker {
  let graceUntil = Number.NEGATIVE_INFINITY;
  let troubled = false;
  let pausedAt = Number.NEGATIVE_INFINITY;
  let inRow = 0;
  return {
    // Who adopts has no proof yet either.
    newAgent: () => {
      troubled = false;
      graceUntil = Number.NEGATIVE_INFINITY;
      pausedAt = Number.NEGATIVE_INFINITY;
      inRow = 0;
    },
    see: (seen) => {
      const { event, now, before } = seen;
      if (event.kind === 'paused') {
        const gapMs = Number.isFinite(event.gapMs) ? Math.max(0, event.gapMs) : 0;
        const ranMs = now - gapMs - pausedAt;
        inRow = ranMs >= 0 && ranMs < policy.blockedMs ? inRow + 1 : 1;
        pausedAt = now;
        // An agent that stutters for ever must find a hang as well: after five in a row half of it is enough.
        graceUntil = now + (inRow > 5 ? policy.blockedMs / 2 : policy.blockedMs);
      }
      if (event.kind === 'trouble' && event.remote !== true) troubled = true;
      const killed = only(seen, 'kill').length + only(seen, 'abort').length > 0;
      const decided = killed && before.state !== 'stopping';
      const broken = decided && now < graceUntil && !troubled;
      if (only(seen, 'spawn').length > 0) {
        // All that is known of a new life was seen after the pause.
        troubled = false;
        graceUntil = Number.NEGATIVE_INFINITY;
        pausedAt = Number.NEGATIVE_INFINITY;
        inRow = 0;
      }
      return broken
        ? `killed ${graceUntil - now} ms before the grace after a pause was over`
        : undefined;
    },
  };
}

/** Nothing that is configured takes longer; a deadline further away is as good as none. */
const AHEAD_MS_MAX = 6 * 3_600_000;

function alwaysADeadline(): Checker {
  const needs = new Set(['starting', 'suspect', 'stopping', 'backoff', 'quarantined']);
  return {
    see: ({ event, now, after }) => {
      const { state, deadline } = after;
      if (deadline === undefined) return needs.has(state) ? `${state} has no deadline` : undefined;
      if (!Number.isFinite(deadline)) return `${state} has the deadline ${deadline}`;
      if (deadline > now + AHEAD_MS_MAX) return `${state} waits for ${deadline - now} ms`;
      if (event.kind === 'tick' && deadline <= now) return `${state} ignores its deadline`;
      return undefined;
    },
  };
}

function oneAnswerPerCommand(): Checker {
  const asked = new Set<string>();
  const answered = new Set<string>();
  return {
    // Whoever gave a command to an agent that died asks the next one.
    newAgent: () => asked.clear(),
    see: (seen) => {
      const { event } = seen;
      if (event.kind === 'restart' && event.command !== undefined) asked.add(event.command);
      for (const { command } of only(seen, 'command_done')) {
        if (answered.has(command)) return `command ${command} was answered twice`;
        if (!asked.has(command)) return `command ${command} was answered and never given`;
        answered.add(command);
        asked.delete(command);
      }
      return undefined;
    },
    end: () => {
      return asked.size > 0 ? `commands without an answer: ${[...asked].join(' ')}` : undefined;
    },
  };
}

/** Who decides to kill first says why, and has looked. */
function noKillWithoutStory(): Checker {
  let collected = false;
  let isOpen = false;
  return {
    newAgent: () => {
      collected = false;
      isOpen = false;
    },
    see: (seen) => {
      let broken: string | undefined;
      for (const effect of seen.effects) {
        if (effect.kind === 'spawn') collected = false;
        if (effect.kind === 'collect_evidence' && effect.phase === 'confirmed') collected = true;
        if (effect.kind === 'report' && effect.event.kind === 'incident_opened') isOpen = true;
        const kills = effect.kind === 'kill' || effect.kind === 'abort';
        if (kills && seen.before.state !== 'stopping') {
          if (!collected) broken = 'killed without evidence';
          if (!isOpen) broken = 'killed without an incident';
        }
        if (effect.kind === 'report' && effect.event.kind === 'incident_recovered') isOpen = false;
      }
      return broken;
    },
  };
}

function incidentsAreStories(): Checker {
  let open: string | undefined;
  return {
    newAgent: () => {
      open = undefined;
    },
    see: (seen) => {
      for (const event of reports(seen)) {
        if (event.kind === 'incident_opened') {
          if (open !== undefined) return `incident ${event.fields.incident} opened inside another`;
          open = event.fields.incident;
        } else if (event.kind === 'incident_recovered') {
          const { incident, detectedMs, readyMs } = event.fields;
          if (incident !== open) return `incident ${incident} recovered and was not open`;
          if (!(detectedMs >= 0 && readyMs >= detectedMs))
            return 'recovered before it was detected';
          open = undefined;
        } else if (event.kind === 'incident_quarantined' && event.fields.incident !== open) {
          return 'quarantined without an open incident';
        }
      }
      return undefined;
    },
  };
}

function statesAreTold(): Checker {
  let told = 'stopped';
  return {
    newAgent: () => {
      told = 'stopped';
    },
    see: (seen) => {
      for (const event of reports(seen)) {
        if (event.kind !== 'component_state') continue;
        if (event.fields.from !== told) return `told ${event.fields.from}, was ${told}`;
        told = event.fields.to;
        if (event.fields.reason === '') return `went to ${told} without a reason`;
      }
      return told === seen.after.state ? undefined : `${seen.after.state} was never told`;
    },
  };
}

export const checkers = {
  neverTwoCopies,
  neverOverBudget,
  noKillInGrace,
  alwaysADeadline,
  oneAnswerPerCommand,
  noKillWithoutStory,
  incidentsAreStories,
  statesAreTold,
  ...actionCheckers,
} satisfies Record<string, MakeChecker>;
export type CheckerName = keyof typeof checkers;
