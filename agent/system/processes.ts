// Starting and signalling processes, and hearing of a death without polling. A FIFO whose only writer is
// gone ends (pipe(7)), and it can be opened again by any later agent, which waitpid(2) and an inherited
// descriptor cannot. What to signal and whether that is still the right process is decided elsewhere
// (watchdog/identity.ts): here a pid is only a number.

import { type ChildProcess, spawn } from 'node:child_process';
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  openSync,
  writeSync,
} from 'node:fs';
import { Socket } from 'node:net';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Processes, StartSpec } from '../ports.ts';
import { codeOf } from './files.ts';
import { asUser, bare } from './privileges.ts';

/** Readable by us only: a component's output may hold what its author did not think of. */
const LOG_MODE = 0o600;
/**
 * As somebody else it may open its own output again (`> /dev/stderr`), which asks the file and not the descriptor; by
 * our group, which it is in for the channel. The folder stays shut for everybody.
 */
const SHARED_LOG_MODE = 0o620;

type Launched = { readonly child: ChildProcess; readonly outputLost: string | undefined };

/** Throws where nothing can be written: better that we find out, as Node ends a program for it. */
function tryRoom(log: number): void {
  writeSync(log, '\n');
  const { size } = fstatSync(log);
  if (size > 0) ftruncateSync(log, size - 1);
}

function launch(spec: StartSpec): Launched {
  const [program = '', ...rest] = spec.command;
  let log: number | undefined;
  let outputLost: string | undefined;
  try {
    if (spec.logFile !== undefined) {
      log = openSync(spec.logFile, 'a', LOG_MODE);
      if (spec.as !== undefined && process.getgid?.() !== 0) fchmodSync(log, SHARED_LOG_MODE);
      tryRoom(log);
    }
  } catch (error) {
    outputLost = codeOf(error); // a full or read-only disk must not keep a till from selling
    if (log !== undefined) closeSync(log);
    log = undefined;
  }
  try {
    const child = spawn(program, rest, {
      cwd: spec.cwd,
      env: spec.env,
      detached: true, // setsid(2): a session and a group of its own
      stdio: ['ignore', log ?? 'ignore', log ?? 'ignore'],
    });
    return { child, outputLost };
  } finally {
    if (log !== undefined) closeSync(log);
  }
}

/** The words and the environment with which nothing of ours reaches what we start. */
async function withoutOurs(spec: StartSpec): Promise<Result<StartSpec>> {
  const { command, env, as, ownWords = 0 } = spec;
  const theirs = command.slice(ownWords);
  const told = as === undefined ? bare(theirs, env) : await asUser(theirs, env, as);
  if (!told.ok) return told;
  const words = [...command.slice(0, ownWords), ...told.value.command];
  return ok({ ...spec, command: words, env: told.value.env });
}

async function start(
  spec: StartSpec,
  onExit: (code: number | undefined, signal: string | undefined) => void,
): ReturnType<Processes['start']> {
  const name = spec.command[0] ?? '';
  try {
    const ready = await withoutOurs(spec);
    if (!ready.ok) return ready;
    const { child, outputLost } = launch(ready.value);
    // 'exit', not 'close': a grandchild that holds a descriptor would delay it (research/supervisors.md d).
    child.once('exit', (code, signal) => onExit(code ?? undefined, signal ?? undefined));
    child.unref(); // it outlives us on purpose
    const error = await new Promise<unknown>((resolve) => {
      child.on('error', resolve); // stays: a late error must not become an uncaught one
      child.once('spawn', () => resolve(undefined));
    });
    if (error === undefined && child.pid !== undefined) return ok({ pid: child.pid, outputLost });
    return fail(`cannot start ${name}: ${codeOf(error)}`);
  } catch (error) {
    return fail(`cannot start ${name}: ${codeOf(error)}`);
  }
}

function listenFifo(
  fifo: string,
  heard: (text: string) => void,
  gone: () => void,
): (() => void) | undefined {
  let descriptor: number;
  try {
    // Without O_NONBLOCK, opening a FIFO that has no writer yet waits for one [fifo(7)].
    descriptor = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  const socket = new Socket({ fd: descriptor, readable: true, writable: false });
  socket.setEncoding('latin1');
  socket.on('data', heard);
  socket.once('end', gone);
  socket.on('error', gone); // read(2) on it cannot fail in a useful way: look, and decide by what is there
  socket.unref();
  return () => {
    socket.removeAllListeners('end').removeAllListeners('data');
    socket.destroy();
  };
}

export const realProcesses: Processes = {
  ownPid: process.pid,
  start,
  signal: (pid, signal) => {
    // kill(2): 0 and -1 mean our own group and everybody; no caller can want that.
    if (!Number.isSafeInteger(pid) || pid === 0 || pid === 1 || pid === -1) return false;
    try {
      return process.kill(pid, signal);
    } catch {
      return false;
    }
  },
  listenFifo,
};
