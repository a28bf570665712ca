// dist/licences.txt: what is bundled into dist/ is other people's work, and their licences ask that their
// notice goes with every copy. The list is read from the bundler's own record of what it took, so that it
// cannot forget a package that comes in later. Plain JavaScript, like build.js that calls it.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//;
const NOTICE = /^(licen[cs]e|copying|notice)([.-].*)?$/i;
const RULE = `\n${'-'.repeat(80)}\n\n`;

/**
 * @param metafiles what esbuild says of each build
 * @returns the folders of the packages that it read something from, relative to the root
 */
export function packagesOf(metafiles) {
  const inputs = metafiles.flatMap(({ inputs: taken }) => Object.keys(taken));
  return [...new Set(inputs.map((path) => FOLDER.exec(path)?.[1]).filter(Boolean))].sort();
}

/** @param folders of packages, relative to the root @returns the text of the file */
export function licencesText(folders, root) {
  const entries = new Map();
  for (const folder of folders) {
    const manifest = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
    const files = readdirSync(join(root, folder)).filter((name) => NOTICE.test(name));
    const texts = files.sort().map((name) => readFileSync(join(root, folder, name), 'utf8').trim());
    const author = manifest.author?.name ?? manifest.author;
    const by = author === undefined ? '' : `\nBy ${author}`;
    const title = `${manifest.name} ${manifest.version}`;
    const head = `${title}\nLicence: ${manifest.license ?? 'see below'}${by}`;
    entries.set(title, [head, ...texts].join('\n\n'));
  }
  const sorted = [...entries.keys()].sort((a, b) => (a < b ? -1 : 1));
  const opening = 'The programs in this folder contain these packages, under their own licences.\n';
  return `${[opening, ...sorted.map((title) => `${entries.get(title)}\n`)].join(RULE)}`;
}
