// The finders, the more certain first: where two overlap, the first one's mark stands over both stretches, so
// that nothing of the second is left. Except that of a number which is the whole value of a key the last
// four digits stay useful (R6). A list and not a switch, because text.ts asks all of them in one way.

import { findCards } from './cards.ts';
import type { Finder } from './span.ts';
import { findCodes, findKeyed } from './words.ts';

const WORDS =
  /track|c[vas][vcd2]|cid|csc|pin|ksn|"(?:pan|card_?n|emv|tlv|icc|de\d)|icc_?data|ecurity/i;
const DIGITS = /\d[ .+%-]?[\dd]/;

export const FINDERS: readonly Finder[] = [
  { mayHave: (text) => WORDS.test(text), find: findKeyed },
  { mayHave: (text) => DIGITS.test(text), find: findCards },
  { mayHave: (text) => WORDS.test(text), find: findCodes },
];
