// Work on files that can be long, as steps: a generator that pauses wherever it may, and whoever runs it decides how
// much is done at a time. The journal of a till is searched in the agent's own thread, which also judges hangs four
// times a second: millions of empty lines must cost it time, never a pause.

export type Steps<T> = Generator<undefined, T, undefined>;

/** Without a pause, for whoever has nothing else to do. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** @returns the result, or undefined when there is more to do after so long. @throws what the work throws. */
export function runFor<T>(
  steps: Steps<T>,
  ms: number,
  monotonicMs: () => number,
): { readonly value: T } | undefined {
  const untilMs = monotonicMs() + ms;
  do {
    const step = steps.next();
    if (step.done) return { value: step.value };
  } while (monotonicMs() < untilMs);
  return undefined;
}
