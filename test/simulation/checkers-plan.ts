// What must never happen to a till as a whole: rules about operations and reboots, told from what the plan was told
// and asked for and from the truth of the till. They keep their own books and work out for themselves who needs
// whom.

import { rebootCheckers } from './checkers-reboot.ts';
import type { MakePlanChecker, PlanChecker, SeenPlan, TillView } from './seen.ts';

/** An operation that takes longer does not end: twice the longest wait for a sale, and some. */
const OPERATION_MS_MAX = 3 * 3_600_000;

/** All that `name` needs, directly or not. */
function needsOf({ items }: TillView, name: string): Set<string> {
  const found = new Set<string>();
  const visit = (at: string): void => {
    for (const need of items.find((item) => item.name === at)?.after ?? []) {
      if (found.has(need)) continue;
      found.add(need);
      visit(need);
    }
  };
  visit(name);
  return found;
}

function alwaysAnEnd(): PlanChecker {
  let since: number | undefined;
  return {
    newAgent: () => {
      since = undefined;
    },
    see: ({ event, now, before, after }) => {
      const { phase, deadline } = after;
      const names = after.queue.map(({ component }) => component);
      if (new Set(names).size !== names.length) return 'one component waits twice';
      if (phase === 'idle') {
        since = undefined;
        if (after.queue.length > 0) return 'idle while an escalation waits';
        return deadline === undefined ? undefined : 'idle has a deadline';
      }
      if (before.phase === 'idle') since = now;
      since ??= now;
      if (event.kind === 'paused') since += event.gapMs;
      if (deadline === undefined) return `${phase} has no deadline`;
      if (!Number.isFinite(deadline)) return `${phase} has the deadline ${deadline}`;
      if (event.kind === 'tick' && deadline <= now) return `${phase} ignores its deadline`;
      return now > since + OPERATION_MS_MAX ? 'an operation does not end' : undefined;
    },
  };
}

type Operation = {
  readonly failing: string;
  readonly members: readonly string[];
  readonly since: number;
  readonly asked: Map<string, number>;
  readonly called: Map<string, number>;
  readonly begun: Set<string>;
  /** Was stopped; it may be started by a person meanwhile. */
  readonly down: Set<string>;
  /** The failing one was launched, refused, or went its own way. */
  isReleased: boolean;
};

const RUNS: ReadonlySet<string> = new Set(['starting', 'ready', 'suspect']);

/** Follows the operation that is under way and asks `rule` about each effect in it. */
function following(
  rule: (
    effect: SeenPlan['effects'][number],
    seen: SeenPlan,
    operation: Operation | undefined,
  ) => string | undefined,
): PlanChecker {
  let operation: Operation | undefined;
  const open = (failing: string, members: readonly string[], since: number): Operation => ({
    failing,
    members,
    since,
    asked: new Map(),
    called: new Map(),
    begun: new Set(),
    down: new Set(),
    isReleased: false,
  });
  return {
    // The next agent goes on with it: whoever was stopped is to be started.
    newAgent: () => {
      if (operation === undefined) return;
      const { failing, members } = operation;
      operation = open(failing, members, 0);
      operation.isReleased = true;
      for (const name of members) if (name !== failing) operation.asked.set(name, 0);
    },
    rebooted: () => {
      operation = undefined;
    },
    see: (seen) => {
      const { event, effects, now } = seen;
      if (operation !== undefined && event.kind === 'state') {
        const { component, state } = event;
        // A failing one that was launched was in backoff: stopped, it went its own way.
        const isNew = state !== 'stopped' || component === operation.failing;
        if (operation.called.has(component) && isNew) operation.begun.add(component);
        if (state === 'stopped') operation.down.add(component);
        // It waits for the plan in backoff only. In quarantine it has given the plan up and goes its own slow way: what
        // needs it may wait for hours there, and ran beside its failure before.
        if (component === operation.failing && state !== 'backoff') operation.isReleased = true;
      }
      for (const effect of effects) {
        const broken = rule(effect, seen, operation);
        if (broken !== undefined) return broken;
        if (effect.kind === 'persist') {
          const { interrupted } = effect;
          operation = interrupted && open(interrupted.component, interrupted.members, now);
        } else if (operation === undefined) continue;
        else if (effect.kind === 'stop') operation.asked.set(effect.component, now);
        else if (effect.kind === 'start' || effect.kind === 'launch') {
          operation.called.set(effect.component, now);
          // An agent that died before it had stopped it leaves it running: the next adopts it, and it has nothing to
          // begin. When it ends now, nobody has asked it to: that is its failure and not the end of the stop, and
          // those that need it do not wait for one that failed.
          if (RUNS.has(seen.till.stateOf(effect.component))) operation.begun.add(effect.component);
          if (effect.component === operation.failing) operation.isReleased = true;
        } else if (effect.kind === 'refuse' && effect.component === operation.failing) {
          operation.isReleased = true;
        }
      }
      return undefined;
    },
  };
}

