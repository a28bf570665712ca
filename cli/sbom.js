// The bill of materials of an archive (CycloneDX 1.6): every package that is inside the bundles or lies beside them, and
// Node with what Node itself brings. The list comes from the bundler's own record and from the lockfile, so that it
// cannot forget what comes in later, and it holds no time and no random number: the same archive, the same bill.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NODE } from './package-node.js';

const SIMPLE = /^[A-Za-z0-9.+-]+$/;

const licencesOf = (words) => {
  if (words === undefined) return {};
  const licence = SIMPLE.test(words) ? [{ license: { id: words } }] : [{ expression: words }];
  return { licenses: licence };
};

/** The lockfile has `sha512-` and base64; CycloneDX wants hex. */
const hashesOf = (integrity) => {
  const [, alg, base64] = /^sha(512|256)-(\S+)/.exec(integrity ?? '') ?? [];
  if (alg === undefined) return {};
  return {
    hashes: [{ alg: `SHA-${alg}`, content: Buffer.from(base64, 'base64').toString('hex') }],
  };
};

/** [purl-spec] an npm scope keeps its slash, its @ is escaped. */
const purlOf = (name, version) => `pkg:npm/${name.replace(/^@/, '%40')}@${version}`;

function componentOf(folder, where, lock, root) {
  const entry = lock.packages[folder] ?? {};
  const { name, version, license } = JSON.parse(
    readFileSync(join(root, folder, 'package.json'), 'utf8'),
  );
  return {
    type: 'library',
    'bom-ref': `${purlOf(name, version)}#${folder}`,
    name,
    version,
    purl: purlOf(name, version),
    ...licencesOf(entry.license ?? license),
    ...hashesOf(entry.integrity),
    properties: [{ name: 'tillwatch:where', value: where }],
  };
}

/** Libraries that are linked into Node: where a hole is found in one of them, this tells who has it. */
const insideNode = () =>
  Object.entries(process.versions)
    .filter(([name]) => name !== 'node' && name !== 'modules' && name !== 'napi')
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, version]) => ({
      type: 'library',
      'bom-ref': `node-${NODE.version}/${name}`,
      name,
      version,
    }));

const nodeOf = (arch) => ({
  type: 'platform',
  'bom-ref': `node-${NODE.version}`,
  name: 'node',
  version: NODE.version,
  purl: `pkg:generic/node@${NODE.version}?arch=${arch}&os=linux`,
  // Its own and those of what is linked into it: node_modules/node/LICENSE.
  licenses: [{ license: { id: 'MIT' } }],
  hashes: [{ alg: 'SHA-256', content: NODE.sha256[arch] }],
  components: insideNode(),
});

/** Of what it says, so that two archives with the same contents have the same. */
function serialOf(text) {
  const hex = createHash('sha256').update(text).digest('hex');
  // RFC 9562 section 5.8: version 8 is for whatever one makes it from.
  const parts = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `a${hex.slice(17, 20)}`,
  ];
  return `urn:uuid:${parts.join('-')}-${hex.slice(20, 32)}`;
}

/**
 * @param bundled folders of packages inside dist/ @param beside those that lie in node_modules/
 * @returns the text of sbom.cdx.json
 */
export function sbomText({ bundled, beside, lock, root, arch, version }) {
  const own = {
    type: 'application',
    'bom-ref': 'tillwatch',
    name: 'tillwatch',
    version,
    licenses: [{ license: { id: 'Apache-2.0' } }],
  };
  const components = [
    nodeOf(arch),
    ...bundled.map((folder) => componentOf(folder, 'inside dist/', lock, root)),
    ...beside.map((folder) => componentOf(folder, folder, lock, root)),
  ];
  // One package can be inside a bundle and beside it.
  components.forEach((component, index) => {
    const twin = components.slice(0, index).some((one) => one['bom-ref'] === component['bom-ref']);
    if (twin) component['bom-ref'] += '#beside';
  });
  const dependencies = [
    { ref: 'tillwatch', dependsOn: components.map((component) => component['bom-ref']) },
  ];
  const body = { metadata: { component: own }, components, dependencies };
  const head = { bomFormat: 'CycloneDX', specVersion: '1.6' };
  const serialNumber = serialOf(JSON.stringify(body));
  return `${JSON.stringify({ ...head, serialNumber, version: 1, ...body }, null, 2)}\n`;
}
