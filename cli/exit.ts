// How a verb ends: an exit code of sysexits(3) and, when it is not good, one sentence for a person. Verbs
// return this instead of throwing, so that a stack trace on the screen always means a bug (70).

export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 64,
  unavailable: 69,
  bug: 70,
  denied: 77,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** As --help and README tell it; a test holds the three against each other. */
export const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: 'done',
  failed: 'it failed, and says why',
  usage: 'the command line or a configuration file is wrong',
  unavailable: 'something is not there: the broker, a port, Node 24',
  bug: 'a bug of ours',
  denied: "not allowed: a wrong token, or another user's agent",
};

export type Outcome = { readonly exit: ExitCode; readonly sentence?: string };

export const done: Outcome = { exit: EXIT.ok };
export const ended = (exit: ExitCode, sentence: string): Outcome => ({ exit, sentence });
