// Which terminals had a kind of errors, as a small run of bytes.

import { describe, expect, it } from 'vitest';
import { createUnion, eachMember, NO_MEMBERS, withMember } from '../../broker/errors/members.ts';

describe('a set of terminals', () => {
  it.each([1, 40, 64, 65, 66, 500])('holds each of %i numbers once', (count) => {
    const numbers = Array.from({ length: count }, (_, i) => (i * 7_919) % 10_007);
    let members = NO_MEMBERS;
    for (const number of [...numbers, ...numbers]) members = withMember(members, number);
    const found: number[] = [];
    eachMember(members, (number) => found.push(number));
    expect(found.toSorted((a, b) => a - b)).toEqual(numbers.toSorted((a, b) => a - b));
    const union = createUnion(10_007);
    union.add(members);
    union.add(withMember(NO_MEMBERS, numbers[0] ?? 0));
    let all = 0;
    union.each(() => {
      all += 1;
    });
    expect(all).toBe(count);
  });
});
