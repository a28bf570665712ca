// Chance for the simulated world: xorshift32, the world's own and not the machines', so that a seed is a
// whole run, the same on every machine.

export function dice(seed: number) {
  let bits = Math.imul(seed, 0x9e3779b1) ^ 0x85ebca6b || 1;
  const next = (): number => {
    bits ^= bits << 13;
    bits ^= bits >>> 17;
    bits ^= bits << 5;
    return (bits >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  const pick = <T>(choices: readonly [T, ...T[]]): T =>
    choices[below(choices.length)] ?? choices[0];
  // The first draws of neighbouring seeds are alike.
  for (let turn = 0; turn < 8; turn += 1) next();
  return { next, below, pick, chance: (share: number): boolean => next() < share };
}
export type Dice = ReturnType<typeof dice>;
