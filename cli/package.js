// `npm run package`: one archive per platform in packages/, with everything that a till or a broker needs and nothing
// that has to be fetched there: Node, the built programs, the libraries that no bundle can hold, units, installer,
// bill of materials and sums. It makes what dist/ holds into archives and builds nothing itself: `npm run build` does.
// Plain JavaScript, like build.js.

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { licencesText } from './licences.js';
import { isCurrent, noteMade, sumsText, sweepStages, writeArchive } from './package-archive.js';
import { findNode, NODE } from './package-node.js';
import { besidePackages, partsOf } from './package-parts.js';
import { sbomText } from './sbom.js';

const EXIT_USAGE = 64; // sysexits(3)
const EXIT_UNAVAILABLE = 69;
const ARCHES = ['x64', 'arm64'];
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const say = (text) => process.stderr.write(`tillwatch: ${text}\n`);

const HELP = `Usage: npm run package [-- --platform linux-x64] [--to FOLDER] [--level 1-9]

One archive per platform (linux-x64 and linux-arm64), with sums and a bill of materials beside them. One that is there
and would be the same is kept.

  --platform NAME  only this one; may be given twice
  --to FOLDER      where they go (packages/)
  --level NUMBER   how hard gzip tries (9; TILLWATCH_PACKAGE_LEVEL says it for tests)

Example: npm run package -- --platform linux-arm64
`;

function readArguments() {
  const text = { type: 'string' };
  const platform = { type: 'string', multiple: true };
  const options = { platform, to: text, level: text, help: { type: 'boolean' } };
  const { values } = parseArgs({ options });
  const names = values.platform ?? ARCHES.map((arch) => `linux-${arch}`);
  const unknown = names.find((name) => !ARCHES.some((arch) => name === `linux-${arch}`));
  if (unknown !== undefined) {
    throw new Error(`there is no platform ${unknown}: it is linux-x64 or linux-arm64`);
  }
  const level = Number(values.level ?? process.env['TILLWATCH_PACKAGE_LEVEL'] ?? 9);
  if (!Number.isInteger(level) || level < 1 || level > 9) {
    throw new Error('--level is a whole number from 1 to 9');
  }
  const arches = [...new Set(names.map((name) => name.slice('linux-'.length)))];
  return { arches, level, to: resolve(values.to ?? join(root, 'packages')), help: values.help };
}

/** The texts of an archive that tell what is in it. */
function tellingTexts(arch, version, lock, node) {
  const bundled = JSON.parse(readFileSync(join(root, 'dist', '.packages.json'), 'utf8'));
  const beside = besidePackages(lock);
  const licences = licencesText([...new Set([...bundled, ...beside])].sort(), root);
  const nodes = readFileSync(join(node, 'LICENSE'), 'utf8').trim();
  return {
    'sbom.cdx.json': sbomText({ bundled, beside, lock, root, arch, version }),
    'licences.txt': `${licences}\n${'-'.repeat(80)}\n\nNode ${NODE.version}\n\n${nodes}\n`,
  };
}

async function packageOne(arch, { to, level }, version, lock) {
  const startedMs = Date.now();
  const node = await findNode(arch, root, join(root, 'packages', '.node'));
  if (node.problem !== undefined) return node.problem;
  const texts = tellingTexts(arch, version, lock, node.folder);
  const name = `tillwatch-${version}-linux-${arch}`;
  const parts = partsOf({ root, lock, arch, node: node.folder, version, texts });
  const native = parts.some(({ path }) => path.includes(`/prebuilds/linux-${arch}/`));
  if (!native) return `serialport has no prebuilt part for linux-${arch} here: run npm ci`;
  const file = join(to, `${name}.tar.gz`);
  writeFileSync(join(to, `${name}.cdx.json`), texts['sbom.cdx.json']);
  if (await isCurrent(file, parts, level)) {
    say(`${name}.tar.gz is there already`);
    return undefined;
  }
  await writeArchive({ to: file, name, parts, level });
  await noteMade(file, parts, level);
  const bytes = statSync(file).size;
  const seconds = ((Date.now() - startedMs) / 1000).toFixed(0);
  say(`${name}.tar.gz: ${parts.length} files, ${(bytes / 1e6).toFixed(1)} MB, in ${seconds} s`);
  return undefined;
}

/** Of all archives of this version that lie there, also those of an earlier run. */
async function writeSums(to, version) {
  const names = readdirSync(to).filter(
    (name) => /\.(tar\.gz|cdx\.json)$/.test(name) && name.startsWith(`tillwatch-${version}-linux-`),
  );
  const named = names.sort().map((name) => ({ name, path: join(to, name) }));
  const next = join(to, `.sums-${process.pid}`);
  writeFileSync(next, await sumsText(named));
  renameSync(next, join(to, 'SHA256SUMS'));
}

/** @returns why no archive can be made, as a sentence */
function obstacle() {
  if (!existsSync(join(root, 'dist', '.packages.json'))) {
    return 'dist/ is not built: run npm run build first (npm run package does)';
  }
  if (process.versions.node !== NODE.version) {
    return `this is Node ${process.versions.node}, and archives hold ${NODE.version}: run npm run package`;
  }
  const { optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  if (optionalDependencies.node === NODE.version) return undefined;
  return `package.json has Node ${optionalDependencies.node}, cli/package-node.js has ${NODE.version}`;
}

async function main() {
  let asked;
  try {
    asked = readArguments();
  } catch (error) {
    say(error.message);
    return EXIT_USAGE;
  }
  if (asked.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const why = obstacle();
  if (why !== undefined) {
    say(why);
    return EXIT_UNAVAILABLE;
  }
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  mkdirSync(asked.to, { recursive: true });
  sweepStages(asked.to);
  const problems = [];
  for (const arch of asked.arches) {
    const problem = await packageOne(arch, asked, version, lock);
    if (problem !== undefined) problems.push(`no archive for linux-${arch}: ${problem}`);
  }
  await writeSums(asked.to, version);
  for (const problem of problems) say(problem);
  return problems.length === 0 ? 0 : EXIT_UNAVAILABLE;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (error.syscall === undefined) throw error;
  say(`the archives cannot be written: ${error.message}`);
  process.exitCode = EXIT_UNAVAILABLE;
}
