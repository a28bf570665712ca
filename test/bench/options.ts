// What may be said to a benchmark on its command line; each uses what concerns it.

export type Options = {
  readonly n: number | undefined;
  readonly seconds: number | undefined;
  readonly minutes: number | undefined;
  readonly seed: number | undefined;
  readonly terminals: number | undefined;
  readonly peers: boolean;
  readonly only: readonly string[] | undefined;
};
