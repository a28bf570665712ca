// Why the broker was not reached, as a pure machine: what a look and a failed connection mean, which time belongs
// to which reason, and what is told in the end. Time is measured since boot, which counts sleep and knows no wall
// clock: a clock that is set makes no absence and lengthens none. The network is blamed only where it is needed,
// that is where it was there while the broker was reached: on a till whose broker is reached over a tunnel or on
// the same machine, a pulled cable elsewhere explains nothing.

import { AWAY_REASONS, type AwayReason } from '../../protocol/events.ts';
import { isRefusal } from '../link/reasons.ts';
import type {
  AbsenceEvent,
  AbsenceModel,
  Away,
  Failure,
  Gap,
  Look,
  Now,
  Parts,
  Told,
} from './types.ts';

/** Shorter ones are counted, not told: a connection that is made again at once is nobody's business. */
export const TOLD_MS_MIN = 10_000;
/** A connection that was given up for silence was lost before: at most so long. */
const SILENT_MS_MAX = 120_000;

export const NEVER_REACHED: AbsenceModel = {
  isReached: false,
  contactBootMs: undefined,
  upBootMs: undefined,
  away: undefined,
  isNetworked: false,
};

/** Codes of Node and the words of mqtt.js for a CONNACK; constant, so that they can be compared. */
export function failureOf(reason: string): Failure {
  if (/\bE(NOTFOUND|AI_[A-Z]+)\b/.test(reason)) return 'name';
  if (isRefusal(reason)) return 'refused';
  if (/\bE(NETUNREACH|HOSTUNREACH|NETDOWN|ADDRNOTAVAIL)\b/.test(reason)) return 'network';
  if (/acknowledged nothing|[Kk]eepalive/.test(reason)) return 'silent';
  return 'unreachable';
}

/** Outermost first: behind a line that is down nothing else can be told. */
export function classify(failure: Failure, look: Look, isNetworked: boolean): AwayReason {
  if (failure === 'refused') return 'refused';
  if (isNetworked && (look.carrier === false || look.route === false)) return 'link_down';
  if (isNetworked && look.gateway === 'silent') return 'gateway_unreachable';
  return failure === 'name' ? 'name_resolution' : 'broker_unreachable';
}

const linkWords = (look: Look): string =>
  look.carrier === false ? 'no network interface has a carrier' : 'there is no route out';

function sentenceOf(reason: AwayReason, look: Look, said: string): string {
  if (reason === 'link_down') return linkWords(look);
  return reason === 'gateway_unreachable' ? 'the gateway does not answer' : said;
}

const plus = (parts: Parts, reason: AwayReason, ms: number): Parts =>
  ms > 0 ? { ...parts, [reason]: (parts[reason] ?? 0) + ms } : parts;

/** The time since the last look belongs to what was believed then. */
function reach(away: Away, bootMs: number, reason = away.reason): Away {
  const ms = Math.max(0, bootMs - away.reachedBootMs);
  return { ...away, parts: plus(away.parts, reason, ms), reachedBootMs: away.reachedBootMs + ms };
}

function believe(away: Away, reason: AwayReason, sentence: string): Away {
  return { ...away, reason, sentences: { ...away.sentences, [reason]: sentence } };
}

const beginAt = (fromBootMs: number, { bootMs, brokerMs }: Now, reason: AwayReason): Away => ({
  fromBrokerMs: brokerMs === undefined ? undefined : brokerMs - (bootMs - fromBootMs),
  fromBootMs,
  parts: {},
  reachedBootMs: fromBootMs,
  gap: undefined,
  reason,
  sentences: {},
});

type Down = Extract<AbsenceEvent, { kind: 'down' }>;

function goDown(model: AbsenceModel, event: Down, now: Now): AbsenceModel {
  const { contactBootMs, isNetworked } = model;
  const reason = classify(event.failure, event.look, isNetworked);
  const sentence = sentenceOf(reason, event.look, event.sentence);
  if (contactBootMs === undefined) return { ...model, upBootMs: undefined };
  // What it went silent for was not noticed at once; a connection that broke was.
  const since = Math.max(contactBootMs, now.bootMs - SILENT_MS_MAX);
  const fromBootMs = event.failure === 'silent' ? since : now.bootMs;
  const begun = model.away ?? beginAt(fromBootMs, now, reason);
  const away = believe(reach(begun, now.bootMs), reason, sentence);
  return { ...model, isReached: false, upBootMs: undefined, away };
}

function lookAgain(model: AbsenceModel, look: Look, now: Now): AbsenceModel {
  const { away, isNetworked } = model;
  if (away === undefined) return model;
  const reached = reach(away, now.bootMs);
  const reason = classify('unreachable', look, isNetworked);
  const isNetwork = reason === 'link_down' || reason === 'gateway_unreachable';
  // A network that is back says nothing of why the broker is not reached yet: the next try will.
  return isNetwork
    ? { ...model, away: believe(reached, reason, sentenceOf(reason, look, '')) }
    : { ...model, away: reached };
}

