// The first hour of somebody who sets up a fleet: the four commands of the README on an address that is no loopback, as a
// person types them, and then what the centre does with its first till: look, restart, lose the broker, take the till out.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { plainEnvironment } from '../real/plain-environment.ts';

const home = mkdtempSync(join(tmpdir(), 'tw-trust-'));
const children: ChildProcess[] = [];
const env = { ...plainEnvironment, HOME: home };
/** The machine's own address, where it has one. */
const address =
  Object.values(networkInterfaces())
    .flat()
    .find((one) => one?.family === 'IPv4' && !one.internal)?.address ?? '127.0.0.1';

type Ran = { readonly code: number | string | null; readonly out: string; readonly err: string };
const program = resolve('cli/tillwatch.ts');
const tillwatch = (...argv: string[]): Promise<Ran> =>
  new Promise((done) => {
    execFile(process.execPath, [program, ...argv], { cwd: home, env }, (error, out, err) => {
      done({ code: error === null ? 0 : (error.code ?? error.signal ?? null), out, err });
    }).stdin?.end();
  });

/** A program that stays; `input` is typed into it. */
function run(input: string, ...argv: string[]): { child: ChildProcess; said: () => string } {
  const child = spawn(process.execPath, [program, ...argv], { cwd: home, env });
  children.push(child);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk));
  child.stdin.end(input);
  return { child, said: () => said };
}

const freePort = (): Promise<number> =>
  new Promise((done) => {
    const server = createServer().listen(0, () => {
      const place = server.address();
      server.close(() => done(typeof place === 'object' && place !== null ? place.port : 0));
    });
  });

const broker = (): ReturnType<typeof run> => run('', 'broker', '--config', 'fleet/broker.yaml');
const PATIENCE = { timeout: 20_000, interval: 300 };
const isReady = (one: ReturnType<typeof run>): Promise<void> =>
  expect.poll(one.said, PATIENCE).toContain('broker ready');
const presence = async (): Promise<string> =>
  /^lane-1 .*?: (\w+)/.exec((await tillwatch('terminal', 'lane-1')).out)?.[1] ?? 'nobody';

afterAll(async () => {
  for (const child of children.reverse()) {
    const ended = new Promise((done) => child.once('close', done));
    if (child.exitCode === null && child.signalCode === null && child.kill('SIGINT')) await ended;
  }
  rmSync(home, { recursive: true, force: true });
});

it('four commands lead to the first enrolled terminal, which is then the centre’s', async () => {
  const [mqtt, http] = [await freePort(), await freePort()];
  const ports = ['--mqtt-port', `${mqtt}`, '--http-port', `${http}`];
  // 1
  const init = ['broker', 'init', '--config', 'fleet/broker.yaml', '--name', address, ...ports];
  expect(await tillwatch(...init)).toMatchObject({ code: 0, err: '' });
  // 2
  let centre = broker();
  await isReady(centre);
  // 3
  const enrolled = await tillwatch('enroll', '--store', 'berlin-mitte', '--terminal', 'lane-1');
  const token = /^twe1\.[\w-]+$/m.exec(enrolled.out)?.[0] ?? '';
  expect([enrolled.code, enrolled.err, token.length > 100]).toEqual([0, '', true]);
  // 4, with a component that knows nothing of us
  mkdirSync(join(home, 'till'));
  writeFileSync(
    join(home, 'till', 'agent.yaml'),
    `terminal: lane-1
dataDir: data
runDir: run
onExit: stop
link: { reconnectMsMin: 100, reconnectMsMax: 1000 }
sampling: { everyMs: 500, sendMs: 500 }
components:
  - name: sale
    command: [/bin/sleep, "1000"]
    channel: false
    probes: [{ kind: exec, command: [/bin/true] }]
`,
  );
  const till = run(`${token}\n`, 'agent', '--config', 'till/agent.yaml', '--enroll', '-');
  await expect.poll(presence, PATIENCE).toBe('online');
  expect((await tillwatch('fleet')).out).toMatch(/^lane-1 +berlin-mitte +online /m);
  const status = await tillwatch('status', '--config', 'till/agent.yaml');
  expect(status.out).toMatch(/^enrolled; its certificate is good for another \d\d days$/m);
  // Neither the token nor a key is left where others could read them.
  const identity = join(home, 'till', 'data', 'identity');
  expect(statSync(identity).mode & 0o777).toBe(0o700);
  expect(readFileSync(`/proc/${till.child.pid}/cmdline`, 'latin1')).not.toContain(token);
  expect(till.said() + centre.said()).not.toContain(token);

  const restarted = await tillwatch('restart', 'lane-1', 'sale', '--reason', 'trying it out');
  expect([restarted.code, restarted.out]).toEqual([0, expect.stringContaining('succeeded')]);
  expect((await tillwatch('reboot', 'lane-1', '--reason', 'trying it out')).code).not.toBe(0);

  centre.child.kill('SIGKILL');
  centre = broker();
  await isReady(centre);
  await expect.poll(presence, PATIENCE).toBe('online');
  expect((await tillwatch('enroll', '--store', 'x', '--terminal', 'lane-1')).code).not.toBe(0);

  // The key that signs commands is replaced under it, and nobody touches the till.
  const rotate = (...step: string[]): Promise<Ran> =>
    tillwatch('broker', 'rotate', 'command-key', ...step, '--config', 'fleet/broker.yaml');
  expect(await rotate()).toMatchObject({ code: 0, err: '' });
  for (const step of ['--switch', '--finish']) {
    // Refused until the till has what the step takes for granted.
    await expect.poll(async () => (await rotate(step)).err, PATIENCE).toBe('');
  }
  const probed = await tillwatch('probe', 'lane-1', 'sale', '--reason', 'with the new key');
  expect([probed.code, probed.out]).toEqual([0, expect.stringContaining('succeeded')]);

  const revoked = await tillwatch('terminal', 'revoke', 'lane-1', '--reason', 'it was stolen');
  expect([revoked.code, revoked.err]).toEqual([0, '']);
  await expect
    .poll(async () => (await tillwatch('terminal', 'lane-1')).out, PATIENCE)
    .toContain('revoked');
  const refused = await tillwatch('restart', 'lane-1', 'sale', '--reason', 'after that');
  expect([refused.code, refused.err]).not.toEqual([0, '']);
  expect(refused.err).toContain('revoked');

  const audit = await tillwatch('audit', 'verify');
  expect([audit.code, audit.err]).toEqual([0, '']);
  const told = (await tillwatch('audit', '--json')).out;
  for (const reason of ['trying it out', 'it was stolen']) expect(told).toContain(reason);
}, 120_000);
