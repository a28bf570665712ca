// Which finders there are, the most certain first: of two spans that overlap, that of the earlier one stays.
// The engine (text.ts) shows a finder only lines for which its trigger holds, so a trigger is as selective
// as it can be without ever being wrong.

import { findCards } from './cards.ts';
import type { Finder } from './span.ts';
import { findCodes, findKeyed } from './words.ts';

export const FINDERS: readonly Finder[] = [
  {
    name: 'keyed',
    trigger: /track|c[vas][vc2]|csc|cid|pin|ksn|"(?:pan|card_?n|emv|tlv|icc|de\d)|icc_?data/i,
    find: findKeyed,
  },
  { name: 'cards', trigger: /\d(?:(?:[ .+-]|%2[0dDeEbB])?\d){11}/, find: findCards },
  { name: 'codes', trigger: /c[vas][vc2]|csc|cid|ecurity/i, find: findCodes },
];
