// What a simulated till has sold, printed and delivered: the figures that its components would expose. Pure
// sums over time, moved on at each sample. How much is sold follows the hour, as in a food shop: nothing
// at night, a peak at noon and a higher one after work; a till that is down or shut sells nothing.

import type { Character } from './character.ts';
import { between, type Dice } from './dice.ts';

export type Books = {
  readonly atMs: number;
  /** Fractions are carried on, so that many short steps sell as much as a long one. */
  readonly due: number;
  readonly sold: number;
  readonly voided: number;
  readonly soldAtMs: number;
  readonly delivered: number;
  readonly printed: number;
  readonly deadLetters: number;
  readonly reopened: number;
  /** By `device code`. */
  readonly deviceErrors: Readonly<Record<string, number>>;
  readonly pricesAtMs: number;
  readonly sentBytes: number;
  readonly cpuSeconds: number;
};

export const newBooks = (wallMs: number): Books => ({
  atMs: wallMs,
  due: 0,
  sold: 0,
  voided: 0,
  soldAtMs: 0,
  delivered: 0,
  printed: 0,
  deadLetters: 0,
  reopened: 0,
  deviceErrors: {},
  pricesAtMs: wallMs,
  sentBytes: 0,
  cpuSeconds: 0,
});

const OPENS_AT = 7.5;
const SHUTS_AT = 21;
/** One in so many baskets is given up. */
const VOID_SHARE = 0.02;
/** Hours between two steps are a pause of the machine, not a rush of customers. */
const STEP_MS_MAX = 10 * 60_000;
const SALE_BYTES = 1_900;

const bell = (hour: number, peak: number, width: number): number =>
  Math.exp(-(((hour - peak) / width) ** 2));

/** Share of the busiest hour's trade, 0 to 1. `hour` of the local day, with its fraction. */
export function tradeAt(hour: number): number {
  if (hour < OPENS_AT || hour > SHUTS_AT) return 0;
  return Math.min(1, 0.25 + 0.5 * bell(hour, 12, 1.8) + 0.75 * bell(hour, 17.5, 2));
}

export type Trade = {
  readonly sells: boolean;
  readonly prints: boolean;
  /** Whether head office can be reached. */
  readonly delivers: boolean;
  readonly refreshesPrices: boolean;
  readonly hour: number;
};

/** Goes on until `wallMs`. */
export function keep(
  books: Books,
  who: Character,
  trade: Trade,
  wallMs: number,
  dice: Dice,
): Books {
  const stepMs = Math.min(STEP_MS_MAX, Math.max(0, wallMs - books.atMs));
  const perMs = (who.salesPerHour * tradeAt(trade.hour)) / 3_600_000;
  const due = books.due + (trade.sells ? perMs * stepMs * between(dice, 0.5, 1.5) : 0);
  const baskets = Math.floor(due);
  const voided = baskets > 0 && dice.next() < VOID_SHARE * baskets ? 1 : 0;
  const sold = books.sold + baskets - voided;
  return {
    ...books,
    atMs: Math.max(books.atMs, wallMs),
    due: due - baskets,
    sold,
    voided: books.voided + voided,
    soldAtMs: baskets > voided ? wallMs : books.soldAtMs,
    printed: trade.prints ? sold : books.printed,
    delivered: trade.delivers ? sold : books.delivered,
    pricesAtMs: trade.refreshesPrices ? wallMs : books.pricesAtMs,
    sentBytes: books.sentBytes + (trade.delivers ? (sold - books.delivered) * SALE_BYTES : 0),
    cpuSeconds: books.cpuSeconds + stepMs * 0.000_02 + baskets * 0.05,
  };
}
