// An agent that begins anew in place: the same process becomes a new agent, with the same flags and environment, so that
// systemd and tillwatch-respawn see nothing of it, and what runs is adopted as after a kill -9. Everything that is
// open closes by itself on exec [execve(2)]. It goes through a shell, because children of the process before stay its
// children and Node waits for none that it did not start itself: a shell that waits for one takes along all that
// have ended (POSIX 2.11), or each change of the configuration would leave a zombie for every component.

import { existsSync } from 'node:fs';

/** For whoever starts the agent again where a process cannot become another one [sysexits: EX_TEMPFAIL]. */
export const AGAIN_CODE = 75;

const REAP = 'true & wait "$!"; exec "$@"';
const SHELL = '/bin/sh';

/** Node's own flags, the program and its arguments without those that are for the first start alone. */
export function argumentsAnew(
  { execArgv, argv }: Pick<NodeJS.Process, 'execArgv' | 'argv'>,
  once: readonly string[],
): string[] {
  const kept: string[] = [];
  const given = argv.slice(1);
  for (let at = 0; at < given.length; at += 1) {
    const word = given[at] ?? '';
    if (once.includes(word)) at += 1;
    else if (!once.some((name) => word.startsWith(`${name}=`))) kept.push(word);
  }
  return [...execArgv, ...kept];
}

/** @param once options of the first start with a value, such as a token. Does not come back where it can be done. */
export function beginAnew(once: readonly string[] = []): void {
  const { execve, execPath, env } = process;
  if (execve === undefined || !existsSync(execPath)) return;
  const words = [execPath, ...argumentsAnew(process, once)];
  const clean = Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
  try {
    if (existsSync(SHELL)) execve(SHELL, ['sh', '-c', REAP, 'tillwatch-anew', ...words], clean);
    execve(execPath, words, clean);
  } catch {
    // Not on this system: whoever started the agent starts it again.
  }
}
