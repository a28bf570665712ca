// The trial of a document as a table of stories: what an agent finds, is told and sees, and what it asks for then.

import { describe, expect, it } from 'vitest';
import { step } from '../../agent/configuration/machine.ts';
import { type Effect, type Event, INITIAL, type Model } from '../../agent/configuration/model.ts';
import {
  type Document,
  type Found,
  NO_NOTES,
  type Trial,
} from '../../agent/configuration/types.ts';

const A: Document = { name: 'shop', version: 1, sha256: 'a' };
const B: Document = { name: 'shop', version: 2, sha256: 'b' };
const C: Document = { name: 'shop', version: 3, sha256: 'c' };
const trialOf = (document: Document, attempts = 0): Trial => ({
  ...{ document, command: `c-${document.sha256}`, attempts, readyMs: 120_000 },
  ...{ needed: ['sale'], restarted: ['sale'] },
});
const NOTHING: Found = {
  ...{ notes: undefined, trial: undefined, good: undefined, previous: undefined },
};
const noted = (ok = true): Event => ({ kind: 'noted', ok, reason: ok ? '' : 'full' });
const written = (ok = true): Event => ({ kind: 'written', ok, reason: ok ? '' : 'full' });
const promoted = (ok = true): Event => ({ kind: 'promoted', ok, reason: ok ? '' : 'full' });
const found = (more: Partial<Found> = {}): Event => ({
  kind: 'found',
  found: { ...NOTHING, ...more },
});
const fits = (which: 'trial' | 'good' | 'previous' | 'own', document?: Document): Event => ({
  ...{ kind: 'fits', which, document },
});
const unfit = (which: 'trial' | 'good'): Event => ({ kind: 'unfit', which, reason: 'no' });
const look = (unready: string[] = [], more: object = {}): Event => ({
  ...{ kind: 'look', unready, quarantined: [], held: false, ...more },
});
const received = (trial: Trial): Event => ({ kind: 'received', trial });
const tried = (attempts: number) => ({ ...NO_NOTES, trial: trialOf(B, attempts) });

const short = (effect: Effect): string => {
  switch (effect.kind) {
    case 'use':
      return `use ${effect.which}`;
    case 'stop':
      return `stop ${effect.why}`;
    case 'answer':
      return `answer ${effect.ok}: ${effect.reason}`;
    case 'tell':
      return `tell ${effect.outcome.what}: ${effect.outcome.reason}`;
    case 'note': {
      const { trial, outcome } = effect.notes;
      const what = trial ? `trial ${trial.attempts}` : (outcome?.what ?? 'nothing');
      return `note ${what}${outcome?.isTold === true ? ' told' : ''}`;
    }
    default:
      return effect.kind;
  }
};

type Told = Event | number | 'asleep';

/** Events at the seconds since boot; in between it goes on to look. @returns all that was asked for. */
function story(...told: readonly Told[]): { asked: string[]; model: Model } {
  let model = INITIAL;
  let now = 0;
  let seen = look(['sale']);
  let asleep = false;
  const asked: string[] = [];
  const take = (event: Event): void => {
    const next = step(model, event, now);
    model = next.model;
    asked.push(...next.effects.map(short));
  };
  const pass = (untilMs: number): void => {
    while (now + 1_000 < untilMs && !asleep) {
      now += 1_000;
      take(seen);
    }
    now = untilMs;
    asleep = false;
  };
  for (const one of told) {
    if (one === 'asleep') asleep = true;
    else if (typeof one === 'number') pass(one * 1_000);
    else {
      if (one.kind === 'look') seen = one;
      take(one);
    }
  }
  return { asked, model };
}

const CALM = [found({ good: A, notes: NO_NOTES }), fits('good', A)];
const TRYING = [found({ good: A, trial: B, notes: tried(0) }), noted(), fits('trial', B)];
const calmly = ['drop', 'use good'];

