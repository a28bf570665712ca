// The trial of a document, as pure decisions: when one that came is tried, and when it is kept or left again. What it
// asks for is done one at a time and answered, and each answer may never come because the agent is killed: then the
// next one begins with what it finds (choice.ts). So there is no moment at which the last good text is not on
// disk, and nothing is done that was not noted before.
//
//  starting -> noting -> choosing -> calm -> writing -> noting -> leaving -> gone, and anew
//                          |                                        ^
//                          +-> trying -> promoting -> noting -> calm|
//                                 +----> noting --------------------+

import { find, fits, unfit, use } from './choice.ts';
import {
  AGAIN_MS,
  AWAY_MS,
  BACK_TRIES_MAX,
  type Effect,
  type Event,
  type EventOf,
  ended,
  KEPT,
  type Model,
  nameOf,
  note,
  type Phase,
  rest,
  STABLE_MS,
  type Step,
  stableMs,
  stay,
  type Then,
  type Trying,
} from './model.ts';
import type { Trial } from './types.ts';

const notWritten = (reason: string): string =>
  `it could not be written down before acting: ${reason}`;

/** Nothing was changed, and nothing will be. */
function leaveIt(model: Model, { document, command }: Trial, reason: string): Step {
  const answer = { kind: 'answer', command, document, ok: false, reason } as const;
  return { model: { ...model, phase: { kind: 'calm' } }, effects: [{ kind: 'drop' }, answer] };
}

function follow(model: Model, then: Then): Step {
  if (then.kind === 'use') return use(model, then.whiches);
  if (then.kind === 'rest') return rest(model);
  if (then.kind === 'cancel') return leaveIt(model, then.trial, then.reason);
  const { trial, outcome } = model.notes;
  const reason =
    then.why === 'trial'
      ? `fleet configuration ${trial ? nameOf(trial.document) : ''} is tried`
      : `back to the last good configuration: ${outcome?.reason ?? 'the trial failed'}`;
  const phase: Phase = { kind: 'leaving', why: then.why };
  return { model: { ...model, phase }, effects: [{ kind: 'stop', why: then.why, reason }] };
}

function noted(model: Model, { ok, reason }: EventOf<'noted'>, now: number): Step {
  const { phase } = model;
  if (phase.kind !== 'noting') return stay(model);
  const { notes, then, tries } = phase;
  if (ok) return follow({ ...model, notes }, then);
  const said: Effect[] = tries === 0 ? [{ kind: 'say', reason }] : [];
  if (then.kind === 'use') {
    const next = use(model, model.shelves);
    return { model: next.model, effects: [...said, ...next.effects] };
  }
  if (then.kind === 'leave' && then.why === 'trial' && notes.trial !== undefined) {
    return leaveIt(model, notes.trial, notWritten(reason));
  }
  if (then.kind === 'leave' && tries >= BACK_TRIES_MAX) return follow(model, then);
  const again = { ...phase, tries: tries + 1, againAt: now + AGAIN_MS };
  return { model: { ...model, phase: again }, effects: said };
}

/** What is only being written down for good measure keeps nobody waiting: notes are written one after the other. */
export const isFree = ({ phase }: Pick<Model, 'phase'>): boolean =>
  phase.kind === 'calm' ||
  (phase.kind === 'noting' &&
    phase.then.kind === 'rest' &&
    phase.againAt === undefined &&
    phase.notes.outcome?.isTold !== false);

function receive(before: Model, { trial }: EventOf<'received'>): Step {
  const { phase } = before;
  const model =
    phase.kind === 'noting' && isFree(before) ? { ...before, notes: phase.notes } : before;
  const { running, notes } = model;
  const { document, command } = trial;
  if (!isFree(model)) {
    const other = notes.trial?.document;
    const reason =
      other === undefined
        ? 'the till has yet to write down what became of another configuration: send it again'
        : `configuration ${nameOf(other)} is on trial here: send it again when that has ended`;
    const answer = { kind: 'answer', command, document, ok: false, reason } as const;
    return { model, effects: [answer] };
  }
  if (running?.sha256 === document.sha256) {
    const next: Phase = { kind: 'renaming', document, command };
    return { model: { ...model, phase: next }, effects: [{ kind: 'rename', document }] };
  }
  const next: Phase = { kind: 'writing', trial };
  return { model: { ...model, phase: next }, effects: [{ kind: 'write', document }] };
}

function written(model: Model, { ok, reason }: EventOf<'written'>): Step {
  const { phase, notes } = model;
  if (phase.kind === 'renaming') {
    const { document, command } = phase;
    const told = ok ? 'this text is in force already' : notWritten(reason);
    const running = ok ? document : model.running;
    const answer = { kind: 'answer', command, document, ok, reason: told } as const;
    return { model: { ...model, running, phase: { kind: 'calm' } }, effects: [answer] };
  }
  if (phase.kind !== 'writing') return stay(model);
  if (!ok) return leaveIt(model, phase.trial, notWritten(reason));
  const next = { v: 1, counts: notes.counts, trial: phase.trial } as const;
  return note(model, next, { kind: 'leave', why: 'trial' });
}

