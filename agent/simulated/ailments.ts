// What each kind of fault does to a simulated till: a table with an entry for every effect of kinds.ts. Most
// become conditions, which last a while and show in its metrics; those that concern a process are told to
// its part, where the agent's own state machine finds out and heals.

import type { Books } from './books.ts';
import { between } from './dice.ts';
import type { Fault } from './faults.ts';
import type { Effect } from './kinds.ts';
import { changePart, type Turn } from './model.ts';
import { dies, fallsIll, keepsFailing, tell } from './part.ts';

/** At rates far above any real year a till must still stay bounded. */
const CONDITIONS_MAX = 32;
/** One second faults hang a process in this share, the others make it spin. */
const BLOCKED_SHARE = 0.6;
/** A terminal with an empty clock battery begins in 1970 or in the year it was built. */
const CLOCK_LOST_SHARE = 0.09;
const CLOCK_LOST_MS = -6 * 365 * 86_400_000;
const BOOT_MS = { min: 8_000, max: 40_000 };

function lasts(turn: Turn, { kind, durationMs }: Fault): void {
  if (turn.till.conditions.length >= CONDITIONS_MAX) return;
  const { effect, code = '' } = kind;
  const condition = { effect, code, sinceMs: turn.now, untilMs: turn.now + durationMs };
  turn.till = { ...turn.till, conditions: [...turn.till.conditions, condition] };
}

function enter(turn: Turn, change: (books: Books) => Partial<Books>): void {
  const { books } = turn.till;
  turn.till = { ...turn.till, books: { ...books, ...change(books) } };
}

/** One more error of a device, under its UnifiedPOS code. */
const device =
  (name: string) =>
  (turn: Turn, fault: Fault): void => {
    const key = `${name} ${fault.kind.code ?? 'E_FAILURE'}`;
    enter(turn, ({ deviceErrors }) => ({
      deviceErrors: { ...deviceErrors, [key]: (deviceErrors[key] ?? 0) + 1 },
    }));
    lasts(turn, fault);
  };

const reopened = (turn: Turn): void => enter(turn, (books) => ({ reopened: books.reopened + 1 }));

function powerCut(turn: Turn, { durationMs }: Fault): void {
  // Lanes come back one after the other: each machine takes its own time to boot.
  const bootMs = between(turn.dice, BOOT_MS.min, BOOT_MS.max);
  const offUntilMs = Math.round(turn.now + durationMs + bootMs);
  turn.till = { ...turn.till, conditions: [], offUntilMs, toStart: [] };
  turn.effects.push({ kind: 'off' });
}

const table: Readonly<Record<Effect, (turn: Turn, fault: Fault) => void>> = {
  printer: (turn, fault) => {
    device('printer')(turn, fault);
    // A wedged printer is cleared and opened again; paper and cover are a person's.
    if (fault.kind.id === 'H3') reopened(turn);
  },
  scale: device('scale'),
  scanner: device('scanner'),
  drawer: device('drawer'),
  reopen: (turn, fault) => {
    device('scanner')(turn, fault);
    reopened(turn);
  },
  stall: (turn, { component }) => {
    changePart(turn, component, (part, now, dice) => fallsIll(part, 'stalled', now, dice));
    reopened(turn);
  },
  crash: (turn, { component }) => {
    const signal = turn.dice.next() < 0.5 ? { signal: 'SIGSEGV' } : { code: 1 };
    changePart(turn, component, (part, now, dice) => dies(part, signal, now, dice));
  },
  hang: (turn, { component }) => {
    const kind = turn.dice.next() < BLOCKED_SHARE ? 'blocked' : 'spinning';
    changePart(turn, component, (part, now, dice) => fallsIll(part, kind, now, dice));
  },
  crash_loop: (turn, { component, durationMs }) =>
    changePart(turn, component, (part, now, dice) =>
      keepsFailing(part, now + durationMs, now, dice),
    ),
  exhausted: (turn, { component }) =>
    changePart(turn, component, (part, now, dice) =>
      tell(part, { kind: 'trouble', reason: 'EMFILE: no file descriptor is left' }, now, dice),
    ),
  tender: (turn, fault) => {
    changePart(turn, fault.component, (part, now, dice) =>
      dies(part, { signal: 'SIGKILL' }, now, dice),
    );
    lasts(turn, fault);
  },
  disk: lasts,
  clock: (turn) => {
    const lost = turn.dice.next() < CLOCK_LOST_SHARE;
    const sign = turn.dice.next() < 0.5 ? -1 : 1;
    const driftMs = Math.round(sign * between(turn.dice, 2_000, 600_000));
    turn.effects.push({ kind: 'clock', jumpMs: lost ? CLOCK_LOST_MS : driftMs });
  },
  dead_letter: (turn) => enter(turn, (books) => ({ deadLetters: books.deadLetters + 1 })),
  stale: lasts,
  logs: lasts,
  cut: lasts,
  flap: lasts,
  freeze: lasts,
  power: powerCut,
};

export const afflict = (turn: Turn, fault: Fault): void => table[fault.kind.effect](turn, fault);
