// Under which text an agent begins: the one on trial, while it has attempts left; else the last good one, the one before
// it, and at last the till's own file alone. An attempt is on disk before it is made: where it cannot be
// noted it is not made, or a text that ends every agent would be tried for ever on a full disk.

import {
  ATTEMPTS_MAX,
  type EventOf,
  ended,
  KEPT,
  type Model,
  note,
  rest,
  type Step,
  stay,
} from './model.ts';
import { type Document, type Found, NO_NOTES, type Notes, SHELVES, type Which } from './types.ts';

const isSame = (one: Found['good'], other: Document): boolean =>
  typeof one === 'object' && one.sha256 === other.sha256;

/** The first of them that can be read. What lies there from a trial that is over goes. */
export function use(model: Model, whiches: readonly Which[]): Step {
  const [which = 'own'] = whiches;
  const isOver = model.notes.trial === undefined;
  return {
    model: { ...model, phase: { kind: 'choosing', whiches } },
    effects: [...(isOver ? [{ kind: 'drop' } as const] : []), { kind: 'use', which }],
  };
}

/** How often it was tried is lost with the notes, so it is not tried again. */
function withoutNotes(trial: Found['trial']): Notes {
  if (typeof trial !== 'object') return NO_NOTES;
  const lost = { command: '', attempts: 0, readyMs: 0, needed: [], restarted: [] };
  const notes = { ...NO_NOTES, trial: { ...lost, document: trial } };
  return ended(notes, 'rolled_back', 'the notes of its trial were damaged');
}

export function find(model: Model, { found }: EventOf<'found'>): Step {
  if (model.phase.kind !== 'starting') return stay(model);
  const { notes, trial, good } = found;
  const there = SHELVES.filter((shelf) => shelf !== 'trial' && typeof found[shelf] === 'object');
  const shelves: Which[] = [...there, 'own'];
  const isLess = notes === 'damaged' || good === 'damaged';
  const known = { ...model, shelves, isLess };
  const then = { kind: 'use', whiches: shelves } as const;
  if (notes === 'damaged') return note(known, withoutNotes(trial), then);
  if (notes === undefined) return use(known, shelves);
  const read = { ...known, notes };
  const tried = notes.trial;
  if (tried === undefined) return use(read, shelves);
  if (isSame(trial, tried.document)) {
    if (tried.attempts >= ATTEMPTS_MAX) {
      const reason = `the agent ended ${ATTEMPTS_MAX} times before all was ready under it`;
      return note(read, ended(notes, 'rolled_back', reason), then);
    }
    const next = { ...notes, trial: { ...tried, attempts: tried.attempts + 1 } };
    return note(read, next, { kind: 'use', whiches: ['trial'] });
  }
  // Killed after it was kept and before that was noted.
  if (isSame(good, tried.document)) return note(read, ended(notes, 'kept', KEPT), then);
  return note(read, ended(notes, 'rolled_back', 'its text on the till is damaged or gone'), then);
}

export function unfit(model: Model, { which, reason }: EventOf<'unfit'>): Step {
  const { phase, notes, shelves } = model;
  if (phase.kind !== 'choosing') return stay(model);
  if (which === 'trial') {
    const why = `it cannot be read on this till: ${reason}`;
    return note(model, ended(notes, 'rolled_back', why), { kind: 'use', whiches: shelves });
  }
  const next = use({ ...model, isLess: true }, phase.whiches.slice(1));
  return { model: next.model, effects: [{ kind: 'say', reason }, ...next.effects] };
}

export function fits(model: Model, { which, document }: EventOf<'fits'>, now: number): Step {
  const { phase, notes } = model;
  if (phase.kind !== 'choosing') return stay(model);
  const next = { ...model, running: document };
  if (which === 'trial') {
    const deadlineMs = now + (notes.trial?.readyMs ?? 0);
    return stay({ ...next, phase: { kind: 'trying', sinceMs: now, deadlineMs, lookedMs: now } });
  }
  if (notes.trial === undefined) return rest(next);
  const reason = 'the disk of the till did not take the note of an attempt';
  return note(next, ended(notes, 'rolled_back', reason), { kind: 'rest' });
}
