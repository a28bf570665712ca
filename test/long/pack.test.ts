// The package as a stranger gets it: packed, installed by npm into an empty folder with whatever registry
// npm is configured for, and run there. The archive holds what is built and nothing of how it is built.

import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findMarked } from '../../cli/demo/identity.ts';
import { killMarked } from '../../cli/demo/leftovers.ts';

const PACK_MS_MAX = 300_000;
/** What the archive may hold; everything else is a mistake. */
const WANTED = [
  /^(package\.json|LICENSE|(README|OPERATIONS|SECURITY|CHANGELOG)\.md)$/,
  /^cli\/bin\.js$/,
  /^dist\/([a-z-]+|parts\/[A-Za-z0-9_.-]+)\.mjs$/,
  /^dist\/licences\.txt$/,
  /^protocol\/tillwatch\.proto$/,
  /^deploy\/(README\.md|install\.sh|tillwatch-(agent|helper|helper-call|respawn|start))$/,
  /^deploy\/(systemd|examples)\/[a-z-]+@?\.(service|socket|yaml)$/,
];

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'tw-pack-')));
const home = join(folder, 'shop');
const unpacked = join(home, 'node_modules', 'tillwatch');
const mark = createHash('sha256').update(join(home, '.tillwatch')).digest('hex').slice(0, 16);

/** As outside of any npm script, whose settings would reach into ours; with this Node first. */
function plainEnvironment(): Record<string, string> {
  const inherited = Object.entries(process.env).filter(
    ([name]) =>
      !/^(npm_(package|lifecycle|config_local)_?|INIT_CWD$|TILLWATCH_|NO_COLOR)/.test(name),
  );
  const path = [dirname(process.execPath), process.env['PATH']].join(delimiter);
  return { ...Object.fromEntries(inherited), PATH: path } as Record<string, string>;
}

type Ran = { code: number | string | null; text: string };
const run = (cwd: string, program: string, ...argv: string[]): Promise<Ran> =>
  new Promise((done) => {
    const options = { cwd, env: plainEnvironment(), maxBuffer: 16 * 1024 * 1024 };
    execFile(program, argv, options, (error, out, err) => {
      done({ code: error === null ? 0 : (error.signal ?? error.code ?? null), text: out + err });
    });
  });
/** --no: never the package of that name in a registry. */
const tillwatch = (...argv: string[]): Promise<Ran> =>
  run(home, 'npx', '--no', '--', 'tillwatch', ...argv);

const filesOf = (root: string): string[] =>
  readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));

beforeAll(async () => {
  mkdirSync(home);
  const packed = await run(resolve('.'), 'npm', 'pack', '--pack-destination', folder);
  expect(packed.code, packed.text).toBe(0);
  const archive = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? '';
  writeFileSync(join(home, 'package.json'), '{ "name": "shop", "private": true }\n');
  const installed = await run(home, 'npm', 'install', '--no-audit', join(folder, archive));
  expect(installed.code, installed.text).toBe(0);
}, PACK_MS_MAX);
afterAll(async () => {
  await killMarked(mark);
  rmSync(folder, { recursive: true, force: true });
});

