// `tillwatch broker` and `tillwatch agent`: the same start functions as the programs on a till or in the
// centre, in this process. Everything on a till that counts bytes runs dist/agent.mjs itself instead.

import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import type { ProgramName } from './check-config.ts';

type Problem = { readonly path: string; readonly sentence: string };
type Running = {
  /** For a person, and with --json for a program. */
  readonly facts: Readonly<Record<string, unknown>>;
  readonly stop: (signal: NodeJS.Signals) => Promise<void>;
  /** Resolves when it ended by itself, as an agent does whose parent is gone. */
  readonly ended?: Promise<unknown>;
  /** Whether this process is to become another agent then. */
  readonly again?: () => boolean;
};
/** A configuration that is wrong, or a part that is not there. */
type Started =
  | Result<Running>
  | { readonly ok: 'token'; readonly reason: string }
  | { readonly ok: 'config'; readonly problems: readonly Problem[] };

async function startBroker(text: string, folder: string): Promise<Started> {
  const { loadConfig } = await import('../../broker/config.ts');
  const loaded = loadConfig(text, folder);
  if (!loaded.ok) return { ok: 'config', problems: loaded.problems };
  const broker = await import('../../broker/broker.ts');
  const started = await broker.startBroker(loaded.config, { configText: text });
  if (!started.ok) return fail(started.reason);
  const { url, mqttPort, httpPort, stop } = started.value;
  return ok({ facts: { url, mqttPort, httpPort }, stop: () => stop() });
}

async function startAgent(text: string, file: string, token: string | undefined): Promise<Started> {
  const folder = dirname(resolve(file));
  if (token !== undefined) {
    const { loadConfig } = await import('../../configuration/config.ts');
    const loaded = loadConfig(text, folder);
    if (!loaded.ok) return { ok: 'config', problems: loaded.problems };
    const { hideArguments, placeToken } = await import('../../agent/system/token-file.ts');
    hideArguments('tillwatch agent');
    const placed = placeToken(loaded.config, token);
    if (!placed.ok) return { ok: 'token', reason: placed.reason };
  }
  const { beginAgent } = await import('../../agent/begin.ts');
  const started = await beginAgent({ path: resolve(file), folder, text });
  if (started.ok === 'config') return started;
  if (!started.ok) return fail(started.reason);
  const { terminal, runDir } = started.config;
  const running = started.value;
  return ok({
    facts: { terminal, runDir },
    // SIGINT ends its components too, the others leave them running (design.md section 4).
    stop: (signal) => (signal === 'SIGINT' ? running.stop(signal, 'stop') : running.stop(signal)),
    ended: running.ended,
    again: running.again,
  });
}

/**
 * The first of the signals that end a program. Not `once`: one Ctrl-C arrives again from every launcher
 * that passes it on (npx, cli/bin.js), and a signal that nobody listens to kills in the middle of the end.
 */
const signalled = (): Promise<NodeJS.Signals> =>
  new Promise((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(name, () => resolve(name));
    }
  });

/** Under the configuration that has come. @returns only where a process cannot become another one. */
async function becomeNext(): Promise<Outcome> {
  const { beginAnew } = await import('../../agent/system/anew.ts');
  beginAnew(['--enroll']);
  return ended(EXIT.unavailable, 'it begins anew under another configuration: start it again');
}

export type RunOptions = { readonly json: boolean; readonly token?: string | undefined };

export async function runProgram(
  name: ProgramName,
  file: string,
  { json, token }: RunOptions,
): Promise<Outcome> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return ended(EXIT.usage, `${file} cannot be read (${code ?? 'no reason given'})`);
  }
  const folder = dirname(resolve(file));
  const asked = signalled();
  const started = await (name === 'agent'
    ? startAgent(text, file, token)
    : startBroker(text, folder));
  if (started.ok === 'token') return ended(EXIT.usage, started.reason);
  if (started.ok === 'config') {
    for (const { path, sentence } of started.problems) {
      process.stderr.write(path === '' ? `${sentence}\n` : `${path}: ${sentence}\n`);
    }
    return ended(EXIT.usage, `${file} is not a good ${name} configuration`);
  }
  if (!started.ok) return ended(EXIT.unavailable, started.reason);
  const { facts, stop, ended: endedByItself, again } = started.value;
  const words = Object.entries(facts).map(([key, value]) => `${key} ${value}`);
  const line = json
    ? JSON.stringify({ ready: name, ...facts })
    : `${name} ready: ${words.join(', ')}`;
  process.stdout.write(`${line}\n`);
  const signal = await Promise.race([asked, endedByItself ?? asked]);
  if (signal === 'SIGINT' || signal === 'SIGTERM' || signal === 'SIGHUP') {
    await stop(signal);
    return done;
  }
  return again?.() === true ? await becomeNext() : done;
}
