// Warnings and errors of a terminal as a few kinds with counts: what the centre hears of instead of lines. A flood costs
// a comparison of strings a record: the same text again is the same kind, and beyond MASKS_PER_SECOND of texts that
// are new to it a record is only counted under its component. A kind is told a few seconds after it was first seen, so
// that a burst is one event, when its count has grown tenfold, and once an hour while it goes on; so nothing is left
// untold for longer than that. Pure: time comes in, events come out.

import { SAMPLE_CHARS_MAX, SIGNATURES_MAX } from '../../../protocol/limits.ts';
import { signatureOf } from '../../../protocol/signatures.ts';
import { readRecord } from '../formats/index.ts';

export type KindLevel = 'error' | 'warn';

/** One record, redacted; `timeMs` is corrected. */
export type Heard = {
  readonly component: string;
  readonly level: KindLevel;
  readonly version: string;
  readonly text: string;
  readonly timeMs: number;
};

/** What is known of a kind, as it also lies on disk. Counted up in place: a flood must not make garbage. */
export type Kind = {
  /** '' for those that are over a bound: counted, and not told apart. */
  readonly signature: string;
  readonly component: string;
  readonly level: KindLevel;
  readonly version: string;
  readonly pattern: string;
  firstMs: number;
  lastMs: number;
  total: number;
  /** Of `total`, so many were told. */
  told: number;
  /** This terminal had it never before, and nobody knows yet. */
  isNew: boolean;
};

type Live = Kind & {
  sample: string;
  /** On the clock that is never set. */
  seenAt: number;
  toldAt: number;
  /** Since when something is untold. */
  openAt: number;
};

export type Told = {
  readonly component: string;
  readonly fields: {
    readonly signature: string;
    readonly pattern: string;
    readonly level: KindLevel;
    readonly version: string;
    readonly sample: string;
    readonly count: number;
    readonly total: number;
    readonly firstMs: number;
    readonly lastMs: number;
    readonly isNew: boolean;
  };
};

/** A burst is one event: so long after its first record. */
export const GATHER_MS = 3_000;
export const AGAIN_MS = 60 * 60_000;
const GROWN = 10;
/** Whoever was not seen for so long gives way to a new kind. */
export const FORGOTTEN_MS = 24 * 60 * 60_000;
/** Events of this kind in any minute; what waits is told in the next one, with what was counted meanwhile. */
export const EVENTS_PER_MINUTE_MAX = 20;
/** Texts that are taken apart in any second: 20 to 60 microseconds each (test/unit/kinds.test.ts). */
export const MASKS_PER_SECOND = 100;
/** Components, levels and versions with kinds over the bound; there are few. */
const OVERFLOWS_MAX = 64;

/** A number of things in any span of time, refilled as time goes by. */
function createAllowance(max: number, spanMs: number) {
  let left = max;
  let atMs: number | undefined;
  return (now: number): boolean => {
    left = Math.min(max, left + ((now - (atMs ?? now)) * max) / spanMs);
    atMs = now;
    if (left < 1) return false;
    left -= 1;
    return true;
  };
}

export class Kinds {
  readonly #kinds = new Map<string, Live>();
  readonly #overflow = new Map<string, Live>();
  /** Of each component and level, the newest text that was taken apart, and its kind. */
  readonly #newest = new Map<string, { readonly text: string; readonly key: string }>();
  readonly #mayMask = createAllowance(MASKS_PER_SECOND, 1_000);
  readonly #mayTell = createAllowance(EVENTS_PER_MINUTE_MAX, 60_000);
  #dropped = 0;

