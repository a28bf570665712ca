// Signing in as people do it: the command line as a child, against a real broker, in plain text and through TLS.

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Broker, startBroker } from '../../broker/broker.ts';
import { loadConfig } from '../../broker/config.ts';
import { addFirstOperator } from '../../broker/operators/first.ts';
import { plainEnvironment } from '../real/plain-environment.ts';
import { Authority, type Closing, tlsServer } from '../real/tls-rig.ts';
import { must, quiet } from '../unit/fleet-rig.ts';

const folder = mkdtempSync(join(tmpdir(), 'tw-login-'));
const dataDir = join(folder, 'data');
let broker: Broker;
let token = '';

beforeAll(async () => {
  mkdirSync(dataDir, { mode: 0o700 });
  token = must(addFirstOperator(dataDir, 'root'));
  const terminals = 'terminals: [{ id: lane-1, store: s }]';
  const ports = 'mqtt: { port: 0 }\nhttp: { port: 0 }';
  const loaded = loadConfig(`dataDir: data\nplainText: true\n${ports}\n${terminals}\n`, folder);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  broker = must(await startBroker(loaded.config, { log: quiet }));
});
afterAll(async () => {
  await broker.stop();
  rmSync(folder, { recursive: true, force: true });
});

type Ran = { readonly code: number | null; readonly out: string; readonly err: string };
const homes = { count: 0 };
/** Somebody with a home folder of their own. */
function person() {
  homes.count += 1;
  const home = join(folder, `home-${homes.count}`);
  const cwd = join(home, 'work');
  mkdirSync(cwd, { recursive: true });
  const tillwatch = (argv: string[], input = '', env: Record<string, string> = {}): Promise<Ran> =>
    new Promise((done) => {
      const all = { ...plainEnvironment, HOME: home, ...env };
      const program = [resolve('cli/tillwatch.ts'), ...argv];
      const child = spawn(process.execPath, program, { cwd, env: all });
      const said = { out: '', err: '' };
      child.stdout.on('data', (chunk) => {
        said.out += chunk;
      });
      child.stderr.on('data', (chunk) => {
        said.err += chunk;
      });
      child.on('close', (code) => done({ code, ...said }));
      child.stdin.end(input);
    });
  return { tillwatch, contexts: join(home, '.config', 'tillwatch', 'contexts.json') };
}

describe('signing in from the command line', () => {
  it('lasts until one signs out; a stolen session is worth nothing then', async () => {
    const { tillwatch, contexts } = person();
    const { code, out, err } = await tillwatch(
      ['login', broker.url, '--as', 'root', '--context', 'north'],
      token,
    );
    expect([code, err]).toEqual([0, '']);
    expect(out).toBe(`signed in to ${broker.url} as root (admin); context north\n`);
    const kept = readFileSync(contexts, 'utf8');
    expect(kept).not.toContain(token);
    const stolen = (JSON.parse(kept) as { contexts: { north: { session: string } } }).contexts;
    const [fleet, listed] = await Promise.all([tillwatch(['fleet']), tillwatch(['contexts'])]);
    expect(fleet.out).toMatch(/^1 terminal:/);
    expect(listed.out).toMatch(/^\* north {2}http:\S+ {2}root {2}until \d\d:\d\d\n$/);
    expect((await tillwatch(['logout'])).out).toBe(`signed out of ${broker.url}\n`);
    const after = await tillwatch(['fleet']);
    expect(after.code).toBe(77);
    expect(after.err).toContain(`signed out (context north): tillwatch login ${broker.url}`);
    const thief = await tillwatch(['fleet'], '', {
      ...{ TILLWATCH_URL: broker.url, TILLWATCH_API_TOKEN: stolen.north.session },
    });
    expect([thief.code, thief.out]).toEqual([77, '']);
  });

  it('lets an admin let others in, who may do what their role says', async () => {
    const [root, kim] = [person(), person()];
    await root.tillwatch(['login', broker.url], token);
    const added = await root.tillwatch(['operators', 'add', 'kim', '--role', 'viewer']);
    expect(added.out).toMatch(/^two1\.kim\.[A-Za-z0-9_-]{43}\n$/);
    await kim.tillwatch(['login', broker.url], added.out);
    const refused = await kim.tillwatch(['operators', 'list']);
    expect([refused.code, refused.err]).toEqual([
      77,
      'tillwatch: this needs the role admin, and kim has the role viewer: ' +
        'ask somebody with the role admin\n',
    ]);
    await root.tillwatch(['operators', 'role', 'kim', 'admin']);
    expect((await kim.tillwatch(['operators', 'list'])).out).toMatch(/^kim {3}admin {3}signed in/);
    await root.tillwatch(['operators', 'disable', 'kim']);
    expect((await kim.tillwatch(['fleet'])).err).toContain('your session has ended');
  });

  it('refuses a wrong token, no token, and a broker that is not there', async () => {
    const { tillwatch } = person();
    const wrong = `two1.root.${'A'.repeat(43)}`;
    const answers = await Promise.all([
      tillwatch(['login', broker.url], wrong),
      tillwatch(['login', broker.url], ''),
      tillwatch(['login', broker.url, '--as', 'kim'], token),
      tillwatch(['login', 'http://192.0.2.1:8080'], token),
      tillwatch(['contexts', 'use', 'west']),
      tillwatch(['fleet', '--context', 'west']),
    ]);
    expect(answers.map(({ code }) => code)).toEqual([77, 64, 64, 64, 64, 64]);
    const text = answers.map(({ err }) => err).join('');
    expect(text).toContain('does not accept this token');
    expect(text).toContain('no token on standard input');
    expect(text).toContain('this is the token of root and not of kim');
    expect(text).toContain('a token goes over https only');
    expect(text).not.toContain('AAAA');
  });
});

