// What the head office's answer to one sale means, pure. Confirmed is only what names the sale: a captive
// portal also answers 200. Refused for good is only what is about this very sale; everything else -
// overload, a missing permission, a wrong address - is about the line or the other side, and the sale
// waits. One sale that is refused must never hold up the next (research/pos.md 6: one bad invoice
// blocked whole shops).

import * as v from 'valibot';
import { checkJson } from '../shared/check.ts';
import type { Answer } from '../shared/request.ts';
import type { Result } from '../shared/result.ts';

export type Outcome =
  | { readonly kind: 'confirmed' }
  | { readonly kind: 'refused'; readonly status: number; readonly reason: string }
  | { readonly kind: 'later'; readonly reason: string };

const confirmation = v.object({ id: v.string() });
const explanation = v.object({ detail: v.string() });

/** Bad request, conflict, too large, not acceptable: said of the content, true again tomorrow. */
const ABOUT_THE_SALE = [400, 409, 413, 422];
const REASON_CHARS_MAX = 300;

export function outcomeOf(saleId: string, answered: Result<Answer>): Outcome {
  if (!answered.ok) return { kind: 'later', reason: answered.reason };
  const { status, body } = answered.value;
  if (status === 200 || status === 201) {
    const confirmed = checkJson(confirmation, body);
    if (confirmed.ok && confirmed.value.id === saleId) return { kind: 'confirmed' };
    return { kind: 'later', reason: 'the answer does not name the sale: is this the head office?' };
  }
  if (ABOUT_THE_SALE.includes(status)) {
    const explained = checkJson(explanation, body);
    const reason = explained.ok ? explained.value.detail : `refused with ${status}`;
    return { kind: 'refused', status, reason: reason.slice(0, REASON_CHARS_MAX) };
  }
  return { kind: 'later', reason: `the head office answered ${status}` };
}