/** A sleeping machine is as good as switched off; its broker was reached until then. */
function sleep(model: AbsenceModel, ms: number, now: Now): AbsenceModel {
  if (model.contactBootMs === undefined || ms < TOLD_MS_MIN) return model;
  const fromBootMs = now.bootMs - ms;
  const before = model.away === undefined ? undefined : reach(model.away, fromBootMs);
  const begun = before ?? beginAt(fromBootMs, now, 'power');
  const slept = reach(begun, now.bootMs, 'power');
  const sentences = { ...slept.sentences, power: 'the machine slept' };
  // A session that is open still may have lived on: then it is over when the broker answers in it.
  const upBootMs = model.upBootMs === undefined ? undefined : now.bootMs;
  return { ...model, isReached: false, upBootMs, away: { ...slept, sentences } };
}

/** The longest; of equal ones the outermost. */
export const dominant = (parts: Parts): AwayReason =>
  AWAY_REASONS.reduce<AwayReason>(
    (most, one) => ((parts[one] ?? 0) > (parts[most] ?? 0) ? one : most),
    'unknown',
  );

const sumOf = (parts: Parts): number => Object.values(parts).reduce((sum, ms) => sum + ms, 0);

/** @returns the absence in the broker's time, or nothing while that would be a guess. */
function finish(away: Away, upBootMs: number, now: Now): Told | undefined {
  const { bootMs, brokerMs } = now;
  if (brokerMs === undefined) return undefined;
  const { gap, sentences } = away;
  const untilMs = Math.round(brokerMs - (bootMs - upBootMs));
  let { parts } = reach(away, upBootMs);
  const measuredMs = sumOf(parts);
  let fromMs = untilMs - measuredMs;
  if (gap !== undefined && away.fromBrokerMs !== undefined) {
    // The clocks of two boots have nothing in common but the broker's time; it never makes less than was measured.
    fromMs = Math.min(fromMs, Math.round(away.fromBrokerMs));
    parts = plus(parts, gap, untilMs - fromMs - measuredMs);
  }
  const why = dominant(parts);
  return { fromMs: Math.round(fromMs), untilMs, why, parts, reason: sentences[why] ?? '' };
}

export type Stepped = { readonly model: AbsenceModel; readonly told: Told | undefined };

function acknowledged(model: AbsenceModel, look: Look, now: Now): Stepped {
  const isNetworked = look.route === true && look.carrier !== false;
  const next = { ...model, isReached: true, contactBootMs: now.bootMs };
  if (model.away === undefined) return { model: { ...next, isNetworked }, told: undefined };
  const told = finish(model.away, model.upBootMs ?? now.bootMs, now);
  if (told === undefined) return { model, told: undefined };
  return { model: { ...next, away: undefined, isNetworked }, told };
}

export function step(model: AbsenceModel, event: AbsenceEvent, now: Now): Stepped {
  const only = (next: AbsenceModel): Stepped => ({ model: next, told: undefined });
  switch (event.kind) {
    case 'up':
      return only({ ...model, upBootMs: now.bootMs });
    case 'acknowledged':
      return acknowledged(model, event.look, now);
    case 'down':
      return only(goDown(model, event, now));
    case 'looked':
      return only(lookAgain(model, event.look, now));
    case 'slept':
      return only(sleep(model, event.ms, now));
  }
}

/** What an agent before this one left. */
export type Before = {
  readonly isSameBoot: boolean;
  readonly model: AbsenceModel;
  /** When it was last alive. */
  readonly bootMs: number;
  readonly brokerMs: number | undefined;
  /** Why it ended in good order; undefined when it did not. */
  readonly ended: string | undefined;
};

/** A new agent begins: what was open goes on, and what nobody watched gets its reason. */
export function resume(
  { isSameBoot, model, bootMs, brokerMs, ended }: Before,
  now: Now,
): AbsenceModel {
  const gap: Gap = isSameBoot || ended !== undefined ? 'agent_stopped' : 'power';
  const unmeasured = ended === undefined ? 'the agent did not run' : `the agent ended: ${ended}`;
  const sentence = gap === 'power' ? 'the machine was off, and not shut down before' : unmeasured;
  if (model.contactBootMs === undefined) return NEVER_REACHED;
  const open = model.away ?? { ...beginAt(bootMs, { bootMs, brokerMs }, gap) };
  const before = reach(open, bootMs);
  const clean = { ...model, isReached: false, upBootMs: undefined };
  if (isSameBoot) {
    const away = believe(reach(before, now.bootMs, gap), gap, sentence);
    return { ...clean, contactBootMs: Math.min(model.contactBootMs, now.bootMs), away };
  }
  // Before the broker's time is known again, only what passed since this boot can be measured.
  const worst = before.gap === 'power' ? 'power' : gap;
  const parts = plus(before.parts, gap, now.bootMs);
  const times = { fromBootMs: undefined, parts, reachedBootMs: now.bootMs, gap: worst } as const;
  const away = believe({ ...before, ...times }, gap, sentence);
  return { ...clean, contactBootMs: 0, away };
}
