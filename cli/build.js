// `npm run build`: bundles each program into one file in dist/, because running TypeScript as it is costs
// a till 17 to 27 MB (design.md section 4). It does nothing while dist/ is newer than every source, so
// that `npm start` stays quick. Plain JavaScript: right after a first install an older Node still runs it.

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { licencesText, packagesOf } from './licences.js';

const EXIT_UNAVAILABLE = 69; // sysexits(3)
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
const stampFile = join(dist, '.built.json');
const licencesFile = 'licences.txt';
/** What is inside, for the bill of materials (package.js). */
const packagesFile = '.packages.json';

/** Program in dist/ and its source. The command line's own parts are split, so that --help loads little. */
const programs = {
  agent: 'agent/main.ts',
  enrol: 'agent/enrol-main.ts',
  pull: 'agent/pull-main.ts',
  broker: 'broker/main.ts',
  sale: 'terminal/sale/main.ts',
  sync: 'terminal/sync/main.ts',
  hardware: 'terminal/hardware/main.ts',
  printer: 'terminal/hardware/printer-main.ts',
  centre: 'terminal/centre/main.ts',
  drill: 'terminal/drill/main.ts',
  simulate: 'agent/simulated/main.ts',
};
/**
 * Worker threads of the broker: each a file in dist/parts/, named as broker/worker.ts looks for it. The source may
 * come later than its line here.
 */
const workers = Object.fromEntries(
  [
    'sinks/worker-main',
    'sinks/loki-worker-main',
    'history/worker-main',
    'backup/worker-main',
    'configurations/worker-main',
  ]
    .filter((source) => existsSync(join(root, 'broker', `${source}.ts`)))
    .map((source) => [`parts/broker-${source.replaceAll('/', '-')}`, `broker/${source}.ts`]),
);
const bundles = { ...programs, ...workers };
const commandLine = 'cli/tillwatch.ts';
const sourceFolders = ['agent', 'broker', 'cli', 'configuration', 'protocol', 'redact', 'terminal'];

/** Some dependencies are CommonJS and call require() for Node's own modules. */
const banner = "import{createRequire as $cr}from'node:module';const require=$cr(import.meta.url);";

const options = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  minify: true,
  sourcemap: false,
  // Whose work is inside stands in dist/licences.txt, once, not in every file.
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
  outExtension: { '.js': '.mjs' },
  banner: { js: banner },
};

/**
 * Node's own modules, without their price. An `import` of one reads each of its exports, and those of node:fs,
 * node:crypto and node:http load readline, WebCrypto and an HTTP client with WebAssembly behind getters: 22 modules
 * that nothing here uses. Asked for this way, an export is loaded when it is read.
 */
