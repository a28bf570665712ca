// The programs that the demo itself starts: broker, head office, printers and agents. Each runs in a
// session of its own, so that a Ctrl-C at the keyboard reaches the demo alone and everything ends in
// order. One that dies is started again after a moment, as a service manager of the OS would do.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { type Identity, identify, isAlive, MARK, signalTo } from './identity.ts';
import { waitUntilGone, writeRecords } from './leftovers.ts';

const RESTART_MS = 1_000;
const LOG_MODE = 0o600;
/** What a program needs of our own environment; nothing else leaks into the tills. */
const INHERITED = ['PATH', 'HOME', 'LANG', 'TZ', 'TMPDIR', 'LD_LIBRARY_PATH'];

type Child = { readonly process: ChildProcess; readonly identity: Identity | undefined };
type Environment = Readonly<Record<string, string>>;

export type Children = {
  readonly start: (name: string, command: readonly string[], env?: Environment) => void;
  readonly identity: (name: string) => Identity | undefined;
  /** Signals the named ones and waits; nothing is started again. @returns those that are not gone */
  readonly stop: (
    names: readonly string[],
    signal: NodeJS.Signals,
    msMax: number,
  ) => Promise<string[]>;
  readonly names: () => string[];
};

export function createChildren(options: {
  readonly mark: string;
  readonly runRoot: string;
  readonly logDir: string;
  readonly recordsFile: string;
  readonly onDeath: (name: string, how: string) => void;
}): Children {
  const children = new Map<string, Child>();
  const self = identify(process.pid);
  let closing = false;

  function record(): void {
    if (self === undefined) return;
    const processes = [...children.values()].flatMap(({ identity }) => identity ?? []);
    try {
      writeRecords(options.recordsFile, { demo: self, processes, runRoot: options.runRoot });
    } catch {
      // A full disk; what is not recorded is found by its mark.
    }
  }

  function start(name: string, command: readonly string[], env: Environment = {}): void {
    const [program = '', ...argv] = command;
    const log = openSync(join(options.logDir, `${name}.log`), 'a', LOG_MODE);
    const inherited = INHERITED.flatMap((key) => {
      const value = process.env[key];
      return value === undefined ? [] : [[key, value] as const];
    });
    const child = spawn(program, argv, {
      stdio: ['ignore', log, log],
      env: { ...Object.fromEntries(inherited), ...env, [MARK]: options.mark },
      detached: true,
    });
    closeSync(log);
    const identity = child.pid === undefined ? undefined : identify(child.pid);
    children.set(name, { process: child, identity });
    record();
    child.on('error', (error) => options.onDeath(name, error.message));
    child.on('exit', (code, signal) => {
      if (closing) return;
      options.onDeath(name, signal ?? `exit code ${code}`);
      startSoon(name, command, env);
    });
  }

  function startSoon(name: string, command: readonly string[], env: Environment): void {
    setTimeout(() => {
      if (closing) return;
      try {
        start(name, command, env);
      } catch {
        startSoon(name, command, env); // its log cannot be opened; that may change
      }
    }, RESTART_MS).unref();
  }

  // At once: a kill -9 from now on leaves a folder that the next demo must know of.
  record();

  return {
    start,
    identity: (name) => children.get(name)?.identity,
    names: () => [...children.keys()],
    stop: async (names, signal, msMax) => {
      closing = true;
      const alive = () =>
        names.filter((name) => {
          const identity = children.get(name)?.identity;
          return identity !== undefined && isAlive(identity);
        });
      const identities = () => alive().flatMap((name) => children.get(name)?.identity ?? []);
      for (const identity of identities()) signalTo(identity, signal);
      await waitUntilGone(identities, msMax);
      return alive();
    },
  };
}