describe('signing in through TLS', () => {
  let authority: Authority;
  let front: Closing;
  let url = '';
  const servers: Closing[] = [];
  const serve = async (by: Authority, names?: string[]) => {
    const to = Number(new URL(broker.url).port);
    const handle = (near: Socket): void => {
      const far = connect(to, '127.0.0.1');
      far.on('error', () => near.destroy());
      near.pipe(far).pipe(near);
    };
    const more = { requestCert: false, ALPNProtocols: ['http/1.1'] };
    const server = await tlsServer(by, await by.broker(names), handle, more);
    servers.push(server);
    return server;
  };
  beforeAll(async () => {
    authority = await Authority.make();
    front = await serve(authority);
    url = `https://127.0.0.1:${front.port}`;
  });
  afterAll(() => Promise.all(servers.map((server) => server.close())));

  it('keeps the authority whose fingerprint was given, and believes no other', async () => {
    const { tillwatch, contexts } = person();
    const { fingerprint } = authority;
    const login = ['login', url, '--authority', fingerprint.toUpperCase()];
    expect((await tillwatch(login, token)).out).toMatch(/^signed in to https/);
    expect((await tillwatch(['fleet'])).out).toMatch(/^1 terminal:/);
    // Somebody else on the same address: nothing is sent.
    const other = await serve(await Authority.make('a fleet'));
    const text = readFileSync(contexts, 'utf8').replaceAll(String(front.port), String(other.port));
    writeFileSync(contexts, text);
    const between = await tillwatch(['fleet', '--context', `127.0.0.1:${other.port}`]);
    expect(between.code).toBe(69);
    expect(between.err).toMatch(/not of the authority that was kept for it: nothing was sent/);
  });

  it('sends the token to nobody whose authority is not known', async () => {
    const { tillwatch } = person();
    const elsewhere = await serve(authority, ['broker.example']);
    const { port } = elsewhere;
    const answers = await Promise.all([
      tillwatch(['login', url], token),
      tillwatch(['login', url, '--authority', 'ab'.repeat(32)], token),
      tillwatch(['login', url, '--authority', 'abcd'], token),
      tillwatch(
        ['login', `https://127.0.0.1:${port}`, '--authority', authority.fingerprint],
        token,
      ),
      tillwatch(['fleet'], '', { TILLWATCH_URL: url, TILLWATCH_API_TOKEN: 'x' }),
    ]);
    expect(answers.map(({ code }) => code)).toEqual([77, 77, 64, 69, 69]);
    const [unknown, wrong, short, name, none] = answers.map(({ err }) => err);
    expect(unknown).toMatch(/say which it is, --authority FINGERPRINT/);
    expect(wrong).toMatch(/does not show the authority with this fingerprint/);
    expect(short).toMatch(/64 of 0-9/);
    expect(name).toMatch(/is for broker\.example and not for 127\.0\.0\.1/);
    expect(none).toMatch(/of no authority that this machine knows: sign in with/);
  });
});