/** Nobody is stopped before those that need it; nobody who needs a stopped one is left running. */
function stopsInReverse(till: TillView): PlanChecker {
  return following((effect, { now }, operation) => {
    if (effect.kind === 'persist' && effect.interrupted?.rung === 'dependants') {
      const { component, members } = effect.interrupted;
      const left = till.items.find(
        ({ name }) =>
          name !== component &&
          !members.includes(name) &&
          needsOf(till, name).has(component) &&
          till.stateOf(name) !== 'stopped' &&
          till.setting.timing.get(name)?.isObserved !== true,
      );
      if (left !== undefined) return `${left.name} needs ${component} and is left out`;
    }
    if (effect.kind !== 'stop') return undefined;
    if (operation === undefined) return 'stopped outside of an operation';
    const early = operation.members.find((name) => {
      if (name === operation.failing || !needsOf(till, name).has(effect.component)) return false;
      if (till.stateOf(name) === 'stopped' || operation.down.has(name)) return false;
      const asked = operation.asked.get(name);
      const stopMsMax = till.setting.timing.get(name)?.stopMsMax ?? 0;
      return asked === undefined || now < asked + stopMsMax;
    });
    return early && `${effect.component} is stopped before ${early}, which needs it`;
  });
}

/** Nobody is started before what it needs is ready, unless that has failed or had its time. */
function startsInOrder(till: TillView): PlanChecker {
  return following((effect, { now }, operation) => {
    if (effect.kind !== 'start' && (effect.kind !== 'launch' || operation === undefined)) {
      return undefined;
    }
    if (operation === undefined) return 'started outside of an operation';
    for (const need of needsOf(till, effect.component)) {
      const state = till.stateOf(need);
      if (state === 'ready') continue;
      const startMsMax = till.setting.timing.get(need)?.startMsMax ?? 0;
      const called = operation.called.get(need);
      const why = `${effect.component} is started before ${need} is ready`;
      const isOnItsWay = state === 'starting' || state === 'stopping' || state === 'suspect';
      if (called !== undefined) {
        const hasFailed = operation.begun.has(need) && !isOnItsWay;
        if (!hasFailed && now < called + startMsMax) return `${why}: it was only just started`;
      } else if (need === operation.failing) {
        if (!operation.isReleased) return `${why}: it was not launched yet`;
      } else if (operation.asked.has(need)) return `${why}: it was not started yet`;
      else if (isOnItsWay && now < operation.since + startMsMax) return `${why}: it is ${state}`;
    }
    return undefined;
  });
}

/** Those that were active, all of them, and nobody else. */
function restartsWhoWasActive(till: TillView): PlanChecker {
  return following((effect, _seen, operation) => {
    if (effect.kind === 'stop' && till.stateOf(effect.component) === 'stopped') {
      return `${effect.component} is stopped twice`;
    }
    if (effect.kind === 'stop' && till.setting.timing.get(effect.component)?.isObserved) {
      return `${effect.component} is only observed and is stopped for another`;
    }
    if (effect.kind === 'start' && operation?.asked.has(effect.component) !== true) {
      return `${effect.component} is started and was not stopped for it`;
    }
    if (effect.kind !== 'persist') return undefined;
    if (effect.interrupted !== undefined) {
      return operation === undefined ? undefined : 'two operations at once';
    }
    const left = [...(operation?.asked.keys() ?? [])].filter(
      (name) => !operation?.called.has(name),
    );
    return left.length === 0 ? undefined : `${left.join(', ')} is left stopped`;
  });
}

function stopsNobodyInASale(till: TillView): PlanChecker {
  return following((effect) =>
    effect.kind === 'stop' && till.isSelling(effect.component)
      ? `${effect.component} is stopped in a sale`
      : undefined,
  );
}

/** On a held till nothing is begun; what was begun is brought to its end. */
function beginsNothingWhenHeld(till: TillView): PlanChecker {
  return following((effect) => {
    const begins =
      effect.kind === 'hook' ||
      effect.kind === 'note_reboot' ||
      effect.kind === 'reboot' ||
      (effect.kind === 'persist' && effect.interrupted !== undefined);
    return begins && till.held ? `${effect.kind} although the till is held` : undefined;
  });
}

export const planCheckers = {
  alwaysAnEnd,
  stopsInReverse,
  startsInOrder,
  restartsWhoWasActive,
  stopsNobodyInASale,
  beginsNothingWhenHeld,
  ...rebootCheckers,
} satisfies Record<string, MakePlanChecker>;
export type PlanCheckerName = keyof typeof planCheckers;
