// Asks a short program for a line of text: its exit code and the first of what it prints. It runs in a group of its
// own, which is ended when its time is over or when it prints more than anybody asked for. Only for programs that
// answer and end: here alone output goes through a pipe, whose reader's death would kill a writer that lives on.

import { spawn } from 'node:child_process';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Timers } from '../ports.ts';
import { codeOf } from './files.ts';
import { bare } from './privileges.ts';

export type CommandSpec = {
  readonly command: readonly string[];
  readonly cwd?: string | undefined;
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly outputBytesMax: number;
};
export type CommandEnd = {
  readonly code: number | undefined;
  readonly signal: string | undefined;
  readonly output: string;
};

/** What a child of the program still holds open after it has ended is not waited for any longer. */
const DRAIN_MS_MAX = 100;

function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // ESRCH: it has ended by itself.
  }
}

/** Never rejects, and always ends within the time-out. */
export function askCommand(spec: CommandSpec, timers: Timers): Promise<Result<CommandEnd>> {
  const told = bare(spec.command, spec.env);
  if (!told.ok) return Promise.resolve(told);
  const [program = '', ...rest] = told.value.command;
  return new Promise((resolve) => {
    let output = '';
    let open = true;
    let cancel = (): void => undefined;
    const close = (result: Result<CommandEnd>): void => {
      if (!open) return;
      open = false;
      cancel();
      child?.stdout?.destroy();
      resolve(result);
    };
    let child: ReturnType<typeof spawn> | undefined;
    try {
      const { cwd } = spec;
      const { env } = told.value;
      const stdio: ['ignore', 'pipe', 'ignore'] = ['ignore', 'pipe', 'ignore'];
      child = spawn(program, rest, { cwd, env, detached: true, stdio });
    } catch (error) {
      close(fail(`cannot start ${program}: ${codeOf(error)}`));
      return;
    }
    const { pid } = child;
    const giveUp = (why: string): void => {
      endGroup(pid);
      close(fail(`${program} ${why}`));
    };
    cancel = timers.after(spec.timeoutMs, () =>
      giveUp(`did not answer within ${spec.timeoutMs} ms`),
    );
    child.on('error', (error) => close(fail(`cannot start ${program}: ${codeOf(error)}`)));
    child.stdout?.setEncoding('utf8');
    child.stdout?.on('error', () => undefined);
    child.stdout?.on('data', (text: string) => {
      output += text;
      if (output.length > spec.outputBytesMax) {
        giveUp(`prints more than ${spec.outputBytesMax} bytes`);
      }
    });
    const ended = (code: number | null, signal: string | null): void => {
      if (!open) return;
      endGroup(pid); // what it left behind: asked again and again, it would pile up
      close(ok({ code: code ?? undefined, signal: signal ?? undefined, output }));
    };
    child.once('close', ended);
    child.once('exit', (code, signal) => {
      cancel();
      cancel = timers.after(DRAIN_MS_MAX, () => ended(code, signal));
    });
  });
}
