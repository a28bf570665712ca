// What the agent measures, with the digits that it truly knows: ages and delays to a tenth of a millisecond, shares to
// four places. The wire gives every double back bit by bit, so digits that are only the noise of a
// subtraction would cost eight bytes a sample for ever. What components expose is theirs and left alone.

import type { Sample } from '../../protocol/metric-body.ts';

const PLACES: readonly (readonly [RegExp, number])[] = [
  [/_seconds(_total)?$/, 4],
  [/_ratio$/, 4],
  [/_load1$/, 2],
  [/_celsius$/, 1],
];

export function rounded(sample: Sample): Sample {
  const places = PLACES.find(([pattern]) => pattern.test(sample.name))?.[1];
  if (places === undefined || Number.isInteger(sample.value)) return sample;
  return { ...sample, value: Math.round(sample.value * 10 ** places) / 10 ** places };
}
