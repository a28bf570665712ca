// When the demo is to end: a signal, a parent that is gone (a closed window, a killed npm), or a bug of
// ours that nobody caught, because also then nothing may stay behind. One signal may arrive twice at once,
// from the keyboard and passed on by a launcher; a second one a moment later means that somebody is tired
// of waiting.

const IMPATIENT_MS = 1_000;
const PARENT_MS = 500;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export type Ending = {
  readonly signal: AbortSignal;
  readonly impatient: AbortSignal;
  /** What nobody caught, to be thrown once everything has ended. */
  readonly bug: () => unknown;
  readonly close: () => void;
};

export function createEnding(): Ending {
  const asked = new AbortController();
  const impatient = new AbortController();
  const parent = process.ppid;
  let firstMs = 0;
  const end = (): void => {
    if (!asked.signal.aborted) {
      firstMs = performance.now();
      asked.abort();
    } else if (performance.now() - firstMs > IMPATIENT_MS) {
      impatient.abort();
    }
  };
  let bug: unknown;
  const endByBug = (error: unknown): void => {
    bug ??= error;
    if (!asked.signal.aborted) end();
  };
  for (const name of SIGNALS) process.on(name, end);
  process.on('uncaughtException', endByBug);
  // Nobody reads any more (`npm start | head`): there is no one to tell a story to.
  process.stdout.on('error', end);
  // A process whose parent died belongs to init or to a subreaper [prctl(2)].
  const parentCheck = setInterval(() => {
    if (process.ppid !== parent && !asked.signal.aborted) end();
  }, PARENT_MS);
  return {
    signal: asked.signal,
    impatient: impatient.signal,
    bug: () => bug,
    close: () => {
      clearInterval(parentCheck);
      process.removeListener('uncaughtException', endByBug);
      for (const name of SIGNALS) process.removeListener(name, end);
      // The listener of stdout stays: the last lines must not fail either.
    },
  };
}
