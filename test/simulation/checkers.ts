// What must never happen to a component, each rule by itself and told from outside: a checker sees events,
// effects and the state that the model shows, and keeps its own books. None of them shares a line with the
// machine, so that a wrong idea there cannot excuse itself here.

import type { Model } from '../../agent/watchdog/machine.ts';
import type { ComponentEffect, ComponentEvent, Policy } from '../../agent/watchdog/model.ts';

export type Seen = {
  readonly event: ComponentEvent;
  readonly now: number;
  readonly before: Pick<Model, 'state' | 'deadline'>;
  readonly after: Pick<Model, 'state' | 'deadline'>;
  readonly effects: readonly ComponentEffect[];
  /** Copies that truly live or are being started, before the effects are performed. */
  readonly copies: number;
};

export type Checker = {
  /** A sentence when the rule is broken. */
  readonly see: (seen: Seen) => string | undefined;
  /** After everything was stopped. */
  readonly end?: () => string | undefined;
};

type Effect<K extends ComponentEffect['kind']> = Extract<ComponentEffect, { kind: K }>;
const only = <K extends ComponentEffect['kind']>(seen: Seen, kind: K): Effect<K>[] =>
  seen.effects.filter((effect): effect is Effect<K> => effect.kind === kind);
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

function neverOverBudget(policy: Policy): Checker {
  let restarts: number[] = [];
  let quarantinedAt = Number.NEGATIVE_INFINITY;
  return {
    see: (seen) => {
      const { now, before, after } = seen;
      let broken: string | undefined;
      for (const { cause } of only(seen, 'count_restart')) {
        if (cause === 'operator') restarts = [];
        else if (before.state === 'quarantined') {
          if (now - quarantinedAt < policy.quarantineRetryMs) broken = 'quarantine was hurried';
        } else {
          restarts = [...restarts, now].filter((at) => at > now - policy.restartsWindowMs);
          if (restarts.length > policy.restartsMax) broken = 'restarted more often than the budget';
        }
      }
      if (after.state === 'quarantined' && before.state !== 'quarantined') quarantinedAt = now;
      return broken;
    },
  };
}

/** Only what the component said itself, or an order, may kill so soon after the agent was away. */
function noKillInGrace(policy: Policy): Checker {
  let graceUntil = Number.NEGATIVE_INFINITY;
  let troubled = false;
  return {
    see: (seen) => {
      const { event, now, before } = seen;
      if (event.kind === 'paused') graceUntil = now + policy.blockedMs;
      if (event.kind === 'trouble') troubled = true;
      const killed = only(seen, 'kill').length > 0;
      const decided = killed && before.state !== 'stopping';
      const broken = decided && now < graceUntil && !troubled;
      if (only(seen, 'spawn').length > 0) {
        // All that is known of a new life was seen after the pause.
        troubled = false;
        graceUntil = Number.NEGATIVE_INFINITY;
      }
      return broken
        ? `killed ${graceUntil - now} ms before the grace after a pause was over`
        : undefined;
    },
  };
}

function alwaysADeadline(): Checker {
  const needs = new Set(['starting', 'suspect', 'stopping', 'backoff', 'quarantined']);
  return {
    see: ({ event, now, after }) => {
      const { state, deadline } = after;
      if (deadline === undefined) return needs.has(state) ? `${state} has no deadline` : undefined;
      if (!Number.isFinite(deadline)) return `${state} has the deadline ${deadline}`;
      if (event.kind === 'tick' && deadline <= now) return `${state} ignores its deadline`;
      return undefined;
    },
  };
}

function oneAnswerPerCommand(): Checker {
  const asked = new Set<string>();
  const answered = new Set<string>();
  return {
    see: (seen) => {
      const { event } = seen;
      if (event.kind === 'restart' && event.command !== undefined) asked.add(event.command);
      for (const { command } of only(seen, 'command_done')) {
        if (!asked.has(command)) return `command ${command} was answered and never given`;
        if (answered.has(command)) return `command ${command} was answered twice`;
        answered.add(command);
      }
      return undefined;
    },
    end: () => {
      const open = [...asked].filter((command) => !answered.has(command));
      return open.length > 0 ? `commands without an answer: ${open.join(' ')}` : undefined;
    },
  };
}

/** Who decides to kill first says why, and has looked. */
function noKillWithoutStory(): Checker {
  let collected = false;
  let isOpen = false;
  return {
    see: (seen) => {
      let broken: string | undefined;
      for (const effect of seen.effects) {
        if (effect.kind === 'spawn') collected = false;
        if (effect.kind === 'collect_evidence' && effect.phase === 'confirmed') collected = true;
        if (effect.kind === 'report' && effect.event.kind === 'incident_opened') isOpen = true;
        if (effect.kind === 'kill' && seen.before.state !== 'stopping') {
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
} satisfies Record<string, (policy: Policy) => Checker>;
export type CheckerName = keyof typeof checkers;