  /** @param remembered of the agent before. @param agoOf how long ago such a time was. */
  constructor(remembered: readonly Kind[], now: number, agoOf: (timeMs: number) => number) {
    for (const kind of remembered) {
      const seenAt = now - Math.max(0, agoOf(kind.lastMs));
      // What the agent before owed is told soon, what it told counts as told just now.
      const live = { ...kind, sample: '', seenAt, toldAt: now, openAt: now };
      if (kind.signature === '') this.#overflow.set(overflowKey(kind), live);
      else if (this.#kinds.size < SIGNATURES_MAX) this.#kinds.set(keyOf(kind), live);
    }
  }

  /** @param now monotonic. */
  hear(heard: Heard, now: number): void {
    const place = overflowKey(heard);
    const newest = this.#newest.get(place);
    const known = newest?.text === heard.text ? this.#kinds.get(newest.key) : undefined;
    const found = known ?? (this.#mayMask(now) ? this.#mask(heard, place, now) : undefined);
    if (found === undefined) this.#dropped += 1;
    const counted = found ?? this.#overflowOf(heard, now);
    if (counted !== undefined) count(counted, heard, now);
  }

  #mask(heard: Heard, place: string, now: number): Live | undefined {
    const { component, level, version, text, timeMs } = heard;
    const { id: signature, pattern } = signatureOf(component, level, wordsOf(text));
    const key = keyOf({ signature, version });
    let kind = this.#kinds.get(key);
    if (kind === undefined) {
      if (!this.#hasRoom(now)) return undefined;
      kind = {
        ...{ signature, component, level, version, pattern, firstMs: timeMs, lastMs: timeMs },
        ...{ total: 0, told: 0, isNew: !this.#isKnown(signature), sample: '' },
        ...{ seenAt: now, toldAt: now, openAt: now },
      };
      this.#kinds.set(key, kind);
    }
    if (this.#newest.size > OVERFLOWS_MAX) this.#newest.clear();
    // A long one is not worth holding.
    if (text.length <= SAMPLE_CHARS_MAX) this.#newest.set(place, { text: copied(text), key });
    return kind;
  }

  /** Under another version. */
  #isKnown(signature: string): boolean {
    for (const kind of this.#kinds.values()) if (kind.signature === signature) return true;
    return false;
  }

  /** Where there is none, whoever was not seen for longest goes, after a day. */
  #hasRoom(now: number): boolean {
    if (this.#kinds.size < SIGNATURES_MAX) return true;
    let oldest: readonly [string, Live] | undefined;
    for (const entry of this.#kinds) {
      if (oldest === undefined || entry[1].seenAt < oldest[1].seenAt) oldest = entry;
    }
    if (oldest === undefined || now - oldest[1].seenAt < FORGOTTEN_MS) return false;
    this.#kinds.delete(oldest[0]);
    return true;
  }

  #overflowOf(heard: Heard, now: number): Live | undefined {
    const { component, level, version, timeMs } = heard;
    const key = overflowKey(heard);
    const known = this.#overflow.get(key);
    if (known !== undefined) return known;
    if (this.#overflow.size >= OVERFLOWS_MAX) return undefined;
    const over: Live = {
      ...{ signature: '', component, level, version, pattern: '', firstMs: timeMs, lastMs: timeMs },
      ...{ total: 0, told: 0, isNew: false, sample: '', seenAt: now, toldAt: now, openAt: now },
    };
    this.#overflow.set(key, over);
    return over;
  }

  /** What is to be told now: new kinds first, then what has grown most. */
  due(now: number): readonly Told[] {
    const ready: Live[] = [];
    for (const kinds of [this.#kinds, this.#overflow]) {
      for (const kind of kinds.values()) if (isDue(kind, now)) ready.push(kind);
    }
    const told: Told[] = [];
    for (const kind of ready.sort(byUrgency)) {
      if (!this.#mayTell(now)) break;
      told.push(tell(kind, now));
    }
    return told;
  }

  size(): number {
    return this.#kinds.size;
  }

  /** Records that were counted and not told apart. */
  dropped(): number {
    return this.#dropped;
  }

  /** For the disk. */
  state(): readonly Kind[] {
    return [...this.#kinds.values(), ...this.#overflow.values()].map(
      ({ sample: _, seenAt: __, toldAt: ___, openAt: ____, ...kind }) => kind,
    );
  }
}

/** Longer ones are not read as JSON for their message. */
const READ_CHARS_MAX = 8 * 1024;

/** What a record says, without its time and level, and the lines below: a stack is part of a kind. */
export function wordsOf(text: string): string {
  const { message } = readRecord(text.slice(0, READ_CHARS_MAX));
  if (message === undefined) return text;
  const end = text.startsWith('{') ? -1 : text.indexOf('\n');
  return end < 0 ? message : message + text.slice(end);
}

/** A part of a string keeps the whole alive, here a block of output. */
const copied = (text: string): string => Buffer.from(text).toString();

/** By version, too: which versions have it is what is asked first. */
const keyOf = ({ signature, version }: Pick<Kind, 'signature' | 'version'>): string =>
  `${signature}\0${version}`;
const overflowKey = ({
  component,
  level,
  version,
}: Pick<Kind, 'component' | 'level' | 'version'>): string => `${component}\0${level}\0${version}`;

function count(kind: Live, { text, timeMs }: Heard, now: number): void {
  if (kind.total === kind.told) {
    kind.openAt = now;
    // The first since it was told: one is enough, and cutting each would make garbage.
    kind.sample = copied(text.slice(0, SAMPLE_CHARS_MAX));
  }
  kind.total += 1;
  kind.seenAt = now;
  if (timeMs > kind.lastMs) kind.lastMs = timeMs;
}

function isDue({ total, told, toldAt, openAt }: Live, now: number): boolean {
  if (total === told || now - openAt < GATHER_MS) return false;
  return told === 0 || total >= told * GROWN || now - toldAt >= AGAIN_MS;
}

const byUrgency = (one: Live, other: Live): number =>
  Number(other.isNew) - Number(one.isNew) ||
  (other.total - other.told) / (other.told + 1) - (one.total - one.told) / (one.told + 1);

function tell(kind: Live, now: number): Told {
  const { signature, component, level, version, pattern, sample } = kind;
  const { firstMs, lastMs, total, told, isNew } = kind;
  const words = { signature, pattern, level, version, sample };
  kind.told = total;
  kind.toldAt = now;
  kind.isNew = false;
  return { component, fields: { ...words, count: total - told, total, firstMs, lastMs, isNew } };
}