const ownModules = {
  name: 'own-modules',
  setup(build) {
    const names = new Set(builtinModules);
    const nameOf = (path) => path.replace(/^node:/, '');
    build.onResolve({ filter: /^(node:)?[a-z_0-9/]+$/ }, ({ path }) =>
      path.startsWith('node:') || names.has(path)
        ? { path: nameOf(path), namespace: 'own-modules' }
        : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: 'own-modules' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule('node:${path}')`,
    }));
  },
};

/**
 * V8 keeps the source of a program in memory for as long as it runs, in two bytes a character when one of them is
 * not ASCII. esbuild escapes those but in regular expressions, where the same escape means the same.
 */
function toAscii(file) {
  const text = readFileSync(file, 'utf8');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII begins with them
  const ascii = text.replace(/[^\x00-\x7f]/g, (unit) => {
    return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  if (ascii !== text) writeFileSync(file, ascii);
}

/** Files, their newest change and their number: a deleted source must make a new build too. */
function sourceState() {
  let newestMs = 0;
  let files = 0;
  const look = (path) => {
    newestMs = Math.max(newestMs, statSync(path).mtimeMs);
    files += 1;
  };
  for (const folder of sourceFolders) {
    for (const entry of readdirSync(join(root, folder), { recursive: true })) {
      if (/\.(ts|js|sql)$/.test(entry)) look(join(root, folder, entry));
    }
  }
  look(join(root, 'package-lock.json'));
  look(join(root, 'package.json'));
  return { newestMs, files };
}

/** Left by a build that was killed; one that still runs keeps its own. */
function removeStale() {
  for (const name of readdirSync(dist)) {
    const pid = Number(/^\.next-(\d+)$/.exec(name)?.[1]);
    if (pid > 0 && !isRunning(pid)) rmSync(join(dist, name), { recursive: true, force: true });
  }
}

function isRunning(pid) {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function isCurrent(state) {
  const names = [...Object.keys(bundles), 'tillwatch'].map((name) => `${name}.mjs`);
  if (![...names, licencesFile, packagesFile].every((name) => existsSync(join(dist, name))))
    return false;
  try {
    const built = JSON.parse(readFileSync(stampFile, 'utf8'));
    return built.newestMs === state.newestMs && built.files === state.files;
  } catch {
    return false;
  }
}

/** Moved into place file by file: a demo that runs from dist/ must never see half a program. */
function publish(from) {
  mkdirSync(join(dist, 'parts'), { recursive: true });
  const parts = readdirSync(join(from, 'parts'));
  for (const part of parts) renameSync(join(from, 'parts', part), join(dist, 'parts', part));
  for (const name of readdirSync(from).filter((file) => file !== 'parts')) {
    renameSync(join(from, name), join(dist, name));
  }
  for (const old of readdirSync(join(dist, 'parts'))) {
    if (!parts.includes(old)) rmSync(join(dist, 'parts', old));
  }
  rmSync(from, { recursive: true });
}

/** It comes with the development packages, as do the libraries that are bundled (ARCHITECTURE.md). */
async function loadBundler() {
  try {
    return (await import('esbuild')).build;
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    return undefined;
  }
}

async function build(state) {
  const startedMs = Date.now();
  const bundle = await loadBundler();
  if (bundle === undefined) {
    process.stderr.write(
      'tillwatch: building dist/ needs esbuild, which is not installed: ' +
        'run npm ci with the development packages (npm run build does it)\n',
    );
    return EXIT_UNAVAILABLE;
  }
  const outdir = join(dist, `.next-${process.pid}`);
  mkdirSync(join(outdir, 'parts'), { recursive: true });
  removeStale();
  try {
    const one = await bundle({
      ...options,
      entryPoints: bundles,
      outdir,
      plugins: [ownModules],
      // protobufjs brings `long`, which divides in WebAssembly where there is some: an engine of 3 MB, and after a
      // thousand divisions, five minutes later, 3 MB of V8's optimising compiler. It divides as well without.
      define: { WebAssembly: 'undefined' },
    });
    for (const program of Object.keys(bundles)) toAscii(join(outdir, `${program}.mjs`));
    const other = await bundle({
      ...options,
      entryPoints: { tillwatch: commandLine },
      outdir,
      splitting: true,
      chunkNames: 'parts/[name]-[hash]',
    });
    const folders = packagesOf([one.metafile, other.metafile]);
    writeFileSync(join(outdir, licencesFile), licencesText(folders, root));
    writeFileSync(join(outdir, packagesFile), `${JSON.stringify(folders)}\n`);
  } catch (error) {
    rmSync(outdir, { recursive: true, force: true });
    if (error.errors === undefined) throw error;
    process.stderr.write('tillwatch: the build failed, see above\n');
    return 1; // esbuild has printed what and where
  }
  publish(outdir);
  writeFileSync(stampFile, JSON.stringify(state));
  const count = Object.keys(programs).length + 1;
  process.stderr.write(
    `tillwatch: built ${count} programs into dist/ in ${Date.now() - startedMs} ms\n`,
  );
  return 0;
}

try {
  const state = sourceState();
  process.exitCode = isCurrent(state) ? 0 : await build(state);
} catch (error) {
  // A full or read-only disk, or another user's folder; anything else is a bug and shows its stack.
  if (error.syscall === undefined) throw error;
  process.stderr.write(`tillwatch: dist/ cannot be built: ${error.message}\n`);
  process.exitCode = EXIT_UNAVAILABLE;
}
