#!/usr/bin/env node
// `tillwatch`, as npm links it. It only finds a Node that is new enough and the program to run there, and
// passes arguments, signals and the exit code. Plain JavaScript that Node 18 parses, because it is the one
// file that runs on whatever Node the machine has; nothing is imported that could fail to load.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const EXIT_UNAVAILABLE = 69; // sysexits(3)
const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);

function isNodeEnough(version) {
  const [major = 0, minor = 0] = version.trim().replace(/^v/, '').split('.').map(Number);
  return major > 24 || (major === 24 && minor >= 12);
}

/** This Node, or the one of the npm package `node`, installed below us or beside us. */
function findNode() {
  if (isNodeEnough(process.version)) return process.execPath;
  for (let folder = root; ; folder = dirname(folder)) {
    for (const place of ['node_modules/node/bin/node', 'node_modules/.bin/node']) {
      const candidate = join(folder, place);
      if (!existsSync(candidate)) continue;
      const run = spawnSync(candidate, ['--version'], { encoding: 'utf8' });
      if (run.status === 0 && isNodeEnough(run.stdout)) return candidate;
    }
    if (dirname(folder) === folder) return undefined;
  }
}

/**
 * A checkout (it has the sources) runs them as they are, unless the libraries that they import are not
 * installed; a package has only what was built, with its libraries inside.
 */
function findProgram() {
  const source = join(root, 'cli', 'tillwatch.ts');
  const built = join(root, 'dist', 'tillwatch.mjs');
  const candidates = existsSync(join(root, 'node_modules', 'commander'))
    ? [source, built]
    : [built];
  return candidates.find((path) => existsSync(path));
}

function fail(sentence) {
  process.stderr.write(`tillwatch: ${sentence}\n`);
  process.exit(EXIT_UNAVAILABLE);
}

const node = findNode();
const program = findProgram();
if (node === undefined) {
  fail(
    `this needs Node >= 24.12 and this is ${process.version}: ` +
      'install a newer Node, or the npm package "node" beside tillwatch (npm install node@24)',
  );
} else if (program === undefined) {
  fail('dist/tillwatch.mjs is not here: in a checkout run npm run build, else install it again');
} else {
  const child = spawn(node, [program, ...process.argv.slice(2)], { stdio: 'inherit' });
  // A token among the arguments is for nobody else to read [proc(5)]; the program does the same with its own.
  if (process.argv.some((word) => word.startsWith('--enroll'))) process.title = 'tillwatch';
  // A terminal sends its Ctrl-C to both of us: waiting here lets the child end in good order.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2']) {
    process.on(signal, () => child.kill(signal));
  }
  child.on('error', (error) => fail(`${node} cannot be started: ${error.message}`));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
    // Only a signal that this process ignores gets here; shells say 128 and its number.
    setTimeout(() => process.exit(128 + (constants.signals[signal] ?? 0)), 100);
  });
}