const ROWS: [string, Told[], string[]][] = [
  ['nothing came yet: its own file', [found(), fits('own')], ['drop', 'use own']],
  ['a good one lies there', CALM, calmly],
  [
    'the good one is damaged: the one before, its own file last',
    [found({ good: 'damaged', previous: A, notes: NO_NOTES }), unfit('good'), fits('own')],
    ['drop', 'use previous', 'say', 'drop', 'use own'],
  ],
  [
    'a document comes: text, note, stops, in this order, and begins anew',
    [...CALM, received(trialOf(B)), written(), noted(), { kind: 'stopped' }],
    [...calmly, 'write', 'note trial 0', 'stop trial', 'anew'],
  ],
  [
    'the disk does not take the text: nothing is changed',
    [...CALM, received(trialOf(B)), written(false)],
    [...calmly, 'write', 'drop', 'answer false: it could not be written down before acting: full'],
  ],
  [
    'the disk does not take the note: nothing is changed',
    [...CALM, received(trialOf(B)), written(), noted(false)],
    [
      ...calmly,
      ...['write', 'note trial 0', 'drop'],
      'answer false: it could not be written down before acting: full',
    ],
  ],
  [
    'a second one during a trial is refused',
    [...TRYING, received(trialOf(C))],
    [
      ...['note trial 1', 'use trial'],
      'answer false: configuration shop 2 is on trial here: send it again when that has ended',
    ],
  ],
  [
    'the text that runs comes under another version: no trial',
    [...CALM, received(trialOf({ ...A, version: 9 })), written()],
    [...calmly, 'rename', 'answer true: this text is in force already'],
  ],
  [
    'ready and stable: kept, on disk before it is told',
    [...TRYING, 5, look(), 35, look(), promoted(), noted(), { kind: 'told' }, noted()],
    [
      ...['note trial 1', 'use trial', 'promote', 'note kept'],
      ...['tell kept: all that is needed was ready under it, and stayed so', 'note kept told'],
    ],
  ],
  [
    'ready, lost before the deadline, ready again: counts anew',
    [...TRYING, 5, look(), 30, look(['sale']), 31, look(), 60, 61, look()],
    ['note trial 1', 'use trial', 'promote'],
  ],
  [
    'never ready: back by itself',
    [...TRYING, 119, look(['sale']), 121, look(['sale']), noted(), { kind: 'stopped' }],
    ['note trial 1', 'use trial', 'note rolled_back', 'stop back', 'anew'],
  ],
  [
    'ready at the deadline, lost within the stable time: back',
    [...TRYING, 119, look(), 130, look(['sale'])],
    ['note trial 1', 'use trial', 'note rolled_back'],
  ],
  [
    'in quarantine: back at once',
    [...TRYING, 3, look(['sale'], { quarantined: ['sale'] })],
    ['note trial 1', 'use trial', 'note rolled_back'],
  ],
  [
    'held: it has the time that somebody works on it on top',
    [...TRYING, 4, look(['sale'], { held: true }), 80, look(['sale']), 190, look(['sale'])],
    ['note trial 1', 'use trial'],
  ],
  [
    'a machine that slept: the deadline sleeps too',
    [...TRYING, 4, look(['sale']), 'asleep', 4_000, look(['sale'])],
    ['note trial 1', 'use trial'],
  ],
  [
    'the agent ended three times under it: back, without a fourth',
    [found({ good: A, trial: B, notes: tried(3) }), noted(), fits('good', A)],
    [
      ...['note rolled_back', 'drop', 'use good'],
      'tell rolled_back: the agent ended 3 times before all was ready under it',
    ],
  ],
  [
    'it cannot be read with the own file: back at once',
    [...TRYING.slice(0, 2), unfit('trial'), noted(), fits('good', A)],
    [
      ...['note trial 1', 'use trial', 'note rolled_back', 'drop', 'use good'],
      'tell rolled_back: it cannot be read on this till: no',
    ],
  ],
  [
    'an attempt that cannot be counted is not made',
    [found({ good: A, trial: B, notes: tried(0) }), noted(false), fits('good', A), noted()],
    [
      ...['note trial 1', 'say', 'use good', 'note rolled_back'],
      'tell rolled_back: the disk of the till did not take the note of an attempt',
    ],
  ],
  [
    'killed between text and note: it was never tried',
    [found({ good: A, trial: B, notes: NO_NOTES }), fits('good', A)],
    calmly,
  ],
  [
    'killed between being kept and the note of it',
    [found({ good: B, previous: A, notes: tried(1) }), noted(), fits('good', B)],
    [
      ...['note kept', 'drop', 'use good'],
      'tell kept: all that is needed was ready under it, and stayed so',
    ],
  ],
  [
    'the text on trial is damaged',
    [found({ good: A, trial: 'damaged', notes: tried(1) }), noted(), fits('good', A)],
    [
      ...['note rolled_back', 'drop', 'use good'],
      'tell rolled_back: its text on the till is damaged or gone',
    ],
  ],
  [
    'the notes are damaged: what was on trial is not tried again',
    [found({ good: A, trial: B, notes: 'damaged' }), noted(), fits('good', A)],
    [
      ...['note rolled_back', 'drop', 'use good'],
      'tell rolled_back: the notes of its trial were damaged',
    ],
  ],
  [
    'killed before it was told: told by the next',
    [
      found({
        good: B,
        notes: {
          ...NO_NOTES,
          outcome: { ...trialOf(B), what: 'kept', reason: 'so', isTold: false },
        },
      }),
      fits('good', B),
    ],
    [...calmly, 'tell kept: so'],
  ],
  [
    'kept, and the disk takes the note later',
    [...TRYING, 1, look(), 31, look(), promoted(false), 32, look(), promoted(), noted(false)],
    ['note trial 1', 'use trial', 'promote', 'say', 'promote', 'note kept', 'say'],
  ],
  [
    'one that is refused holds up nobody who comes right after it',
    [
      ...CALM,
      { kind: 'refused', document: C, command: 'c', reason: 'no' },
      ...[received(trialOf(B)), noted(), written(), noted()],
    ],
    [...calmly, 'tell_refused', 'note nothing', 'write', 'note trial 0', 'stop trial'],
  ],
  [
    'a sale does not end: nothing is changed',
    [
      ...CALM,
      ...[received(trialOf(B)), written(), noted()],
      ...[{ kind: 'stuck', reason: 'sale is busy' } as const, noted()],
    ],
    [
      ...[...calmly, 'write', 'note trial 0', 'stop trial', 'note nothing', 'drop'],
      'answer false: sale is busy',
    ],
  ],
];

describe('the trial of a document', () => {
  it.each(ROWS)('%s', (_, events, asked) => {
    expect(story(...events).asked).toEqual(asked);
  });

  it('goes back without a note where the disk takes none', () => {
    const events: Told[] = [...TRYING, 121, look(['sale'])];
    for (let second = 122; second < 140; second += 1) events.push(noted(false), second, look());
    const { asked } = story(...events);
    expect(asked.filter((one) => one === 'note rolled_back')).toHaveLength(11);
    expect(asked.at(-1)).toBe('stop back');
  });

  it('ends nobody that an unreadable document may have meant to run', () => {
    const damaged = story(found({ good: 'damaged', notes: NO_NOTES }), fits('own'));
    expect(damaged.model.isLess).toBe(true);
    expect(story(...CALM).model.isLess).toBe(false);
  });

  it('waits for a shorter stable time where it gives less time to be ready', () => {
    const trial = { ...trialOf(B), readyMs: 20_000 };
    const begin = [found({ good: A, trial: B, notes: { ...NO_NOTES, trial } }), noted()];
    const { asked } = story(...begin, fits('trial', B), look(), 5, look());
    expect(asked.at(-1)).toBe('promote');
  });
});
