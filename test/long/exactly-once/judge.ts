// What must be true at the end, said as sentences where it is not. Pure: raw samples of a database, the
// witness's book and the times of kills in, complaints out; it shares no code with what it judges.

import type { Raw } from './databases.ts';
import { clockOf, rangesOf } from './story.ts';
import type { Given } from './witness.ts';

/** A sample's own time is that of the sampling that read the page; a starved machine answers late. */
const TIME_OFF_MS_MAX = 3_000;
/** A number that was given out so shortly before its agent was killed may never have been taken. */
const UNTAKEN_MS = 2_000;
const RESTART_MS = 15_000;
const COMPLAINTS_MAX = 20;

export type Book = {
  readonly terminal: string;
  readonly given: Given;
  /** What was given out later may be on its way. */
  readonly upTo: number;
  /** When its component was killed. */
  readonly crashes: readonly number[];
  readonly kills: readonly { readonly atMs: number; readonly againMs: number }[];
};

const isOf = (key: string, terminal: string): boolean =>
  key.split(',').includes(`terminal=${terminal}`);

/** How often its agents say that a page did not come in time: such a number was given out and never taken. */
function failuresOf(failures: Raw, terminal: string): number {
  const samples = [...failures].find(([key]) => isOf(key, terminal))?.[1] ?? [];
  const rises = samples.map(([, value], index) => {
    const before = index === 0 ? 0 : (samples[index - 1]?.[1] ?? 0);
    return value >= before ? value - before : value;
  });
  return rises.reduce((sum, rise) => sum + rise, 0);
}

/** What was given out, was taken as far as anybody knows, and is not there; undefined: nothing. */
export function lacking(raw: Raw, failures: Raw, book: Book): string | undefined {
  const mine = [...raw].filter(([key]) => isOf(key, book.terminal));
  const seen = new Set(mine.flatMap(([, samples]) => samples.map(([, value]) => value)));
  const numbers = book.given.slice(0, book.upTo).map((_, index) => index + 1);
  const missing = numbers.filter((n) => {
    const givenMs = book.given[n - 1] ?? 0;
    // What a dead agent had asked for may be answered until there is another one.
    const isCut = ({ atMs, againMs }: Book['kills'][number]) =>
      givenMs <= againMs + 100 && atMs - givenMs < UNTAKEN_MS;
    return !seen.has(n) && !book.kills.some(isCut);
  });
  const untaken = failuresOf(failures, book.terminal);
  if (missing.length <= untaken) return undefined;
  const [from = 0, to = 0] = [missing[0], missing.at(-1)].map((n = 0) => book.given[n - 1] ?? 0);
  return (
    `${book.terminal}: ${rangesOf(missing)} of ${book.upTo} are missing, ` +
    `${clockOf(from)} to ${clockOf(to)}; no agent died near them, and ${untaken} failed`
  );
}

/** Every number once, none missing that was taken, each at its true time. */
export function judgeNumbers(raw: Raw, failures: Raw, book: Book): string[] {
  const mine = [...raw].filter(([key]) => isOf(key, book.terminal));
  if (mine.length !== 1) {
    return [`${book.terminal}: not one series: ${mine.map(([key, s]) => `${key} (${s.length})`)}`];
  }
  const samples = mine[0]?.[1] ?? [];
  const lack = lacking(raw, failures, book);
  const complaints = lack === undefined ? [] : [lack];
  const seen = new Set<number>();
  for (const [timeMs, value] of samples) {
    if (seen.has(value)) complaints.push(`${book.terminal}: ${value} twice`);
    seen.add(value);
    const givenMs = book.given[value - 1];
    if (givenMs === undefined) complaints.push(`${book.terminal}: ${value} was never given out`);
    else if (Math.abs(givenMs - timeMs) > TIME_OFF_MS_MAX) {
      complaints.push(`${book.terminal}: ${value} is ${timeMs - givenMs} ms off its true time`);
    }
  }
  return complaints.slice(0, COMPLAINTS_MAX);
}

/** A counter goes back only where its agent or its component began anew in between. */
export function judgeCounters(raw: Raw, book: Book): string[] {
  const complaints: string[] = [];
  for (const [key, samples] of raw) {
    const name = /__name__=([^,]+)/.exec(key)?.[1] ?? '';
    if (!name.endsWith('_total') || !isOf(key, book.terminal)) continue;
    // Of a process: it begins anew with each.
    const isCpu = name === 'pos_component_cpu_seconds_total';
    const persists = /restarts_total|failures_total|_seconds_total|agent_starts/.test(name);
    for (let i = 1; i < samples.length; i += 1) {
      const [fromMs, before] = samples[i - 1] ?? [0, 0];
      const [toMs, after] = samples[i] ?? [0, 0];
      if (after >= before) continue;
      const began = book.kills.some(
        ({ atMs, againMs }) => atMs <= toMs + 1_000 && againMs + RESTART_MS >= fromMs,
      );
      const isOurs = name.startsWith('pos_component_') && persists && !isCpu;
      const crashed =
        isCpu && book.crashes.some((ms) => ms <= toMs + 1_000 && ms >= fromMs - 1_000);
      if ((!began && !crashed) || isOurs)
        complaints.push(`${key} went from ${before} to ${after} at ${toMs}`);
    }
  }
  return complaints.slice(0, COMPLAINTS_MAX);
}

type Samples = readonly (readonly [timeMs: number, value: number])[];

/** VictoriaMetrics keeps decimals: the last digits of a double are not its own. */
const VALUE_RATIO_OFF_MAX = 1e-9;
const isSame = (a: number, b: number): boolean =>
  Math.abs(a - b) <= VALUE_RATIO_OFF_MAX * Math.max(Math.abs(a), Math.abs(b));

/** Times at which `mine` has a value that `theirs` has not. */
function strangers(mine: Samples, theirs: Samples): number[] {
  const known = new Map(theirs);
  return mine.flatMap(([timeMs, value]) =>
    isSame(value, known.get(timeMs) ?? Number.NaN) ? [] : [timeMs],
  );
}

/** Two databases must tell the same story, and each of them every instant once. */
export function judgeSame(one: Raw, other: Raw): string[] {
  const complaints: string[] = [];
  for (const key of new Set([...one.keys(), ...other.keys()])) {
    const [a, b] = [one.get(key) ?? [], other.get(key) ?? []];
    const [onlyA, onlyB] = [strangers(a, b), strangers(b, a)];
    const isDoubled = [a, b].some((all) => all.length !== new Set(all.map(([t]) => t)).size);
    if (onlyA.length + onlyB.length > 0 || isDoubled) {
      complaints.push(
        `${key}: only in the first at ${onlyA.slice(0, 3)}, only in the second at ` +
          `${onlyB.slice(0, 3)}${isDoubled ? ', doubled' : ''}`,
      );
    }
  }
  return complaints.slice(0, COMPLAINTS_MAX);
}
