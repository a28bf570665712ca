// Rules about reboots, the heaviest thing that the agent does by itself: never in a sale, never soon after a boot,
// never more often than allowed, never without having been written down. Counted here on the truth of the
// till's uptime, from reboots that were really asked for.

import type { MakePlanChecker, PlanChecker, TillView } from './seen.ts';

const HOUR_MS = 3_600_000;

function rebootsOnlyIdle(till: TillView): PlanChecker {
  return {
    see: ({ effects }) => {
      if (!effects.some(({ kind }) => kind === 'reboot')) return undefined;
      const selling = till.items.find(({ name }) => till.isSelling(name));
      return selling && `rebooted while ${selling.name} is in a sale`;
    },
  };
}

function rebootsWithinBudget(till: TillView): PlanChecker {
  const reboots: { readonly at: number; readonly component: string; helped?: boolean }[] = [];
  return {
    see: ({ event, effects }) => {
      if (event.kind === 'stable' || event.kind === 'escalated') {
        for (const reboot of reboots) {
          if (reboot.component === event.component) reboot.helped ??= event.kind === 'stable';
        }
      }
      for (const effect of effects) {
        if (effect.kind !== 'reboot') continue;
        const rule = till.setting.reboot;
        if (rule === undefined) return 'rebooted and no hook is configured';
        if (till.uptimeMs < rule.uptimeMsMin) return `rebooted ${till.uptimeMs} ms after a boot`;
        const at = till.totalMs;
        const within = (ms: number) => reboots.filter((reboot) => reboot.at > at - ms).length;
        if (within(HOUR_MS) >= rule.hourMax) return 'rebooted too often within an hour';
        if (within(24 * HOUR_MS) >= rule.dayMax) return 'rebooted too often within a day';
        const [one, two] = reboots.slice(-2);
        const fruitless = one?.helped !== true && two !== undefined && two.helped !== true;
        if (fruitless && within(24 * HOUR_MS) > 0) return 'rebooted although two did not help';
        reboots.push({ at, component: effect.component });
      }
      return undefined;
    },
  };
}

function rebootsAreNoted(): PlanChecker {
  let isAsked = false;
  let isNoted = false;
  const forget = (): void => {
    isAsked = false;
    isNoted = false;
  };
  return {
    newAgent: forget,
    see: ({ event, effects }) => {
      if (event.kind === 'noted') isNoted = isAsked && event.ok;
      for (const effect of effects) {
        if (effect.kind === 'note_reboot') isAsked = true;
        if (effect.kind !== 'reboot') continue;
        if (!isNoted) return 'rebooted before that was on disk';
        forget();
      }
      if (event.kind === 'noted') isNoted = false;
      return undefined;
    },
  };
}

export const rebootCheckers = {
  rebootsOnlyIdle,
  rebootsWithinBudget,
  rebootsAreNoted,
} satisfies Record<string, MakePlanChecker>;
