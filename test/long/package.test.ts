// The archive as a till gets it: made here, unpacked into an empty root (busybox, a C library, no network) and taken
// through a till's life there. And what is inside it, told by its own bill of materials and sums.

import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { need } from './parts.ts';

const VERSION = JSON.parse(readFileSync('package.json', 'utf8')).version as string;
const NEXT = `${VERSION}-next`;
const folder = mkdtempSync(join(tmpdir(), 'tw-package-'));
const root = join(folder, 'root');
/** Where `npm run package` puts it and operations.test.ts takes it from: made once for what dist/ holds. */
const packages = 'packages';
const archive = join(packages, `tillwatch-${VERSION}-linux-x64.tar.gz`);
const unpacked = join(folder, `tillwatch-${VERSION}-linux-x64`);
const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

type Ran = { readonly code: number; readonly text: string };
const run = (program: string, ...argv: string[]): Promise<Ran> =>
  new Promise((done) => {
    execFile(program, argv, { maxBuffer: 16 * 1024 * 1024 }, (error, out, err) => {
      done({ code: error === null ? 0 : Number(error.code ?? 1), text: out + err });
    });
  });
const make = (arch: string) =>
  run(process.execPath, 'cli/package.js', '--level', '1', '--platform', `linux-${arch}`);

