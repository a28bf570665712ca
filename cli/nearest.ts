// The nearest right words for a wrong one: how many letters must be changed, added, left out or swapped
// with their neighbour (optimal string alignment), at most three and half of the word. A part of a name counts
// too, because people say "lane-2" for "bm-lane-2". Commander does the same for verbs and options only.

const WORDS_MAX = 3;
const STEPS_MAX = 3;
/** Longer ones are no names of ours, and the comparison costs their product. */
const CHARS_MAX = 64;
const PART_CHARS_MIN = 3;

/** Steps from one word to the other; two neighbours swapped are one. */
export function distance(from: string, to: string): number {
  let before: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let i = 1; i <= from.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const same = from[i - 1] === to[j - 1] ? 0 : 1;
      const swapped = from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      row[j] = Math.min(
        (last[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (last[j - 1] ?? 0) + same,
        i > 1 && j > 1 && swapped ? (before[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
      );
    }
    before = last;
    last = row;
  }
  return last[to.length] ?? 0;
}

/** @returns the candidates that are as near as any, in order; none when none is near */
export function nearest(word: string, candidates: readonly string[]): string[] {
  const wanted = word.toLowerCase().slice(0, CHARS_MAX);
  const steps = (candidate: string): number => {
    if (candidate === wanted) return 0;
    const isPart = wanted.length >= PART_CHARS_MIN && candidate.includes(wanted);
    if (isPart) return 1;
    const longest = Math.max(wanted.length, candidate.length);
    if (Math.abs(wanted.length - candidate.length) > STEPS_MAX) return Number.POSITIVE_INFINITY;
    const found = distance(wanted, candidate);
    return found <= Math.min(STEPS_MAX, longest / 2) ? found : Number.POSITIVE_INFINITY;
  };
  const measured = [...new Set(candidates)]
    .map((candidate) => ({ candidate, steps: steps(candidate) }))
    .filter((one) => Number.isFinite(one.steps));
  const least = Math.min(...measured.map((one) => one.steps));
  return measured
    .filter((one) => one.steps === least)
    .map((one) => one.candidate)
    .sort()
    .slice(0, WORDS_MAX);
}

/** `; did you mean a, b or c?`, or nothing. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  const words = nearest(word, candidates);
  const [last, ...others] = words.toReversed();
  if (last === undefined) return '';
  const list = others.length === 0 ? last : `${others.toReversed().join(', ')} or ${last}`;
  return `; did you mean ${list}?`;
}
