// The few lines of shell between agent and component. Something must outlive the agent to hear how the
// component ended, and a shell does it in 1.7 MB where Node needs 40 (research/supervisors.md e). It is a
// string and not a file, so that a bundle has nothing beside it to lose. It must run in any POSIX sh.

import { constants } from 'node:os';

/**
 * `sh -c SHIM tillwatch-shim DIR INSTANCE ARGV...`, as leader of its own session. Why each part:
 * - the FIFO is opened for reading and writing, because opening it for writing waits for a reader;
 *   the component does not get it (3>&-), else a child that outlives it would delay the end of file;
 * - caught signals are default again in the component, ignored ones would be inherited. INT and QUIT stay
 *   ignored in dash, as POSIX wants for a background command (2.11); Node resets them by itself;
 * - an agent that is spared when memory is short (oom_score_adj below 0, which is inherited) gives the component
 *   0 again and keeps the shim: else the kernel would end everything on the till but what leaks;
 * - `exec` in the subshell never finds a builtin or a function of the component's name;
 * - `wait` also ends when a signal was caught: only one that was not interrupted tells the status.
 *   bash forgets a status once told (127 then), dash does not;
 * - names begin with tw_, because a variable that came with the environment would be exported as changed here;
 * - the status goes into the FIFO first, so that an agent that listens need not wait for our own end;
 * - pid and exit file are written by builtins: a rename would cost a process and 1.6 ms.
 */
export const SHIM = `
tw_dir=$1 tw_id=$2 tw_child= tw_woken= tw_status=127
shift 2
trap 'tw_woken=1; [ -z "$tw_child" ] || kill -TERM "$tw_child" 2>/dev/null' TERM
trap 'tw_woken=1' HUP INT QUIT
command -p mkfifo -m 600 "$tw_dir/$tw_id.life" || exit 125
exec 3<>"$tw_dir/$tw_id.life"
read -r tw_oom 2>/dev/null </proc/self/oom_score_adj
(exec 3>&-
case $tw_oom in -*) echo 0 2>/dev/null >/proc/self/oom_score_adj ;; esac
exec "$@") &
tw_child=$!
echo "$$ $tw_child" >"$tw_dir/$tw_id.pid"
[ -z "$tw_woken" ] || kill -TERM "$tw_child" 2>/dev/null
while :; do
  tw_woken=
  wait "$tw_child" 2>/dev/null
  tw_now=$?
  [ "$tw_now" = 127 ] && [ "$tw_status" != 127 ] || tw_status=$tw_now
  [ -n "$tw_woken" ] || break
done
echo "$tw_status" >&3
echo "$tw_status" >"$tw_dir/$tw_id.exit"
exit "$tw_status"
`;

export const shimCommand = (
  dir: string,
  instance: string,
  command: readonly string[],
): readonly string[] => ['/bin/sh', '-c', SHIM, 'tillwatch-shim', dir, instance, ...command];

export const pidFile = (dir: string, instance: string): string => `${dir}/${instance}.pid`;
export const exitFile = (dir: string, instance: string): string => `${dir}/${instance}.exit`;
export const lifeFifo = (dir: string, instance: string): string => `${dir}/${instance}.life`;
/** Every file of an instance, by which those of earlier ones are found and removed. */
export const SHIM_FILE = /^(.+)\.(pid|exit|life)$/;

/** How a component ended; both undefined: nobody knows. */
export type Exit = { readonly code: number | undefined; readonly signal: string | undefined };

export const UNKNOWN_EXIT: Exit = { code: undefined, signal: undefined };
export const KILLED: Exit = { code: undefined, signal: 'SIGKILL' };

/** First name of each number: SIGIOT and SIGPOLL are second names of SIGABRT and SIGIO. */
const signalNames = new Map<number, string>();
for (const [name, number] of Object.entries(constants.signals)) {
  if (!signalNames.has(number)) signalNames.set(number, name);
}

/** A shell's status: above 128 it is 128 + signal (POSIX 2.8.2), as far as there is such a signal. */
export function exitOfStatus(status: number): Exit {
  const signal = status > 128 ? signalNames.get(status - 128) : undefined;
  return signal === undefined ? { code: status, signal } : { code: undefined, signal };
}

/** Without its line end, the file was read or written in part and says nothing. */
export function parseExitFile(text: string | undefined): Exit | undefined {
  const match = /^(\d{1,3})\n$/.exec(text ?? '');
  return match === null ? undefined : exitOfStatus(Number(match[1]));
}

export function parsePidFile(
  text: string | undefined,
): { readonly shimPid: number; readonly pid: number } | undefined {
  const match = /^(\d{1,9}) (\d{1,9})\n$/.exec(text ?? '');
  return match === null ? undefined : { shimPid: Number(match[1]), pid: Number(match[2]) };
}
