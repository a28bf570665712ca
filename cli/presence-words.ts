// Presence as a person reads it: of a terminal that is planned and never came, "never" alone would be half a sentence.

import type { Presence } from './client.ts';

export const presenceWord = (presence: Presence): string =>
  presence === 'never' ? 'never reported' : presence;
