// The broker as a program: `node broker/main.ts --config FILE [--exit-with-parent]`. Ends on SIGTERM,
// SIGINT or SIGHUP within two seconds. Exit codes are those of sysexits.h: 64 for a configuration or
// command line that is wrong, 69 when something it needs is not there, 70 for a bug.

import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startBroker } from './broker.ts';
import { systemTimers } from './clock.ts';
import { formatProblem, loadConfig } from './config.ts';

const USAGE = 'usage: broker --config FILE [--exit-with-parent]';
const STOP_MS_MAX = 1_900;
const PARENT_LOOK_MS = 500;

function end(code: number, ...lines: string[]): never {
  for (const line of lines) console.error(line);
  process.exit(code);
}

function readOptions(): { file: string; exitWithParent: boolean } {
  try {
    const { values } = parseArgs({
      options: { config: { type: 'string' }, 'exit-with-parent': { type: 'boolean' } },
    });
    if (values.config === undefined) return end(64, USAGE);
    return { file: resolve(values.config), exitWithParent: values['exit-with-parent'] === true };
  } catch (cause) {
    return end(64, (cause as Error).message, USAGE);
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    return end(64, `the configuration cannot be read: ${(cause as Error).message}`);
  }
}

// Whoever reads our stderr may go away; what is written there then is lost, and nothing else (EPIPE).
process.stderr.on('error', () => {});
process.on('uncaughtException', (error) => end(70, `bug: ${error.stack ?? error}`));
const parent = process.ppid;
const { file, exitWithParent } = readOptions();
const text = readText(file);
const loaded = loadConfig(text, dirname(file));
if (!loaded.ok) end(64, ...loaded.problems.map(formatProblem));
const starting = startBroker(loaded.config, { configText: text });

/** Also during the start: whoever reads broker.json may already have sent a signal. */
async function stop(): Promise<void> {
  systemTimers.after(STOP_MS_MAX, () => end(70, 'bug: the broker did not stop in time'));
  const broker = await starting;
  if (broker.ok) await broker.value.stop();
  process.exit(0);
}
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, stop);
if (exitWithParent) {
  systemTimers.every(PARENT_LOOK_MS, () => void (process.ppid !== parent && stop()));
}
const broker = await starting;
if (!broker.ok) end(69, broker.reason);
