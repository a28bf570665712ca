// Every reason that the watchdog gives, in one place, so that the words which the on-call reads are the
// words which tests and runbooks quote. Sentences are constant; only numbers and what the component itself
// said are filled in. They are not codes: a reason that needs a manual is not a reason.

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
const megabytes = (bytes: number): string => `${(bytes / 1_000_000).toFixed(0)} MB`;
const percent = (ratio: number): string => `${(ratio * 100).toFixed(0)} %`;

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
export const exitedPermanent = (code: number): string =>
  `the process ended with code ${code}: it says that starting it again cannot help`;
export const exitedRemote = (code: number): string =>
  `the process ended with code ${code}: it says that a remote party is to blame`;
export const remoteTrouble = (why: string): string =>
  `a remote party is to blame, no restart would help: ${why}`;
export const tenderInFlight = (ms: number): string =>
  `killed only after the tender that is in flight, at most ${seconds(ms)}`;

// Planned restarts of the watchdog's own.
export const tooOld = (ms: number): string =>
  `it has run for longer than ${seconds(ms)}: restarted at idle, as configured`;
export const memoryOver = (bytes: number, ceiling: number): string =>
  `it uses ${megabytes(bytes)} of memory, its ceiling is ${megabytes(ceiling)}`;
export const descriptorsOver = (count: number, ceiling: number): string =>
  `it has ${count} descriptors open, its ceiling is ${Math.floor(ceiling)}`;
export const cpuOver = (ratio: number, ceiling: number): string =>
  `it uses ${percent(ratio)} of a core, its ceiling is ${percent(ceiling)}`;
export const atIdle = (why: string): string => `${why}; restarted at idle`;
export const stillOver = (why: string): string =>
  `restarts did not help and its budget is spent, so it runs on, a human is needed: ${why}`;
export const stillLarge = (why: string): string =>
  `a restart did not help, so it runs on for now, a human is needed: ${why}`;

// The recovery ladder.
export const HELD_STABLE = 'it has been ready for its stable time';
export const OVER_OPERATOR = 'somebody asked for another restart first';
export const ESCALATION_OVER =
  'the rest of the till was not prepared in time: it is tried by itself';
export const NEVER_AGAIN = 'starting it again cannot help: retried slowly, a human is needed';
export const LADDER_SPENT =
  'no rung of its ladder is left that could help: retried slowly, a human is needed';
export const REMOTE_AWAY = 'a remote party is to blame: tried again in a while';
export const failedAgain = (why: string): string => `it failed again: ${why}`;
export const healFailed = (why: string): string => `it could not heal itself: ${why}`;
export const climbs = (rung: string, why: string): string =>
  `restarts alone do not help, next is ${rung}: ${why}`;
export const asStrategy = (why: string): string => `restarted with what comes after it: ${why}`;
export const rungRefused = (rung: string, why: string): string =>
  `${rung} could not be done: ${why}`;
export const coolsDown = (ms: number): string =>
  `the last rung was used too short a while ago: the next in ${seconds(ms)}`;
export const asMember = (why: string): string => `it would be stopped with others: ${why}`;

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
export const noProgress = (ms: number): string =>
  `work waits and none was completed for ${seconds(ms)}`;
export const silentInFrame = (ms: number): string =>
  `${STUCK} stuck: ${silent(ms)}, and two looks found it in the same frame`;
const ACROSS = 'seen again and again between pauses of the agent';
export const silentAcross = (ms: number): string => `${STUCK} stuck: ${silent(ms)}, ${ACROSS}`;
export const stillAcross = (ms: number): string =>
  `${STUCK} stopped or asleep without waking for ${seconds(ms)}, ${ACROSS}`;
