import { expect, test } from 'vitest';
import { Stamps } from '../../agent/telemetry/stamps.ts';

test('a sample is never stamped before the one that was taken before it', () => {
  const stamps = new Stamps();
  expect(stamps.next(10_000, 0, true)).toBe(10_000);
  expect(stamps.next(9_600, 500, true)).toBe(10_001);
  expect(stamps.next(10_500, 1_000, true)).toBe(10_500);
});

test('a clock that was wrong by a day is put right at once', () => {
  const stamps = new Stamps();
  stamps.next(86_400_000, 0, true);
  expect(stamps.next(15_000, 15_000, true)).toBe(15_000);
});

test('what was taken before the time was known comes before what is taken after it', () => {
  const stamps = new Stamps();
  expect(stamps.next(5, 1_000, false)).toBe(5);
  stamps.known(100_000, 1_200);
  expect(stamps.next(99_700, 1_500, true)).toBe(99_801);
});
