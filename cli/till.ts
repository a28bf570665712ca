// Asks the agent of this very till over its control socket: one line of JSON out, one in. No network and no broker,
// because whoever stands at a till that does not sell has neither. Where the socket is comes from the options, the
// environment or the place that a package uses, in this order.

import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { parse } from 'yaml';
import { fail, ok, type Result } from '../protocol/result.ts';
import { CONTROL_SOCKET, RUN_DIR_DEFAULT } from '../protocol/till.ts';
import type { Options } from './command.ts';
import { EXIT, type ExitCode } from './exit.ts';

const ANSWER_MS_MAX = 5_000;
const ANSWER_BYTES_MAX = 1024 * 1024;

export type TillReply<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly exit: ExitCode; readonly sentence: string };

export type AskTill = (request: object) => Promise<TillReply<unknown>>;

const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

/** Only this key is needed: a configuration with a mistake elsewhere is no reason to be sent away. */
function runDirOf(file: string): Result<string> {
  try {
    const value: unknown = parse(readFileSync(file, 'utf8'), { logLevel: 'silent' });
    const named =
      typeof value === 'object' && value !== null && 'runDir' in value ? value.runDir : undefined;
    const runDir = text(named);
    if (runDir === undefined) return fail(`${file} names no runDir: is it an agent's?`);
    return ok(resolve(dirname(resolve(file)), runDir));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return fail(`${file} cannot be read (${code ?? 'it is not YAML'})`);
  }
}

export function findRunDir(options: Options, env: NodeJS.ProcessEnv): Result<string> {
  const given = text(options['runDir']);
  if (given !== undefined) return ok(resolve(given));
  const config = text(options['config']);
  if (config !== undefined) return runDirOf(config);
  return ok(resolve(text(env['TILLWATCH_RUN_DIR']) ?? RUN_DIR_DEFAULT));
}

const HINT = 'say where with --run-dir or --config';

function refusal(code: string | undefined, runDir: string): TillReply<never> {
  if (code === 'EACCES' || code === 'EPERM') {
    const sentence = `the agent in ${runDir} is not yours to ask: become its user (sudo)`;
    return { ok: false, exit: EXIT.denied, sentence };
  }
  // It was let in and put out again: all places are taken (CONTROL_CONNECTIONS_MAX), for seconds at most.
  if (code === 'EPIPE' || code === 'ECONNRESET') {
    const sentence = `the agent in ${runDir} has no time: others ask it at this moment; try again`;
    return { ok: false, exit: EXIT.unavailable, sentence };
  }
  const sentence = `no agent listens in ${runDir} (${code ?? 'no reason given'}): ${HINT}`;
  return { ok: false, exit: EXIT.unavailable, sentence };
}

function readAnswer(line: string): TillReply<unknown> {
  const garbled = { ok: false, exit: EXIT.unavailable, sentence: 'the answer is not of an agent' };
  try {
    const answer: unknown = JSON.parse(line);
    if (typeof answer !== 'object' || answer === null) return garbled as TillReply<never>;
    const { ok: good, value, reason, refused } = answer as Record<string, unknown>;
    if (good === true) return { ok: true, value };
    const exit = refused === true ? EXIT.denied : EXIT.failed;
    return { ok: false, exit, sentence: text(reason) ?? 'the agent refused and gave no reason' };
  } catch {
    return garbled as TillReply<never>;
  }
}

/** @param waitMs for work that takes its time; a question is answered at once. */
export const tillIn =
  (runDir: string, waitMs = ANSWER_MS_MAX): AskTill =>
  (request) =>
    new Promise((done) => {
      const socket = connect({ path: join(runDir, CONTROL_SOCKET) });
      let answer = '';
      const settle = (reply: TillReply<unknown>): void => {
        socket.destroy();
        done(reply);
      };
      const silent = `the agent in ${runDir} does not answer`;
      socket.setEncoding('utf8');
      socket.setTimeout(waitMs, () =>
        settle({ ok: false, exit: EXIT.unavailable, sentence: silent }),
      );
      socket.once('connect', () => socket.write(`${JSON.stringify(request)}\n`));
      socket.on('data', (chunk: string) => {
        answer += chunk;
        if (answer.length > ANSWER_BYTES_MAX) settle(readAnswer(''));
        else if (answer.includes('\n')) settle(readAnswer(answer.slice(0, answer.indexOf('\n'))));
      });
      socket.once('end', () =>
        settle({ ok: false, exit: EXIT.unavailable, sentence: `${silent}: it ended meanwhile` }),
      );
      socket.once('error', (error: NodeJS.ErrnoException) => settle(refusal(error.code, runDir)));
    });
