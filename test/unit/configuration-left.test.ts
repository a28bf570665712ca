// What a till says, counts and waits for around the end of a trial: on its way back, right after it, and when the
// next document comes while components are still starting.

import { describe, expect, it } from 'vitest';
import type { Component } from '../../agent/component.ts';
import type { Keeper } from '../../agent/configuration/keeper.ts';
import { ended, INITIAL, type Model } from '../../agent/configuration/model.ts';
import { isFresh, isToRunAgain, neededOf } from '../../agent/configuration/readiness.ts';
import { NO_NOTES, type Notes } from '../../agent/configuration/types.ts';
import { configurationView } from '../../agent/configuration/view.ts';
import type { ComponentConfig } from '../../configuration/config.ts';

const document = { name: 'shop', version: 2, sha256: 'b' };
const trial = { document, command: 'c', readyMs: 1, needed: [], restarted: ['sale'] };
const left = (isTold: boolean, what: 'kept' | 'rolled_back' = 'rolled_back'): Notes => ({
  ...NO_NOTES,
  outcome: { document, command: 'c', what, reason: 'so', restarted: ['sale'], isTold },
});

it('a document that is being left was not kept', () => {
  const leaving = { kind: 'leaving', why: 'back' } as const;
  const model: Model = { ...INITIAL, notes: left(false), running: document, phase: leaving };
  const state = (now: Model) => configurationView({ model: now } as unknown as Keeper, false).state;
  expect(state(model)).toBe('trial');
  expect(state({ ...model, notes: left(true, 'kept'), phase: { kind: 'calm' } })).toBe('kept');
});

describe('the restarts that an agent before counted', () => {
  it.each<[string, Notes, string, boolean]>([
    ['count, with no document', NO_NOTES, 'sale', false],
    ['count under one that was kept', left(true, 'kept'), 'sale', false],
    ['of a program that a document changes are of another one', at(1), 'sale', true],
    ['of all others count', at(1), 'printer', false],
    ['count at the next attempt', at(2), 'sale', false],
    ['under one that was left say nothing of the one before', left(false), 'printer', true],
    ['count again with the agent after that', left(true), 'sale', false],
  ])('%s', (_, notes, component, expected) => {
    expect(isFresh(notes, component)).toBe(expected);
  });

  function at(attempts: number): Notes {
    return { ...NO_NOTES, trial: { ...trial, attempts } };
  }
});

it('what was stopped for a document and has ended for good under it runs again without it', () => {
  const notes = ended(
    { ...NO_NOTES, trial: { ...trial, attempts: 1, needed: ['sale', 'job'] } },
    'rolled_back',
    'so',
  );
  expect(isToRunAgain(notes, 'sale')).toBe(true);
  // Not stopped for it: what is done is done.
  expect(isToRunAgain(notes, 'job')).toBe(false);
  expect(isToRunAgain(left(true), 'sale')).toBe(false);
  const idle = ended({ ...NO_NOTES, trial: { ...trial, attempts: 1 } }, 'rolled_back', 'so');
  expect(isToRunAgain(idle, 'sale')).toBe(false);
});

it.each<[string, string, number, boolean]>([
  ['ready', 'ready', 0, true],
  ['still starting for the first time, as right after a trial', 'starting', 0, true],
  ['starting again after it has failed', 'starting', 1, false],
  ['given up', 'quarantined', 6, false],
])('whoever is %s when a document comes', (_, state, failures, isNeeded) => {
  const sale = { name: 'sale', model: { state, failures } } as unknown as Component;
  const after = { components: [{ name: 'sale', run: 'managed' } as ComponentConfig] };
  expect(neededOf([sale], after)).toEqual(isNeeded ? ['sale'] : []);
});
