// The command line as people start it: by its launcher, on whatever Node the machine has, in a folder of
// their own. The broker is a stand-in that answers as the real one promises to.

import { execFile, execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { plainEnvironment } from './plain-environment.ts';

const folder = mkdtempSync(join(tmpdir(), 'tw-cli-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

type Ran = { code: number | string | null; out: string; err: string };
const run = (program: string, argv: string[], env: Record<string, string> = {}): Promise<Ran> =>
  new Promise((done) => {
    const options = { cwd: folder, env: { ...plainEnvironment, ...env } };
    execFile(program, argv, options, (error, out, err) => {
      const code = error === null ? 0 : (error.signal ?? error.code ?? null);
      done({ code, out, err });
    });
  });
const tillwatch = (argv: string[], env: Record<string, string> = {}): Promise<Ran> =>
  run(process.execPath, [resolve('cli/tillwatch.ts'), ...argv], env);

/** A Node on this machine that is too old for us, as many machines have. */
function findOldNode(): string | undefined {
  for (const place of (process.env['PATH'] ?? '').split(delimiter)) {
    const candidate = join(place, 'node');
    if (!existsSync(candidate)) continue;
    const version = execFileSync(candidate, ['--version'], { encoding: 'utf8' });
    if (Number(/^v(\d+)/.exec(version)?.[1]) < 24) return candidate;
  }
  return undefined;
}
const oldNode = findOldNode();
const why = oldNode === undefined ? ' (skipped: no Node before 24 in the PATH)' : '';

describe('the launcher', () => {
  const launcher = resolve('cli/bin.js');

  it('runs on a Node that is new enough', async () => {
    const { code, out } = await run(process.execPath, [launcher, '--version']);
    expect([code, out]).toEqual([0, '0.1.0\n']);
  });

  it.skipIf(oldNode === undefined)(
    `finds the package node when it is started by an older Node${why}`,
    async () => {
      const { code, out } = await run(oldNode ?? '', [launcher, 'fleet', '--help']);
      expect(code).toBe(0);
      expect(out).toContain('tillwatch fleet');
    },
  );

  it.skipIf(oldNode === undefined)(
    `says in one sentence what is missing without any, with exit 69${why}`,
    async () => {
      mkdirSync(join(folder, 'alone', 'cli'), { recursive: true });
      cpSync(launcher, join(folder, 'alone', 'cli', 'bin.js'));
      writeFileSync(join(folder, 'alone', 'package.json'), '{"type":"module"}');
      const { code, err } = await run(oldNode ?? '', [join(folder, 'alone', 'cli', 'bin.js')]);
      expect(code).toBe(69);
      expect(err).toMatch(/^tillwatch: this needs Node >= 24\.12 and this is v.*\n$/);
    },
  );

  it('says what is missing when there is no program beside it', async () => {
    mkdirSync(join(folder, 'empty', 'cli'), { recursive: true });
    cpSync(launcher, join(folder, 'empty', 'cli', 'bin.js'));
    writeFileSync(join(folder, 'empty', 'package.json'), '{"type":"module"}');
    const { code, err } = await run(process.execPath, [join(folder, 'empty', 'cli', 'bin.js')]);
    expect(code).toBe(69);
    expect(err).toMatch(/^tillwatch: dist\/tillwatch\.mjs is not here: .*\n$/);
  });

  it('passes arguments, exit codes, signals and a death by signal', async () => {
    const home = join(folder, 'packed');
    mkdirSync(join(home, 'cli'), { recursive: true });
    mkdirSync(join(home, 'dist'), { recursive: true });
    cpSync(launcher, join(home, 'cli', 'bin.js'));
    chmodSync(join(home, 'cli', 'bin.js'), 0o755);
    writeFileSync(join(home, 'package.json'), '{"type":"module"}');
    writeFileSync(
      join(home, 'dist', 'tillwatch.mjs'),
      `const [what] = process.argv.slice(2);
       if (what === 'exit') process.exit(77);
       process.on('SIGTERM', () => { console.log('asked to end'); process.exit(5); });
       setInterval(() => {}, 1000);
       console.log('ready');`,
    );
    symlinkSync(join(home, 'cli', 'bin.js'), join(folder, 'tillwatch'));
    const launch = (...argv: string[]) =>
      spawn(process.execPath, [join(folder, 'tillwatch'), ...argv], { stdio: 'pipe' });
    const ended = (child: ReturnType<typeof launch>) =>
      new Promise((done) => child.once('exit', (code, signal) => done([code, signal])));
    expect(await ended(launch('exit'))).toEqual([77, null]);

    const asked = launch('wait');
    let out = '';
    asked.stdout.on('data', (text) => {
      out += String(text);
      if (String(text).includes('ready')) asked.kill('SIGTERM');
    });
    expect(await ended(asked)).toEqual([5, null]);
    expect(out).toContain('asked to end');

    const hit = launch('wait');
    hit.stdout.once('data', () => hit.kill('SIGHUP'));
    expect(await ended(hit)).toEqual([null, 'SIGHUP']);
  });
});

describe('check-config', () => {
  const agent = (more: string) =>
    file(
      'agent.yaml',
      `terminal: lane-1
dataDir: data
runDir: run
trust: { commandKeys: [] }
components:
  - { name: sale, command: [node, sale.mjs]${more} }
`,
    );

  it('says ok to a good file of either kind', async () => {
    const good = await tillwatch(['check-config', agent('')]);
    expect([good.code, good.out]).toEqual([
      0,
      `ok: ${folder}/agent.yaml is a good agent configuration\n`,
    ]);
    const broker = file(
      'broker.yaml',
      'plainText: true\nhttp: { port: 0 }\nterminals: [{ id: lane-1, store: s }]\n',
    );
    const { code, out } = await tillwatch(['check-config', broker]);
    expect([code, out]).toEqual([0, `ok: ${broker} is a good broker configuration\n`]);
  });

  it('lists every problem with its path and ends with 64', async () => {
    const { code, out, err } = await tillwatch([
      'check-config',
      agent(', beatMs: soon, restart: maybe, colour: red'),
    ]);
    expect(code).toBe(64);
    for (const path of ['beatMs', 'restart', 'colour']) {
      expect(out).toMatch(new RegExp(`^components\\[0\\]\\.${path}: `, 'm'));
    }
    expect(err).toMatch(/^tillwatch: .*agent\.yaml has 3 problems\n$/);
  });

  it('tells the same as JSON', async () => {
    const broker = file('bad-broker.yaml', 'plainText: true\nmqtt: { host: 0.0.0.0 }\n');
    const { code, out } = await tillwatch(['check-config', broker, '--json']);
    expect(code).toBe(64);
    const [only, ...more] = JSON.parse(out).problems as { path: string }[];
    expect([only?.path, more]).toEqual(['mqtt.host', []]);
  });

  it.each([
    ['half.yaml', 'terminal: [', /not valid YAML/],
    ['other.yaml', 'colour: red\n', /neither an agent’s configuration/],
  ])('has a clear answer to %s', async (name, text, answer) => {
    const { code, out } = await tillwatch(['check-config', file(name, text)]);
    expect(code).toBe(64);
    expect(out).toMatch(answer);
  });

  it('says that a file cannot be read', async () => {
    const { code, err } = await tillwatch(['check-config', join(folder, 'none.yaml')]);
    expect([code, err]).toEqual([64, `tillwatch: ${folder}/none.yaml cannot be read (ENOENT)\n`]);
  });
});

describe('a verb that asks the broker', () => {
  let server: Server;
  let url: string;
  beforeAll(async () => {
    server = createServer((request, response) => {
      if (request.url?.startsWith('/plain') || request.headers.authorization === 'Bearer odd') {
        response.writeHead(200).end('<html>hello</html>');
        return;
      }
      if (request.headers.authorization === 'Bearer other') {
        response.writeHead(200).end(JSON.stringify({ status: 'up' }));
        return;
      }
      if (request.headers.authorization !== 'Bearer right') {
        const problem = { type: 'about:blank', title: 'Unauthorized', status: 401 };
        response.writeHead(401).end(JSON.stringify(problem));
        return;
      }
      if (request.url === '/api/v1/terminals/gone-1') {
        response.writeHead(404).end(JSON.stringify({ status: 404, detail: 'no terminal gone-1' }));
        return;
      }
      const body = request.url?.endsWith('/fleet')
        ? {
            terminals: { total: 1, never: 1, online: 0, late: 0, lost: 0 },
            versions: [],
            states: [],
            restarts: [],
          }
        : { terminals: [] };
      response.writeHead(200).end(JSON.stringify(body));
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => new Promise((done) => server.close(done)));
  const ask = (token: string, ...argv: string[]) =>
    tillwatch(argv, { TILLWATCH_URL: url, TILLWATCH_API_TOKEN: token });

  it('shows what it answers', async () => {
    const { code, out } = await ask('right', 'fleet');
    expect(code).toBe(0);
    expect(out).toMatch(/^1 terminal: 0 online, 0 late, 0 lost, 1 never reported\n/);
    const json = await ask('right', 'fleet', '--json');
    expect(JSON.parse(json.out).fleet.terminals.total).toBe(1);
  });

  it('ends with 77 and says where the token stands when it is wrong or missing', async () => {
    for (const token of ['wrong', '']) {
      const { code, out, err } = await ask(token, 'fleet');
      expect([code, out]).toEqual([77, '']);
      expect(err).toMatch(/does not accept the token: set TILLWATCH_API_TOKEN/);
    }
  });

  it('ends with 69, the address and what to do when nothing answers', async () => {
    const free = createServer();
    await new Promise<void>((done) => free.listen(0, '127.0.0.1', done));
    const { port } = free.address() as AddressInfo;
    await new Promise((done) => free.close(done));
    const { code, err } = await tillwatch(['terminal', 'lane-1'], {
      TILLWATCH_URL: `http://127.0.0.1:${port}`,
    });
    expect(code).toBe(69);
    expect(err).toContain(`the broker at http://127.0.0.1:${port} does not answer`);
    expect(err).toContain('connection refused');
    expect(err).toContain('TILLWATCH_URL');
  });

  it('ends with 69 when something else answers there', async () => {
    for (const argv of [['fleet'], ['terminal', 'lane-1']]) {
      for (const token of ['odd', 'other']) {
        const { code, err } = await ask(token, ...argv);
        expect(err).toContain('is not a Tillwatch broker');
        expect(code).toBe(69);
      }
    }
  });

  it('ends with 1 and the broker’s own words for an unknown terminal', async () => {
    const { code, err } = await ask('right', 'terminal', 'gone-1');
    expect([code, err]).toEqual([1, 'tillwatch: no terminal gone-1\n']);
  });

  it('does not fail when the reader of its output leaves', async () => {
    const command = `"${process.execPath}" "${resolve('cli/tillwatch.ts')}" fleet | head -n 1`;
    const { code, err } = await run('/bin/sh', ['-c', command], {
      TILLWATCH_URL: url,
      TILLWATCH_API_TOKEN: 'right',
    });
    expect([code, err]).toEqual([0, '']);
  });
});
