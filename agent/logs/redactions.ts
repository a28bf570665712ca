// How much card data was taken out, and where: the agent's own log, events (with their evidence), records on
// their way into the journal, and lines on their way out. The way out should find nothing, as all that
// lies in the journal has been looked at; what it finds had been missed, which is counted by itself and told
// at most once a minute, because a finder that is wrong is wrong about every line.

import type { EventFields } from '../../protocol/events.ts';
import { addCounts, type Counts, KINDS, type Kind, NO_COUNTS } from '../../redact/index.ts';
import type { Clock } from '../ports.ts';

export type Where = 'own_log' | 'event' | 'journal' | 'export' | 'tail';
export type WayOut = Extract<Where, 'export' | 'tail'>;
export type Redaction = { readonly where: Where; readonly kind: Kind; readonly count: number };
export type Missed = EventFields<'redaction_missed'>;

export type Redactions = {
  readonly add: (where: Where, counts: Counts) => void;
  /** The way out found what the way in had not; counts it there, too. @param request which asked for the lines. */
  readonly missed: (where: WayOut, request: string, counts: Counts) => void;
  /** Who reports what was missed; before anybody does, it waits. */
  readonly listen: (tell: (missed: Missed) => void) => void;
  /** Now and then: tells what was missed since it was told last. */
  readonly look: () => void;
  /** Only what ever happened. @param exported what pulls know themselves. */
  readonly list: (exported?: Counts) => readonly Redaction[];
  readonly missedCounts: () => readonly (readonly [Kind, number])[];
};

const TELL_EVERY_MS = 60_000;
const REASON =
  'card data was found on the way out and taken out there; until now it lay on the terminal, in the journal';

const kindsOf = (counts: Counts): (readonly [Kind, number])[] =>
  KINDS.filter((kind) => counts[kind] > 0).map((kind) => [kind, counts[kind]] as const);

type Untold = { readonly where: WayOut; readonly request: string; readonly counts: Counts };

class Kept implements Redactions {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #seen = new Map<Where, Counts>();
  #missed = NO_COUNTS;
  #untold: Untold | undefined;
  #toldAtMs = Number.NEGATIVE_INFINITY;
  #tell: ((missed: Missed) => void) | undefined;

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  add(where: Where, counts: Counts): void {
    if (counts === NO_COUNTS) return;
    this.#seen.set(where, addCounts(this.#seen.get(where) ?? NO_COUNTS, counts));
  }

  missed(where: WayOut, request: string, counts: Counts): void {
    if (kindsOf(counts).length === 0) return;
    this.add(where, counts);
    this.#missed = addCounts(this.#missed, counts);
    // Of several the newest is named: whoever looks there finds the line.
    const before = this.#untold?.counts ?? NO_COUNTS;
    this.#untold = { where, request, counts: addCounts(before, counts) };
    this.look();
  }

  listen(tell: (missed: Missed) => void): void {
    this.#tell = tell;
    this.look();
  }

  look(): void {
    const now = this.#clock.monotonicMs();
    if (this.#untold === undefined || this.#tell === undefined) return;
    if (now - this.#toldAtMs < TELL_EVERY_MS) return;
    const { where, request, counts } = this.#untold;
    this.#untold = undefined;
    this.#toldAtMs = now;
    const kinds = Object.fromEntries(kindsOf(counts));
    this.#tell({ where, request, kinds, reason: REASON });
  }

  list(exported: Counts = NO_COUNTS): readonly Redaction[] {
    const all = new Map(this.#seen);
    all.set('export', addCounts(all.get('export') ?? NO_COUNTS, exported));
    return [...all].flatMap(([where, counts]) =>
      kindsOf(counts).map(([kind, count]) => ({ where, kind, count })),
    );
  }

  missedCounts(): readonly (readonly [Kind, number])[] {
    return kindsOf(this.#missed);
  }
}

export const createRedactions = (clock: Pick<Clock, 'monotonicMs'>): Redactions => {
  const kept = new Kept(clock);
  return {
    add: (where, counts) => kept.add(where, counts),
    missed: (where, request, counts) => kept.missed(where, request, counts),
    listen: (tell) => kept.listen(tell),
    look: () => kept.look(),
    list: (exported) => kept.list(exported),
    missedCounts: () => kept.missedCounts(),
  };
};
