// The agent as a program: `agent --config FILE [--enroll TOKEN]`. Exit codes are those of sysexits.h: 64 for a configuration
// that is wrong, 69 for what is taken or cannot be reached, 70 for a fault of our own, 75 to be started again, each with
// sentences on stderr. SIGTERM and SIGHUP end the agent alone, SIGINT its components too.

import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { formatProblem, loadConfig } from '../configuration/config.ts';
import { beginAgent } from './begin.ts';
import { AGAIN_CODE, beginAnew } from './system/anew.ts';
import { hideArguments, placeToken } from './system/token-file.ts';

function end(code: number, ...sentences: string[]): never {
  for (const sentence of sentences) process.stderr.write(`${sentence}\n`);
  process.exit(code);
}

type Asked = { readonly path: string; readonly token: string | undefined };

function readArguments(): Asked {
  const text = { type: 'string' } as const;
  try {
    const { values } = parseArgs({ options: { config: text, enroll: text } });
    const { config, enroll: token } = values;
    if (config !== undefined) return { path: resolve(config), token };
  } catch (error) {
    // Without what was wrong: it may be a token.
    const [sentence = ''] = (error as Error).message.split('\n');
    end(64, `agent: ${sentence.replaceAll(/twe1\.\S+/g, 'twe1...')}`);
  }
  return end(64, 'agent: say which configuration: agent --config FILE');
}

function readConfig(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    return end(64, `agent: cannot read the configuration: ${(error as Error).message}`);
  }
}

// Whoever reads our stderr may go away; what is written there then is lost, and nothing else (EPIPE).
process.stderr.on('error', () => undefined);
process.on('uncaughtException', (error) => {
  // Components run on; whatever starts the agent again lets it adopt them.
  end(70, `agent: internal fault, please report it: ${error.stack ?? String(error)}`);
});

const { path, token } = readArguments();
if (token !== undefined) hideArguments(`tillwatch agent --config ${path}`);
const own = { path, folder: dirname(path), text: readConfig(path) };
if (token !== undefined) {
  const loaded = loadConfig(own.text, own.folder);
  if (!loaded.ok) end(64, ...loaded.problems.map(formatProblem));
  const placed = placeToken(loaded.config, token);
  if (!placed.ok) end(64, `agent: ${placed.reason}`);
}
const toStderr = process.stderr.isTTY || process.env['TILLWATCH_LOG'] === 'stderr';
const started = await beginAgent(own, { toStderr });
if (started.ok === 'config') end(64, ...started.problems.map(formatProblem));
if (!started.ok) end(69, `agent: ${started.reason}`);
const agent = started.value;
let isAsked = false;
const stop = (signal: NodeJS.Signals, components?: 'stop'): void => {
  isAsked = true;
  void agent.stop(signal, components);
};
process.on('SIGTERM', () => stop('SIGTERM'));
process.on('SIGHUP', () => stop('SIGHUP'));
process.on('SIGINT', () => stop('SIGINT', 'stop'));
await agent.ended;
// Whoever wants it to end wants no next one.
if (!agent.again() || isAsked) process.exit(0);
beginAnew(['--enroll']);
end(AGAIN_CODE, 'agent: it begins anew under another configuration: start it again');