const goBack = (model: Model, reason: string): Step =>
  note(model, ended(model.notes, 'rolled_back', reason), { kind: 'leave', why: 'back' });

function look(model: Model, event: EventOf<'look'>, now: number): Step {
  const { phase } = model;
  if (phase.kind === 'trying') return judge(model, phase, event, now);
  if (phase.kind !== 'noting' || phase.againAt === undefined || now < phase.againAt) {
    return stay(model);
  }
  return note(model, phase.notes, phase.then, phase.tries);
}

function judge(model: Model, phase: Trying, event: EventOf<'look'>, now: number): Step {
  const { unready, quarantined, held } = event;
  const gapMs = Math.max(0, now - phase.lookedMs);
  const awayMs = gapMs > AWAY_MS ? gapMs : 0;
  // Whoever works on the till does not use up its time, nor does a machine that sleeps.
  const deadlineMs = phase.deadlineMs + (held ? gapMs : awayMs);
  const { readyMs: before, ...others } = phase;
  const next = { ...others, deadlineMs, lookedMs: now };
  if (unready.length === 0) {
    const readyMs = before === undefined ? now : before + awayMs;
    const isDue = now - readyMs >= stableMs(model.notes) && now >= (phase.againAt ?? now);
    if (!isDue) return stay({ ...model, phase: { ...next, readyMs } });
    return { model: { ...model, phase: { kind: 'promoting' } }, effects: [{ kind: 'promote' }] };
  }
  const waiting = { ...model, phase: next };
  if (held) return stay(waiting);
  const [lost] = quarantined;
  if (lost !== undefined) return goBack(waiting, `${lost} is in quarantine under it`);
  if (now < deadlineMs) return stay(waiting);
  const seconds = Math.round((model.notes.trial?.readyMs ?? 0) / 1_000);
  return goBack(waiting, `not ready under it within ${seconds} s: ${unready.join(', ')}`);
}

function promoted(model: Model, { ok, reason }: EventOf<'promoted'>, now: number): Step {
  if (model.phase.kind !== 'promoting') return stay(model);
  if (ok) return note(model, ended(model.notes, 'kept', KEPT), { kind: 'rest' });
  // It stays on trial, and ready, until the disk takes it.
  const times = { sinceMs: now, lookedMs: now, readyMs: now - STABLE_MS };
  const deadlineMs = now + STABLE_MS;
  const phase: Phase = { kind: 'trying', ...times, deadlineMs, againAt: now + AGAIN_MS };
  return { model: { ...model, phase }, effects: [{ kind: 'say', reason }] };
}

/** A sale stays open: nothing was changed yet, and nothing will be. */
function stuck(model: Model, { reason }: EventOf<'stuck'>): Step {
  const { phase, notes } = model;
  const { trial } = notes;
  if (phase.kind !== 'leaving' || phase.why !== 'trial' || trial === undefined) return stay(model);
  const next = { v: 1, counts: notes.counts } as const;
  return note(model, next, { kind: 'cancel', trial, reason });
}

function refuse(model: Model, { document, command, reason }: EventOf<'refused'>): Step {
  const { notes, phase } = model;
  const counts = { ...notes.counts, refused: notes.counts.refused + 1 };
  const told = { kind: 'tell_refused', document, command, reason } as const;
  if (phase.kind !== 'calm') return { model, effects: [told] };
  const next = note(model, { ...notes, counts }, { kind: 'rest' }, 1);
  return { model: next.model, effects: [told, ...next.effects] };
}

function told(model: Model): Step {
  const { notes, phase } = model;
  const { outcome } = notes;
  if (phase.kind !== 'calm' || outcome === undefined || outcome.isTold) return stay(model);
  return note(model, { ...notes, outcome: { ...outcome, isTold: true } }, { kind: 'rest' }, 1);
}

function stopped(model: Model): Step {
  if (model.phase.kind !== 'leaving') return stay(model);
  const isTrial = model.phase.why === 'trial';
  const reason = `begins anew ${isTrial ? 'under a fleet configuration' : 'under the last good one'}`;
  return { model: { ...model, phase: { kind: 'gone' } }, effects: [{ kind: 'anew', reason }] };
}

type Handlers = {
  readonly [K in Event['kind']]: (model: Model, event: EventOf<K>, now: number) => Step;
};
const handlers: Handlers = {
  ...{ found: find, unfit, fits, received: receive, refused: refuse, written, noted },
  ...{ promoted, look, stopped, stuck, told },
};

/** What an agent found, did, saw or was told. @param now in milliseconds since boot. */
export function step(model: Model, event: Event, now: number): Step {
  // The table's type ties each line to its event; a look-up by a union loses that tie.
  const handler = handlers[event.kind] as (model: Model, event: Event, now: number) => Step;
  return handler(model, event, now);
}
