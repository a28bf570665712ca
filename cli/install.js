// The pre-step of every npm script: when what is installed is not what package-lock.json says, it runs
// `npm ci` with visible progress, so that `npm start` and `npm test` alone work on a fresh clone. It
// compares packages and not bytes, because npm leaves out what other platforms need. Plain JavaScript
// without dependencies that Node 18 parses: it runs before the pinned Node is there.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const EXIT_UNAVAILABLE = 69; // sysexits(3)
const PROGRESS_MS = 2_000;
/** Each pause is this much of what has passed, so that a slow line does not fill the screen. */
const PROGRESS_GROWTH = 0.3;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const pinnedNode = join(root, 'node_modules', '.bin', 'node');
const say = (text) => process.stderr.write(`tillwatch: ${text}\n`);

/** Type stripping became stable in 24.12; nothing of ours runs on less. */
export function isNodeEnough(version) {
  const [major = 0, minor = 0] = String(version).replace(/^v/, '').split('.').map(Number);
  return major > 24 || (major === 24 && minor >= 12);
}

/** npm's own rule for os, cpu and libc: a list of allowed names, or of forbidden ones with "!". */
function suits(list, value) {
  if (list === undefined || value === undefined) return true;
  const names = [].concat(list);
  if (names.includes(`!${value}`)) return false;
  const allowed = names.filter((name) => !name.startsWith('!'));
  return allowed.length === 0 || allowed.includes(value);
}

/** What npm may leave out here: an optional package of another platform, or one that only such need. */
function mayBeMissing(wanted, here) {
  if (wanted.optional !== true) return false;
  if (wanted.os === undefined && wanted.cpu === undefined && wanted.libc === undefined) return true;
  return !(
    suits(wanted.os, here.os) &&
    suits(wanted.cpu, here.cpu) &&
    suits(wanted.libc, here.libc)
  );
}

/**
 * Compares two lockfiles package by package.
 * @returns sentences, none when `present` (node_modules/.package-lock.json) is what `wanted` asks for
 */
export function differences(wanted, present, here) {
  const found = [];
  const wantedPackages = wanted.packages ?? {};
  const presentPackages = present.packages ?? {};
  for (const [path, entry] of Object.entries(wantedPackages)) {
    if (path === '') continue;
    const installed = presentPackages[path];
    if (installed === undefined) {
      // The `node` package itself is optional too: whether it is needed is asked by running it.
      if (path !== 'node_modules/node' && !mayBeMissing(entry, here))
        found.push(`${path} is missing`);
    } else if (installed.version !== entry.version) {
      found.push(`${path} is ${installed.version}, not ${entry.version}`);
    } else if (entry.integrity && installed.integrity && entry.integrity !== installed.integrity) {
      found.push(`${path} has other contents`);
    }
  }
  for (const path of Object.keys(presentPackages)) {
    // The `node` package fetches its platform's half by itself, outside of the lockfile.
    if (path === '' || path.startsWith('node_modules/node/') || wantedPackages[path]) continue;
    found.push(`${path} does not belong here`);
  }
  return found;
}

/** This machine as npm names it; glibc or musl only matters, and is only asked, on Linux. */
function thisMachine() {
  const machine = { os: process.platform, cpu: process.arch, libc: undefined };
  if (process.platform === 'linux') {
    const report = process.report?.getReport();
    machine.libc = report?.header?.glibcVersionRuntime ? 'glibc' : 'musl';
  }
  return machine;
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function whyInstall() {
  const wanted = readJson(join(root, 'package-lock.json'));
  if (wanted === undefined) return 'package-lock.json cannot be read';
  const present = readJson(join(root, 'node_modules', '.package-lock.json'));
  if (present === undefined) return 'nothing is installed yet';
  const [first, ...more] = differences(wanted, present, thisMachine());
  if (first === undefined) return undefined;
  return more.length === 0 ? first : `${first}, and ${more.length} more`;
}

function runsHere(command) {
  const run = spawnSync(command, ['--version'], { encoding: 'utf8', timeout: 10_000 });
  return run.status === 0 && isNodeEnough(run.stdout.trim());
}

/** Whether a Node that is new enough will be first in the PATH of the npm script that follows. */
function isNodeReady() {
  if (existsSync(pinnedNode)) {
    if (realpathSync(pinnedNode) === realpathSync(process.execPath)) return true;
    if (runsHere(pinnedNode)) return true;
    // A binary for another C library: it would hide the machine's own Node, which may do.
    if (isNodeEnough(process.version)) rmSync(pinnedNode);
  }
  return isNodeEnough(process.version);
}

function npmCommand() {
  const script = process.env.npm_execpath;
  if (script !== undefined && basename(script) === 'npm-cli.js') {
    // npm's own Node, not ours: `npm ci` deletes node_modules with the pinned Node in it.
    return [process.env.npm_node_execpath ?? process.execPath, script];
  }
  return ['npm'];
}

function showProgress(startedMs) {
  const wanted = readJson(join(root, 'package-lock.json'))?.packages ?? {};
  const here = thisMachine();
  const paths = Object.keys(wanted).filter((path) => path && !mayBeMissing(wanted[path], here));
  let nextMs = 0;
  return setInterval(() => {
    const passedMs = Date.now() - startedMs;
    if (passedMs < nextMs) return;
    nextMs = passedMs * (1 + PROGRESS_GROWTH);
    const there = paths.filter((path) => existsSync(join(root, path, 'package.json'))).length;
    const seconds = Math.round(passedMs / 1000);
    const rest = there === paths.length ? ', now Node itself (45 MB)' : '';
    say(`installing, ${seconds} s: ${there} of ${paths.length} packages${rest}`);
  }, PROGRESS_MS);
}

/** @returns the exit code of npm ci; its errors are on the screen */
function install() {
  const [command, ...first] = npmCommand();
  const env = { ...process.env };
  // A silenced npm (`npm start --silent`) hands its silence down; an error must be seen all the same.
  for (const name of Object.keys(env)) {
    if (/^npm_config_(loglevel|silent|quiet|omit|only|production|dry_run)$/i.test(name))
      delete env[name];
  }
  // EBADENGINE is a warning that an older Node is running npm; the right one is being installed.
  const flags = [
    '--loglevel=error',
    '--engine-strict=false',
    '--include=dev',
    '--include=optional',
  ];
  const startedMs = Date.now();
  const progress = showProgress(startedMs);
  return new Promise((resolve) => {
    const child = spawn(command, [...first, 'ci', ...flags], {
      cwd: root,
      env,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const end = (code) => {
      clearInterval(progress);
      resolve({ code, seconds: ((Date.now() - startedMs) / 1000).toFixed(0) });
    };
    child.on('error', () => end(127));
    child.on('exit', (code) => end(code ?? 1));
  });
}

async function main() {
  const why = whyInstall() ?? (isNodeReady() ? undefined : 'Node 24.12 or later is missing');
  if (why === undefined) return 0;
  say(`installing with npm ci, because ${why}`);
  const { code, seconds } = await install();
  if (code !== 0) {
    say(`npm ci failed with exit code ${code}; its own words are above, and nothing was started`);
    return EXIT_UNAVAILABLE;
  }
  if (!isNodeReady()) {
    say(
      `this needs Node >= 24.12, this is ${process.version}, and npm could not install the package ` +
        '"node" for this machine (were its install scripts switched off?)',
    );
    return EXIT_UNAVAILABLE;
  }
  say(`installed in ${seconds} s`);
  return 0;
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = await main();
}
