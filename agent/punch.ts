// Frees bytes in the middle or at the front of a file that another process appends to. fallocate(2) has no binding
// in Node, so util-linux' program does it, as a process of its own that a disk which hangs can hold without
// holding us. What it says is read from a file, because a refusal (this file system cannot) asks for another way,
// and a failure (it cannot now) for another try.

import type { Range } from './logs/holes.ts';
import type { Ports } from './ports.ts';

/** A slow disk writes what it is about to free; after this, fallocate(1) is ended and tried again later. */
export const PUNCH_MS_MAX = 30_000;
const SAID_BYTES_MAX = 1_000;

export type Punched = {
  /** refused: no use to try again here. failed: later. */
  readonly kind: 'done' | 'refused' | 'failed';
  readonly reason: string;
};
export type Puncher = {
  /** Frees whole blocks and zeroes the rest; the file keeps its size. */
  readonly punch: (path: string, range: Range) => Promise<Punched>;
  /** Takes the first bytes (whole blocks) out of the file; what follows moves to the front. */
  readonly collapse: (path: string, bytes: number) => Promise<Punched>;
  /** Makes a file of so many bytes that are really there. */
  readonly allocate: (path: string, bytes: number) => Promise<Punched>;
};

/** EOPNOTSUPP, EINVAL (not this file), and a program that is missing or too old [fallocate(1), fallocate(2)]. */
const REFUSAL = /not supported|Invalid argument|unrecognized option|unrecognised option|usage/i;

export type PunchPorts = Pick<Ports, 'processes' | 'files' | 'timers'>;

/** @param said where its messages go; on a disk that is never full (the run folder). */
export function createPuncher(
  ports: PunchPorts,
  said: string,
  path = process.env['PATH'],
): Puncher {
  const { processes, files, timers } = ports;

  async function run(options: readonly string[]): Promise<Punched> {
    files.remove(said);
    let ended: (code: number | undefined) => void = () => undefined;
    const exit = new Promise<number | undefined>((done) => {
      ended = done;
    });
    const command = ['fallocate', ...options];
    const env = { LC_ALL: 'C', ...(path === undefined ? {} : { PATH: path }) };
    const started = await processes.start({ command, env, logFile: said }, ended);
    if (!started.ok) {
      const missing = started.reason.includes('ENOENT') || started.reason.includes('EACCES');
      return { kind: missing ? 'refused' : 'failed', reason: started.reason };
    }
    const { pid } = started.value;
    // Not reaped before its exit is heard: the pid is still its own.
    const cancel = timers.after(PUNCH_MS_MAX, () => processes.signal(pid, 'SIGKILL'));
    const code = await exit;
    cancel();
    if (code === 0) return { kind: 'done', reason: '' };
    const text = (files.read(said, SAID_BYTES_MAX) ?? '').trim().split('\n')[0] ?? '';
    const reason = text.replace(/^.*: (?=[^:]*$)/, '') || 'fallocate was ended';
    return { kind: REFUSAL.test(text) ? 'refused' : 'failed', reason };
  }

  return {
    punch: (file, { from, to }) =>
      run(['--punch-hole', '--keep-size', '-o', `${from}`, '-l', `${to - from}`, '--', file]),
    collapse: (file, bytes) => run(['--collapse-range', '-o', '0', '-l', `${bytes}`, '--', file]),
    allocate: (file, bytes) => run(['-l', `${bytes}`, '--', file]),
  };
}
