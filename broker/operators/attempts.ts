// How long somebody who failed to sign in has to wait, per name and per address: a pure step over a bounded table.
// Every attempt counts as failed until it succeeds, so that many at once are not one. A pause grows with each
// failure and is forgiven with time. A name's is short, because anybody can cause it for somebody else and 256 random bits
// are not guessed meanwhile; an address's is long, but begins later, because an office shares one. Neither holds for who
// signed in from that very address before: they have a short pause of their own, so that nobody who can fail
// as somebody else keeps an admin out.

import { addressKey } from '../addresses.ts';

export type Rule = {
  /** Failures without a pause. */
  readonly free: number;
  readonly firstMs: number;
  readonly maxMs: number;
  /** After so long without another, one failure is forgiven. */
  readonly forgiveMs: number;
};
export const NAME_RULE: Rule = { free: 5, firstMs: 1_000, maxMs: 30_000, forgiveMs: 60_000 };
export const ADDRESS_RULE: Rule = { free: 20, firstMs: 1_000, maxMs: 900_000, forgiveMs: 60_000 };
/** Of a name where it is known: never long, because a neighbour can cause it. */
export const KNOWN_RULE: Rule = { free: 5, firstMs: 1_000, maxMs: 2_000, forgiveMs: 10_000 };
/** Addresses at which a name is known; the one longest unused goes first. */
export const KNOWN_EACH_MAX = 16;
/** Names and addresses that are remembered, of each; the one that failed longest ago goes first. */
export const REMEMBERED_MAX = 5_000;

type Entry = { readonly failures: number; readonly atMs: number };
/** In the order in which they failed. */
export type Table = ReadonlyMap<string, Entry>;
export type Attempts = {
  readonly names: Table;
  readonly addresses: Table;
  /** Failures of who is known, by name and address. */
  readonly pairs: Table;
  /** Where who signed in; as many names as there are operators. */
  readonly known: Map<string, readonly string[]>;
};
type Who = { readonly name: string; readonly address: string };
export type AttemptEvent =
  | { readonly kind: 'began'; readonly name: string; readonly address: string }
  | { readonly kind: 'succeeded'; readonly name: string; readonly address: string }
  /** It was not looked at: nobody failed. */
  | { readonly kind: 'undone'; readonly name: string; readonly address: string };

const failuresOf = (entry: Entry | undefined, rule: Rule, nowMs: number): number =>
  entry === undefined
    ? 0
    : Math.max(0, entry.failures - Math.floor((nowMs - entry.atMs) / rule.forgiveMs));

/** @returns milliseconds until the next attempt is looked at; 0: now. */
function pauseOf(table: Table, key: string, rule: Rule, nowMs: number): number {
  const entry = table.get(key);
  if (entry === undefined || entry.failures <= rule.free) return 0;
  const pauseMs = Math.min(rule.maxMs, rule.firstMs * 2 ** (entry.failures - rule.free - 1));
  return Math.max(0, entry.atMs + pauseMs - nowMs);
}

const pairOf = ({ name, address }: Who): string => `${name} ${addressKey(address)}`;

export const isKnown = ({ known }: Attempts, { name, address }: Who): boolean =>
  known.get(name)?.includes(addressKey(address)) === true;

/** This name signed in from there. */
export function remember({ known }: Attempts, { name, address }: Who): void {
  const key = addressKey(address);
  const others = (known.get(name) ?? []).filter((other) => other !== key);
  known.set(name, [...others, key].slice(-KNOWN_EACH_MAX));
}

/** The pause that holds: of the two the longer, or that of who is known. */
export const pauseMs = (attempts: Attempts, who: Who, nowMs: number): number =>
  isKnown(attempts, who)
    ? pauseOf(attempts.pairs, pairOf(who), KNOWN_RULE, nowMs)
    : Math.max(
        pauseOf(attempts.names, who.name, NAME_RULE, nowMs),
        pauseOf(attempts.addresses, addressKey(who.address), ADDRESS_RULE, nowMs),
      );

export const NO_ATTEMPTS = (): Attempts => ({
  ...{ names: new Map(), addresses: new Map(), pairs: new Map(), known: new Map() },
});

/** Changes the table in place: it has thousands of rows, and one owner. */
function set(table: Table, key: string, entry: Entry | undefined): void {
  const own = table as Map<string, Entry>;
  own.delete(key);
  if (entry !== undefined && entry.failures > 0) own.set(key, entry);
  if (own.size <= REMEMBERED_MAX) return;
  for (const oldest of own.keys()) {
    own.delete(oldest);
    return;
  }
}

function fail(table: Table, key: string, rule: Rule, nowMs: number): void {
  set(table, key, { failures: failuresOf(table.get(key), rule, nowMs) + 1, atMs: nowMs });
}

function forgive(table: Table, key: string): void {
  const entry = table.get(key);
  if (entry !== undefined) set(table, key, { ...entry, failures: entry.failures - 1 });
}

/** @param nowMs monotonic: pauses do not move with the clock */
export function step(attempts: Attempts, event: AttemptEvent, nowMs: number): void {
  const { names, addresses, pairs } = attempts;
  const address = addressKey(event.address);
  switch (event.kind) {
    case 'began':
      fail(names, event.name, NAME_RULE, nowMs);
      fail(addresses, address, ADDRESS_RULE, nowMs);
      if (isKnown(attempts, event)) fail(pairs, pairOf(event), KNOWN_RULE, nowMs);
      return;
    case 'succeeded':
      // An address only gets this attempt back: who has one name must not try others for ever.
      set(names, event.name, undefined);
      forgive(addresses, address);
      set(pairs, pairOf(event), undefined);
      remember(attempts, event);
      return;
    case 'undone':
      forgive(names, event.name);
      forgive(pairs, pairOf(event));
      forgive(addresses, address);
      return;
    default:
  }
}
