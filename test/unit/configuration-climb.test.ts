// When the document that runs is on trial, so that nothing that fails under it may take others along.

import { expect, it } from 'vitest';
import { INITIAL, isOnTrial, type Phase, type Then } from '../../agent/configuration/model.ts';
import { NO_NOTES } from '../../agent/configuration/types.ts';

const times = { sinceMs: 0, deadlineMs: 1, lookedMs: 0 };
const noting = (then: Then): Phase => ({ kind: 'noting', notes: NO_NOTES, tries: 0, then });

it.each<[string, Phase, boolean]>([
  ['calm', { kind: 'calm' }, false],
  ['another one is noted', noting({ kind: 'leave', why: 'trial' }), false],
  ['another one waits for a sale', { kind: 'leaving', why: 'trial' }, false],
  ['it is tried', { kind: 'trying', ...times }, true],
  ['ready, and not yet kept', { kind: 'promoting' }, true],
  ['kept', noting({ kind: 'rest' }), false],
  ['given up, and not yet noted', noting({ kind: 'leave', why: 'back' }), true],
  ['on the way back', { kind: 'leaving', why: 'back' }, true],
])('%s', (_, phase, expected) => {
  expect(isOnTrial({ ...INITIAL, phase })).toBe(expected);
});
