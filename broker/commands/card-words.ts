// Card data in what an operator says: a reason, a text to look for. It would stand in the audit log for years, where nothing
// can be taken out, and travel to terminals. So it is refused and not masked: a masked text finds nothing.

import { redactString } from '../../redact/index.ts';

/** Others (names, addresses) are an operator's own to say. */
const OF_CARDS = ['pan', 'track', 'code', 'emv'] as const;

export function holdsCard(text: string): boolean {
  const { counts } = redactString(text);
  return OF_CARDS.some((kind) => counts[kind] > 0);
}
