// How many of something each address has at the moment. An address without any is not remembered, so the table is
// bounded by what it counts.

export type Tallies = ReturnType<typeof createTallies>;

export function createTallies() {
  const counts = new Map<string, number>();
  const of = (address: string): number => counts.get(address) ?? 0;
  return {
    of,
    more: (address: string): void => void counts.set(address, of(address) + 1),
    less: (address: string): void => {
      const left = of(address) - 1;
      if (left > 0) counts.set(address, left);
      else counts.delete(address);
    },
    addresses: (): number => counts.size,
  };
}
