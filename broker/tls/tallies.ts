// How many of something each address has at the moment; what one address is says addresses.ts. An address without any
// is not remembered, so the table is bounded by what it counts.

import { addressKey } from '../addresses.ts';

export type Tallies = ReturnType<typeof createTallies>;

export function createTallies() {
  const counts = new Map<string, number>();
  const of = (address: string): number => counts.get(addressKey(address)) ?? 0;
  return {
    of,
    more: (address: string): void => void counts.set(addressKey(address), of(address) + 1),
    less: (address: string): void => {
      const left = of(address) - 1;
      if (left > 0) counts.set(addressKey(address), left);
      else counts.delete(addressKey(address));
    },
    addresses: (): number => counts.size,
  };
}
