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

export type Outcome = { readonly exit: ExitCode; readonly sentence?: string };

export const done: Outcome = { exit: EXIT.ok };
export const ended = (exit: ExitCode, sentence: string): Outcome => ({ exit, sentence });
