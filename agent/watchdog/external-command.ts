// Runs a command of the configuration that starts or stops a component which is not ours. What it prints goes to a
// file or nowhere, never through a pipe, because what it starts may inherit it and outlive us. It is given its time
// and then ended with its group, unless the component was found meanwhile: then a `start` that does not end is the
// component itself, run in the foreground, and left alone.

import { ok, type Result } from '../../protocol/result.ts';
import type { Ports } from '../ports.ts';
import { identify, signalIdentity } from './identity.ts';

export type ToolSpec = {
  readonly what: 'start' | 'stop';
  readonly command: readonly string[];
  readonly cwd: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
};
export type Tool = {
  /** Why it will lead to nothing; undefined while it runs and when it ended well. */
  readonly failed: () => string | undefined;
  /** It has done its work; what still runs of it stays. */
  readonly release: () => void;
  /** With its whole group. */
  readonly end: () => void;
};

/** @param onFailed also told, once, when it fails. @returns a sentence when it cannot be started. */
export async function runTool(
  ports: Ports,
  spec: ToolSpec,
  logFile: string | undefined,
  onFailed: (reason: string) => void = () => undefined,
): Promise<Result<Tool>> {
  const { what, command, cwd, env, timeoutMs } = spec;
  let reason: string | undefined;
  let state: 'running' | 'ended' | 'released' = 'running';
  let cancel = (): void => undefined;
  const fails = (why: string): void => {
    if (reason !== undefined) return;
    reason = why;
    onFailed(why);
  };
  const started = await ports.processes.start({ command, cwd, env, logFile }, (code, signal) => {
    cancel();
    if (state === 'running') state = 'ended';
    const how = signal === undefined ? `with exit code ${code}` : `by ${signal}`;
    if (code !== 0) fails(`its ${what} command ended ${how}`);
  });
  if (!started.ok) return { ok: false, reason: `its ${what} command: ${started.reason}` };
  const { pid } = started.value;
  const leader = identify(ports, pid);
  const end = (): void => {
    cancel();
    if (state !== 'running') return;
    // Our own child whose exit was not told: its number, and its group's, are given to nobody else.
    ports.processes.signal(-pid, 'SIGKILL');
    signalIdentity(ports, leader, 'SIGKILL');
  };
  if (state === 'running') {
    cancel = ports.timers.after(timeoutMs, () => {
      fails(`its ${what} command did not end within ${timeoutMs} ms`);
      end();
    });
  }
  const release = (): void => {
    cancel();
    state = 'released';
  };
  return ok({ failed: () => reason, release, end });
}