describe('the archive', () => {
  it('holds the built programs with their licences, and no source or test', () => {
    const files = filesOf(unpacked).filter((name) => !name.startsWith('node_modules/'));
    expect(files.filter((name) => !WANTED.some((wanted) => wanted.test(name)))).toEqual([]);
    for (const name of ['agent', 'broker', 'sale', 'sync', 'hardware', 'tillwatch']) {
      expect(files).toContain(`dist/${name}.mjs`);
    }
    for (const name of ['LICENSE', 'README.md', 'CHANGELOG.md', 'protocol/tillwatch.proto']) {
      expect(files).toContain(name);
    }
  });

  it('keeps what runs on a till small: one byte a character, and no WebAssembly', () => {
    for (const name of ['agent', 'sale', 'sync', 'hardware']) {
      const bytes = readFileSync(join(unpacked, 'dist', `${name}.mjs`));
      expect(bytes.every((byte) => byte < 0x80)).toBe(true);
      expect(bytes.includes('WebAssembly')).toBe(false);
    }
  });

  it('starts the agent of a till with the Node that came with it, as systemd would', async () => {
    const start = join(unpacked, 'deploy', 'tillwatch-agent');
    const { code, text } = await run(home, start);
    expect(text).toBe('agent: say which configuration: agent --config FILE\n');
    expect(code).toBe(64);
    const asked = await run(home, 'sh', '-x', start);
    expect(asked.text).toMatch(/exec \S*\/node\/bin\/node --/);
  });

  it('names no folder of the machine that packed it', () => {
    const here = [resolve('.'), `${dirname(resolve('.'))}/`].filter((path) => path.length > 2);
    const naming = filesOf(unpacked)
      .filter((name) => !name.startsWith('node_modules/'))
      .filter((name) => {
        const text = readFileSync(join(unpacked, name), 'utf8');
        return here.some((path) => text.includes(path));
      });
    expect(naming).toEqual([]);
  });

  it('tells the licence of every library that is inside', () => {
    const text = readFileSync(join(unpacked, 'dist', 'licences.txt'), 'utf8');
    for (const name of ['aedes', 'mqtt', 'fastify', 'valibot', 'winston', 'yaml', 'protobufjs']) {
      expect(text).toMatch(new RegExp(`^${name} \\d`, 'm'));
    }
    expect(text).toContain('Permission is hereby granted');
  });

  it('brings only what no bundle can hold', () => {
    const { dependencies } = JSON.parse(readFileSync(join(unpacked, 'package.json'), 'utf8'));
    expect(Object.keys(dependencies)).toEqual(['serialport']);
    for (const name of ['aedes', 'mqtt', 'fastify', 'commander', 'esbuild', 'vitest']) {
      expect([name, existsSync(join(home, 'node_modules', name))]).toEqual([name, false]);
    }
  });
});

describe('an installed package', () => {
  it('shows its help and checks a configuration', async () => {
    const help = await tillwatch('--help');
    expect(help.code, help.text).toBe(0);
    expect(help.text).toContain('Usage: tillwatch');
    writeFileSync(join(home, 'broker.yaml'), 'terminals: [{ id: lane-1, store: s }]\n');
    const good = await tillwatch('check-config', 'broker.yaml');
    // npm has words of its own for some people's settings.
    expect(good.text).toContain('ok: broker.yaml is a good broker configuration\n');
    expect(good.code).toBe(0);
    writeFileSync(join(home, 'agent.yaml'), 'terminal: Lane 1\ncomponents: []\n');
    expect((await tillwatch('check-config', 'agent.yaml')).code).toBe(64);
  });

  it('finds the library of serial ports, with its native part', async () => {
    const script = `import('serialport').then(({ SerialPort }) =>
      new SerialPort({ path: '/dev/none', baudRate: 9600, autoOpen: false }).open((error) =>
        console.log(error.message)))`;
    const { code, text } = await run(unpacked, process.execPath, '-e', script);
    expect(code, text).toBe(0);
    // The native part has asked the system.
    expect(text).toMatch(/No such file or directory/);
  });

  it('brings the demo up in the folder that it is called in, and leaves no process', async () => {
    const demo = ['--no', '--', 'tillwatch', 'demo', '--simulated', '0'];
    const options = { cwd: home, env: plainEnvironment(), detached: true };
    const child = spawn('npx', demo, options);
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data) => {
        text += data;
        // Its story is told whole elsewhere (demo.test.ts): here, that everything it needs was packed.
        if (String(data).includes('components run')) process.kill(-(child.pid ?? 0), 'SIGINT');
      });
    }
    await new Promise((done) => child.once('close', done));
    expect(text).toContain('and each cashier sells');
    expect(text).toContain('no process is left');
    expect(readdirSync(home)).toContain('.tillwatch');
    expect(readdirSync(unpacked)).not.toContain('.tillwatch');
    expect(findMarked(mark)).toEqual([]);
  });
});
