// What the trial of a document knows, hears and asks for; the decisions are in machine.ts, for an agent that begins in
// choice.ts. Each thing asked for is one deed on disk or in the agent, so that an agent can be killed between any two.

import { CONFIGURATION_READY_MS } from '../../protocol/limits.ts';
import type { Document, Found, Notes, Outcome, Trial, Which } from './types.ts';
import { NO_NOTES } from './types.ts';

/** Agents that may begin under one text before it was kept: one that ends three is worth no fourth. */
export const ATTEMPTS_MAX = 3;
/** All that is needed is ready for so long without a break; less where it is given less than two minutes to be ready. */
export const STABLE_MS = 30_000;
export const stableMs = ({ trial }: Notes): number =>
  Math.min(STABLE_MS, (trial?.readyMs ?? CONFIGURATION_READY_MS) / 4);

/** Between two tries of what a disk did not take. */
export const AGAIN_MS = 1_000;
/** Then it goes back without the note: the number of attempts bounds it all the same. */
export const BACK_TRIES_MAX = 10;
/** The agent looks four times a second; longer, and the machine itself was away. */
export const AWAY_MS = 5_000;

/** What is done once the notes are on disk. */
export type Then =
  | { readonly kind: 'use'; readonly whiches: readonly Which[] }
  | { readonly kind: 'leave'; readonly why: 'trial' | 'back' }
  | { readonly kind: 'cancel'; readonly trial: Trial; readonly reason: string }
  | { readonly kind: 'rest' };

export type Trying = {
  readonly kind: 'trying';
  readonly sinceMs: number;
  /** Of the time since boot, which no clock that is set can move. */
  readonly deadlineMs: number;
  readonly lookedMs: number;
  /** Since when all that is needed is ready. */
  readonly readyMs?: number | undefined;
  readonly againAt?: number;
};
export type Phase =
  | { readonly kind: 'starting' }
  | { readonly kind: 'choosing'; readonly whiches: readonly Which[] }
  | { readonly kind: 'calm' }
  | { readonly kind: 'writing'; readonly trial: Trial }
  /** The same text under another version. */
  | { readonly kind: 'renaming'; readonly document: Document; readonly command: string }
  | {
      readonly kind: 'noting';
      readonly notes: Notes;
      readonly then: Then;
      readonly tries: number;
      readonly againAt?: number;
    }
  | Trying
  | { readonly kind: 'promoting' }
  | { readonly kind: 'leaving'; readonly why: 'trial' | 'back' }
  | { readonly kind: 'gone' };

export type Model = {
  /** As they are on disk, as far as anybody knows. */
  readonly notes: Notes;
  readonly phase: Phase;
  /** What runs; undefined: the till's own file alone. */
  readonly running?: Document | undefined;
  /** Where texts were found when the agent began, in the order in which they are taken. */
  readonly shelves: readonly Which[];
  /** Something was damaged, so what is not configured now may still be meant to run. */
  readonly isLess: boolean;
};

export const INITIAL: Model = {
  ...{ notes: NO_NOTES, phase: { kind: 'starting' }, shelves: ['own'], isLess: false },
};

export type Event =
  | { readonly kind: 'found'; readonly found: Found }
  /** The text cannot be read with the till's own file. */
  | { readonly kind: 'unfit'; readonly which: Which; readonly reason: string }
  | { readonly kind: 'fits'; readonly which: Which; readonly document?: Document | undefined }
  | { readonly kind: 'received'; readonly trial: Trial }
  | {
      readonly kind: 'refused';
      readonly document: Document;
      readonly command: string;
      readonly reason: string;
    }
  | { readonly kind: 'written'; readonly ok: boolean; readonly reason: string }
  | { readonly kind: 'noted'; readonly ok: boolean; readonly reason: string }
  | { readonly kind: 'promoted'; readonly ok: boolean; readonly reason: string }
  /** Of those that are needed. `held`: nobody acts on what happens to them. */
  | {
      readonly kind: 'look';
      readonly unready: readonly string[];
      readonly quarantined: readonly string[];
      readonly held: boolean;
    }
  | { readonly kind: 'stopped' }
  /** A sale did not end in time. */
  | { readonly kind: 'stuck'; readonly reason: string }
  | { readonly kind: 'told' };
export type EventOf<K extends Event['kind']> = Extract<Event, { kind: K }>;

type About = { readonly document: Document; readonly command: string; readonly reason: string };
export type Effect =
  | { readonly kind: 'write'; readonly document: Document }
  | { readonly kind: 'rename'; readonly document: Document }
  | { readonly kind: 'note'; readonly notes: Notes }
  | { readonly kind: 'promote' }
  | { readonly kind: 'drop' }
  | { readonly kind: 'use'; readonly which: Which }
  | { readonly kind: 'stop'; readonly why: 'trial' | 'back'; readonly reason: string }
  | { readonly kind: 'anew'; readonly reason: string }
  | { readonly kind: 'tell'; readonly outcome: Outcome }
  | ({ readonly kind: 'answer'; readonly ok: boolean } & About)
  | ({ readonly kind: 'tell_refused' } & About)
  | { readonly kind: 'say'; readonly reason: string };

export type Step = { readonly model: Model; readonly effects: readonly Effect[] };

/**
 * What runs was not kept yet, or is about to be left. Whoever fails so far takes nobody along: not the till is sick but
 * the document, and the way back is the remedy.
 */
export function isOnTrial({ phase }: Pick<Model, 'phase'>): boolean {
  switch (phase.kind) {
    case 'trying':
    case 'promoting':
      return true;
    case 'noting':
      return phase.then.kind === 'leave' && phase.then.why === 'back';
    case 'leaving':
      return phase.why === 'back';
    default:
      return false;
  }
}

export const stay = (model: Model): Step => ({ model, effects: [] });

export const nameOf = ({ name, version }: Document): string => `${name} ${version}`;

export const KEPT = 'all that is needed was ready under it, and stayed so';

/** What became of a trial, as it is to be noted. */
export function ended(notes: Notes, what: Outcome['what'], reason: string): Notes {
  const { trial, counts } = notes;
  if (trial === undefined) return notes;
  const { document, command, restarted, needed } = trial;
  const outcome = { document, command, what, reason, restarted, needed, isTold: false };
  return { v: 1, outcome, counts: { ...counts, [what]: counts[what] + 1 } };
}

export const note = (model: Model, notes: Notes, then: Then, tries = 0): Step => ({
  model: { ...model, phase: { kind: 'noting', notes, then, tries } },
  effects: [{ kind: 'note', notes }],
});

/** Nothing is under way; what is decided and was not told is told. */
export function rest(model: Model): Step {
  const { outcome } = model.notes;
  const isNews = outcome !== undefined && !outcome.isTold;
  return {
    model: { ...model, phase: { kind: 'calm' } },
    effects: isNews ? [{ kind: 'tell', outcome }] : [],
  };
}
