// Every reason that the watchdog gives, in one place, so that the words which the on-call reads are the
// words which tests and runbooks quote. Sentences are constant; only numbers and what the component itself
// said are filled in. They are not codes: a reason that needs a manual is not a reason.

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

export const ADOPTED = 'adopted: it ran on without the agent';
export const READY_BY_CHANNEL = 'it said that it is ready';
export const READY_BY_PROBE = 'its first probe succeeded';
export const READY_BY_AGE = 'it is still alive after its first second';
export const EVIDENCE_CLEARED = 'the evidence cleared';
export const AGENT_PAUSED = 'the agent itself did not run: every deadline begins anew';
export const DEBUGGED = 'a debugger holds it: nothing is decided meanwhile';
export const ENDED_AS_ASKED = 'it ended as asked';
export const ENDED_BY_ITSELF = 'it ended by itself and its policy does not restart it';
export const UNKILLABLE = 'the process does not die: it is in the kernel';
export const GRACE_OVER = 'it did not stop within its grace';
export const BACKOFF_OVER = 'its backoff is over';
export const QUARANTINE_RETRY = 'slow retry in quarantine';
export const STOP_CANCELLED = 'wanted again while it stopped';
export const COMMAND_READY = 'ready again';
export const COMMAND_STOPPED = 'the component was stopped instead';
export const COMMAND_STILL_BUSY = 'the component stayed busy for longer than a restart waits';
export const COMMANDS_TOO_MANY = 'too many restarts of this component wait already';

export const atOnce = (why: string): string => `${why}; restarted at once`;
export const overBudget = (count: number, windowMs: number): string =>
  `${count} restarts within ${seconds(windowMs)} did not help: retried slowly, a human is needed`;

export function exited(code: number | undefined, signal: string | undefined): string {
  if (signal !== undefined) return `the process ended by signal ${signal}`;
  if (code !== undefined) return `the process ended with code ${code}`;
  return 'the process ended, how is not known';
}
export const notStarted = (why: string): string => `the process could not be started: ${why}`;
export const startTimeout = (ms: number): string => `it was not ready within ${seconds(ms)}`;
export const selfReported = (why: string): string => `it reported trouble: ${why}`;
export const commandFailed = (why: string): string => `not ready again: ${why}`;

// Why the main thread is held to be stuck (hang.ts has the rules).
const silent = (ms: number): string => `no beat for ${seconds(ms)}`;
const STUCK = 'main thread is';
const LIES = 'although beats arrive: something else sends them';
export const silentStopped = (ms: number): string => `${STUCK} stopped: ${silent(ms)}`;
export const silentBlocked = (ms: number): string =>
  `${STUCK} blocked: ${silent(ms)} and it is asleep without waking`;
export const silentSpinning = (ms: number): string =>
  `${STUCK} spinning: ${silent(ms)} and it uses a whole core`;
export const silentSpent = (ms: number): string =>
  `${STUCK} spinning: no beat in ${seconds(ms)} of processor time`;
export const silentOnly = (ms: number): string => `${STUCK} stuck: ${silent(ms)}, seen twice`;
export const lyingStopped = (ms: number): string => `${STUCK} stopped for ${seconds(ms)} ${LIES}`;
export const lyingBlocked = (ms: number): string =>
  `${STUCK} blocked: asleep without waking for ${seconds(ms)} ${LIES}`;
export const stoppedAlone = (ms: number): string => `${STUCK} stopped for ${seconds(ms)}`;
export const probesAnd = (failures: number, what: string): string =>
  `${failures} probes in a row failed and ${what}`;
export const AND_STILL = 'its main thread is asleep without waking or stopped';
export const AND_SPINNING = 'its main thread uses a whole core';
export const andSpent = (ms: number): string =>
  `its main thread used ${seconds(ms)} of processor time meanwhile`;
export const AND_SILENT = 'its beats are missing';
export const probesOnly = (failures: number): string => `${failures} probes in a row failed`;
export const overdue = (name: string, ms: number): string =>
  `work item ${name} is overdue by ${seconds(ms)}`;
