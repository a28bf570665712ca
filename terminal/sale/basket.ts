// The rules of a basket, pure: what may be done in which state, what is due, and what the word of the
// payment means. open -> tendering -> paid -> completed, or voided. The store writes down what is
// decided here; nothing here knows of time, files or the network.

export type Line = {
  readonly line: number;
  /** The client's own id of this line, '' when it gave none; makes a retry harmless. */
  readonly clientId: string;
  readonly sku: string;
  readonly name: string;
  readonly quantity: number;
  readonly unitMinor: number;
};
export type TenderKind = 'cash' | 'card';
/**
 * `intent` and `reversing` are written before the payment is asked and are in doubt until it answered.
 * `abandoned`: the payment never heard of it.
 */
export type TenderState =
  | 'intent'
  | 'authorised'
  | 'declined'
  | 'abandoned'
  | 'reversing'
  | 'reversed';
export type Tender = {
  readonly serviceId: string;
  readonly basket: string;
  readonly kind: TenderKind;
  readonly amountMinor: number;
  readonly state: TenderState;
  /** The payment's reference; never a card number. */
  readonly token: string;
};
export type BasketState = 'open' | 'tendering' | 'paid' | 'completed' | 'voided';
export type Basket = {
  readonly id: string;
  readonly state: BasketState;
  readonly openedMs: number;
  readonly lines: readonly Line[];
  /** The one that is under way or was authorised. */
  readonly tender?: Tender;
};

/** Why something was not done; the kinds are the words of the local API's status codes. */
export type Refusal = {
  readonly ok: false;
  readonly kind: 'conflict' | 'invalid' | 'declined' | 'unavailable';
  readonly reason: string;
};
export type Outcome<T> = { readonly ok: true; readonly value: T } | Refusal;
export const done = <T>(value: T): Outcome<T> => ({ ok: true, value });
export const refuse = (kind: Refusal['kind'], reason: string): Refusal => ({
  ok: false,
  kind,
  reason,
});

export const LINES_MAX = 200;

export const totalMinor = (basket: Pick<Basket, 'lines'>): number =>
  basket.lines.reduce((sum, line) => sum + line.quantity * line.unitMinor, 0);

export function mayAdd(basket: Basket | undefined): Outcome<void> {
  if (basket === undefined) return done(undefined);
  if (basket.state !== 'open') {
    return refuse('conflict', `No item can be added: the basket is ${basket.state}.`);
  }
  if (basket.lines.length >= LINES_MAX) {
    return refuse('conflict', `A basket holds at most ${LINES_MAX} lines.`);
  }
  return done(undefined);
}

export type TenderRequest = { readonly kind: TenderKind; readonly amountMinor: number };

/** @returns `repeat` when this very payment was already made: a retry after a lost answer. */
export function mayTender(
  basket: Basket | undefined,
  request: TenderRequest,
): Outcome<{ how: 'new' | 'repeat'; basket: Basket }> {
  if (basket === undefined || basket.lines.length === 0) {
    return refuse('conflict', 'There is nothing to pay: the basket is empty.');
  }
  const { tender } = basket;
  if (basket.state === 'paid') {
    const same = tender?.kind === request.kind && tender.amountMinor === request.amountMinor;
    return same
      ? done({ how: 'repeat', basket })
      : refuse('conflict', 'The basket is paid already.');
  }
  if (basket.state !== 'open') return refuse('conflict', 'A payment is under way.');
  const due = totalMinor(basket);
  if (request.kind === 'card' && request.amountMinor !== due) {
    return refuse('invalid', `amountMinor: a card pays exactly what is due, ${due}.`);
  }
  if (request.amountMinor < due) {
    return refuse('invalid', `amountMinor: ${due} is due; paying in parts is not possible.`);
  }
  return done({ how: 'new', basket });
}

export function mayComplete(basket: Basket | undefined): Outcome<Basket> {
  if (basket === undefined) return refuse('conflict', 'There is no open basket.');
  if (basket.state === 'paid') return done(basket);
  return refuse('conflict', `The basket is ${basket.state}, not paid.`);
}

export function mayVoid(basket: Basket | undefined): Outcome<Basket> {
  if (basket === undefined) return refuse('conflict', 'There is no open basket.');
  if (basket.state === 'tendering') {
    return refuse('conflict', 'A payment is under way: wait for its outcome, then void.');
  }
  return done(basket);
}

/** What the payment answers when asked for a service id. */
export type PaymentStatus =
  | { readonly kind: 'approved'; readonly token: string }
  | { readonly kind: 'declined' }
  | { readonly kind: 'reversed' }
  | { readonly kind: 'processing' }
  | { readonly kind: 'not_found' };

/** @returns the state that a tender in `intent` gets, or `wait`. */
export function settled(status: PaymentStatus): 'authorised' | 'declined' | 'abandoned' | 'wait' {
  switch (status.kind) {
    case 'approved':
      return 'authorised';
    case 'declined':
    case 'reversed':
      return 'declined';
    case 'processing':
      return 'wait';
    case 'not_found':
      return 'abandoned';
  }
}

export const changeMinor = (basket: Basket): number =>
  basket.tender?.kind === 'cash' ? basket.tender.amountMinor - totalMinor(basket) : 0;
