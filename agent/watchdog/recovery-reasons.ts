// Every reason that the recovery plan gives, in one place, as reasons.ts has those of a component: constant
// sentences that on-call, tests and runbooks quote, with only names and durations filled in.

import type { Rung } from '../../protocol/events.ts';

const minutes = (ms: number): string => `${(ms / 60_000).toFixed(1)} min`;
const names = (components: readonly string[]): string => components.join(', ');

export const HELD = 'a technician holds the till';
export const NOT_OF_THE_PLAN = 'this rung is not done by the plan';
export const NO_RESET = 'it has no deep reset hook';
export const NO_REBOOT = 'no reboot hook is configured';
export const QUEUED_TOO_LONG = 'other recoveries took too long';
export const RESET_SILENT = 'its deep reset hook gave no answer in time';
export const NOT_NOTED =
  'the reboot could not be noted on disk in time, and without that there is none';
export const STILL_UP = 'the machine is still up long after it was told to reboot';
export const UPTIME_UNKNOWN = 'no reboot: how long the machine is up is not known';

export const ALL_BEGUN = 'all were stopped and started again, in order';
export const ASKED_TOO_OFTEN = 'another operator waits for the same: ask again later';

export const resetFailed = (why: string): string => `its deep reset hook failed: ${why}`;
export const notNoted = (why: string): string => `the reboot could not be noted on disk: ${why}`;
export const stillBusy = (components: readonly string[], ms: number): string =>
  `${names(components)} stayed busy for ${minutes(ms)}`;
export const notSettled = (ms: number): string => `nobody was known to be idle for ${minutes(ms)}`;

export const tooYoung = (uptimeMs: number, minMs: number): string =>
  `no reboot: the machine is up for ${minutes(uptimeMs)}, at least ${minutes(minMs)} are asked`;
export const tooManyInAnHour = (count: number): string =>
  `no reboot: ${count} within the last hour of uptime`;
export const tooManyInADay = (count: number): string =>
  `no reboot: ${count} within the last day of uptime`;
export const fruitless = (count: number): string =>
  `no reboot: the last ${count} did not help, and a day has to pass`;

const why: Readonly<Record<Rung, string>> = {
  heal: 'healed',
  restart: 'restarted',
  dependants: 'restarted with what depends on it',
  reset: 'reset',
  all: 'restarted with everything',
  reboot: 'recovered by a reboot',
  quarantine: 'quarantined',
};
/** Nobody has failed: an operator asks. */
const what = (component: string, rung: Rung): string =>
  component === '' ? 'an operator has all restarted' : `${component} is ${why[rung]}`;
export const stopped = (component: string, rung: Rung): string =>
  `${what(component, rung)}: stopped for it`;
export const started = (component: string, rung: Rung): string =>
  `${what(component, rung)}: started again`;
export const launched = (rung: Rung, reason: string): string => `${why[rung]}: ${reason}`;