beforeAll(async () => {
  const made = await make('x64');
  expect(made.code, made.text).toBe(0);
  execFileSync('tar', ['xzf', archive, '-C', folder]);
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Component = { name: string; version: string; hashes?: { alg: string; content: string }[] };
const billOf = (path: string): Component[] => JSON.parse(readFileSync(path, 'utf8')).components;

describe('the archive', () => {
  it('is whole by its own sums, which name every file', () => {
    const said = execFileSync('sha256sum', ['-c', 'SHA256SUMS', '--quiet'], { cwd: unpacked });
    expect(said.toString()).toBe('');
    const named = readFileSync(join(unpacked, 'SHA256SUMS'), 'utf8').match(/(?<= {2}).+$/gm);
    const there = readdirSync(unpacked, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(unpacked.length + 1));
    expect([...(named ?? []), 'SHA256SUMS'].sort()).toEqual(there.sort());
  });

  it('names every package that is in it, with its hash, and Node with what is inside Node', () => {
    const bill = billOf(join(unpacked, 'sbom.cdx.json'));
    const licences = readFileSync(join(unpacked, 'licences.txt'), 'utf8');
    const told = [...licences.matchAll(/^-{80}\n\n(\S+) (\d\S*)\nLicence:/gm)].map(
      ([, name, version]) => `${name} ${version}`,
    );
    expect(told.length).toBeGreaterThan(60);
    const billed = new Set(bill.map(({ name, version }) => `${name} ${version}`));
    expect(told.filter((title) => !billed.has(title))).toEqual([]);
    expect(bill.filter(({ hashes }) => hashes === undefined)).toEqual([]);
    const node = bill.find(({ name }) => name === 'node') as Component & {
      components: Component[];
    };
    const binary = sha256(join(unpacked, 'node_modules', 'node', 'bin', 'node'));
    expect([node.version, node.hashes?.[0]?.content]).toEqual([process.versions.node, binary]);
    expect(node.components.map(({ name }) => name)).toContain('openssl');
  });

  it('has every built program and part of one', () => {
    const built = readdirSync('dist', { recursive: true, encoding: 'utf8' });
    const wanted = built.filter((name) => name.endsWith('.mjs') && !name.startsWith('.'));
    const there = readdirSync(join(unpacked, 'dist'), { recursive: true, encoding: 'utf8' });
    expect(wanted.filter((name) => !there.includes(name))).toEqual([]);
  });

  it('has no source, no test and nothing of another platform', () => {
    const all = readdirSync(unpacked, { recursive: true, encoding: 'utf8' });
    expect(all.filter((name) => /\.ts$|\/test\/|binding\.gyp|\.(cpp|h)$/.test(name))).toEqual([]);
    const native = all.filter((name) => name.endsWith('.node'));
    expect(native.map((name) => name.split('/').at(-2))).toEqual(['linux-x64']);
  });

  it('is the same bytes whoever makes it and when', async () => {
    // Plain JavaScript, which has no types.
    const program: string = '../../cli/package-archive.js';
    const { writeArchive } = await import(program);
    const source = join(folder, 'a-file');
    const parts = [
      { path: 'a/b', from: source, isProgram: false },
      { path: 'c', text: 'text\n', isProgram: true },
    ];
    const sums: string[] = [];
    for (const at of [1_000, 2_000_000]) {
      writeFileSync(source, 'the same\n', { mode: at === 1_000 ? 0o600 : 0o777 });
      utimesSync(source, at, at);
      const to = join(folder, `same-${at}.tgz`);
      await writeArchive({ to, name: 'x', parts, level: 9 });
      sums.push(sha256(to));
    }
    expect(sums[0]).toBe(sums[1]);
  });

  it('for arm64 holds a Node and a serial port for that', async (context) => {
    const [nodes, lists, bills] = await Promise.all(
      // Plain JavaScript, which has no types.
      ['package-node', 'package-parts', 'sbom'].map((name) => import(`../../cli/${name}.js`)),
    );
    const node = await nodes.findNode('arm64', resolve('.'), resolve(packages, '.node'));
    if (node.problem !== undefined && process.env['TILLWATCH_REQUIRE'] !== 'all') {
      context.skip(node.problem);
    }
    expect(node.problem).toBeUndefined();
    const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'));
    const about = { root: resolve('.'), lock, arch: 'arm64', version: VERSION };
    const parts: { path: string; from: string }[] = lists.partsOf({
      ...{ ...about, node: node.folder, texts: {} },
    });
    const paths = parts.map(({ path }) => path);
    expect(paths.join('\n').match(/prebuilds\/[^/]+/g)).toEqual(['prebuilds/linux-arm64']);
    const from = parts.find(({ path }) => path === 'node_modules/node/bin/node')?.from ?? '';
    const bill = JSON.parse(bills.sbomText({ ...about, bundled: [], beside: [] }));
    expect(bill.components[0].hashes[0].content).toBe(sha256(from));
    // ELF: EM_AARCH64 is 183 [elf(5)].
    expect(readFileSync(from).readUInt16LE(18)).toBe(183);
  });

  it('has its sums beside it, and is kept while it would be the same', async () => {
    const sums = readFileSync(join(packages, 'SHA256SUMS'), 'utf8');
    expect(sums).toContain(`${sha256(archive)}  tillwatch-${VERSION}-linux-x64.tar.gz\n`);
    const before = statSync(archive).mtimeMs;
    expect((await make('x64')).text).toBe(
      `tillwatch: tillwatch-${VERSION}-linux-x64.tar.gz is there already\n`,
    );
    expect(statSync(archive).mtimeMs).toBe(before);
  });

  it('is refused for a platform that there is not, with a sentence', async () => {
    const asked = await make('riscv64');
    expect(asked).toEqual({
      code: 64,
      text: 'tillwatch: there is no platform linux-riscv64: it is linux-x64 or linux-arm64\n',
    });
  });
});

/** The same archive under another version: what an upgrade finds is only that. */
function nextArchive(): string {
  const next = join(folder, 'next');
  // By hard links: only two of its files are others.
  execFileSync('cp', ['-al', unpacked, next]);
  for (const name of ['VERSION', 'SHA256SUMS']) rmSync(join(next, name));
  writeFileSync(join(next, 'VERSION'), `${NEXT}\n`);
  const sums = readFileSync(join(unpacked, 'SHA256SUMS'), 'utf8');
  const changed = sums.replace(/^\S+ {2}VERSION$/m, `${sha256(join(next, 'VERSION'))}  VERSION`);
  writeFileSync(join(next, 'SHA256SUMS'), changed);
  return next;
}

describe('in an empty root, without a network', () => {
  it('it installs, runs a component as another user, is upgraded and taken back under it, and goes', async (context) => {
    need(context, 'busybox', 'busybox');
    need(context, 'unshare', 'util-linux');
    if (process.getuid?.() !== 0) context.skip('this needs root');
    const node = join(unpacked, 'node_modules', 'node', 'bin', 'node');
    execFileSync('sh', ['test/long/package/root.sh', root, node]);
    const next = nextArchive();
    for (const path of ['first', 'second']) mkdirSync(join(root, 'tmp', path));
    cpSync('test/long/package/story.sh', join(root, 'tmp', 'story.sh'));
    const story = `
      mount -t proc proc '${root}/proc' && mount --bind /dev '${root}/dev' &&
      mount --bind '${unpacked}' '${root}/tmp/first' && mount --bind '${next}' '${root}/tmp/second' &&
      exec chroot '${root}' /bin/sh /tmp/story.sh /tmp/first /tmp/second`;
    // Nothing of ours in its environment: a cache of Node's would lie in that root.
    const { text } = await run(
      'env',
      '-i',
      `PATH=${process.env['PATH']}`,
      'unshare',
      '-n',
      '-m',
      '-p',
      '-f',
      '--kill-child',
      'sh',
      '-c',
      story,
    );
    const seen = text.split('\n').filter((line) => !line.startsWith('install: tillwatch: '));
    const lines = seen.filter((line) => !/^(upgrade|rollback|uninstall|purge|check): /.test(line));
    expect(
      lines.filter((line) => line !== ''),
      text,
    ).toEqual([
      'network: 0',
      'configured: agent.yaml.example',
      'front-who: 500 500 7,500,999 /tmp',
      ...['Inh', 'Prm', 'Eff', 'Amb'].map((set) => `front-Cap${set}:\t0000000000000000`),
      'front-config: EACCES',
      'front-data: EACCES',
      'front-control: EACCES',
      'agent-user: 999',
      'agent-capabilities: 00000000000800e4',
      `release: ${VERSION}`,
      'healed: 1',
      `upgraded: ${NEXT} same pid`,
      `back: ${VERSION} same pid`,
      `releases: ${VERSION} ${NEXT} `,
      'runs-on: yes',
      'kept: data',
      'left: +/usr/local/bin +/var +/var/lib ',
    ]);
    expect(text).toContain(`was ${VERSION}, is ${NEXT}; back with: `);
    expect(text).toContain(`rollback: tillwatch: was ${NEXT}, is ${VERSION}`);
    expect(text).toContain('purge: tillwatch: nothing of it is left');
  });
});
