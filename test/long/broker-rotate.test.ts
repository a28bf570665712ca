// `tillwatch broker init` killed at any moment and repeated, and `tillwatch broker rotate` beside a broker that runs:
// it shows the new authority's certificate without a restart, and after a kill -9 and a start it is still so.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { afterAll, expect, it } from 'vitest';
import { initBroker } from '../../broker/trust/init.ts';
import { readState } from '../../broker/trust/state.ts';
import { MAIN } from '../real/broker-rig.ts';
import { until } from '../real/front-rig.ts';

const folder = mkdtempSync(join(tmpdir(), 'tw-rotate-'));
const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** `init` signs in whoever ran it: not the person whose tests these are. */
const env = { ...process.env, HOME: folder, XDG_CONFIG_HOME: join(folder, 'config') };
const READY_MS_MAX = 45_000;
type Ran = { code: number | string | null; out: string; err: string };
const tillwatch = (...argv: string[]): Promise<Ran> =>
  new Promise((done) => {
    const file = resolve('cli/tillwatch.ts');
    execFile(process.execPath, [file, ...argv], { cwd: folder, env }, (error, out, err) => {
      done({ code: error === null ? 0 : (error.signal ?? error.code ?? null), out, err });
    });
  });

async function start(configFile: string, dataDir: string) {
  const facts = join(dataDir, 'broker.json');
  rmSync(facts, { force: true });
  const child = spawn(process.execPath, [MAIN, '--config', configFile], { stdio: 'ignore' });
  children.push(child);
  await until('a ready broker', () => existsSync(facts), READY_MS_MAX);
  const { httpPort } = JSON.parse(readFileSync(facts, 'utf8')) as { httpPort: number };
  return { child, httpPort };
}

/** What it shows, to somebody who believes only `authority`: '' when that one did not issue it. */
async function shownBy(port: number, authority: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: authority });
  const shown = new Promise<string>((done) => {
    socket.once('secureConnect', () => done(socket.getPeerX509Certificate()?.issuer ?? ''));
    socket.once('error', () => done(''));
  });
  return await shown.finally(() => socket.destroy());
}

it('is rotated while it runs, step by step, and stays so over a kill', async () => {
  const [dataDir, keysDir] = [join(folder, 'data'), join(folder, 'keys')];
  const configFile = join(folder, 'broker.yaml');
  const places = { configFile, dataDir, keysDir, mqttPort: 0, httpPort: 0 };
  const made = await initBroker({ ...places, host: '127.0.0.1', names: ['localhost'] });
  expect(made).toMatchObject({ ok: true });
  const authority = (n: number): string =>
    readFileSync(join(keysDir, `authority-${n}.pem`), 'utf8');
  const first = authority(1);
  const running = await start(configFile, dataDir);
  expect(await shownBy(running.httpPort, first)).not.toBe('');
  const rotate = (...step: string[]) =>
    tillwatch('broker', 'rotate', 'authority', ...step, '--config', configFile);
  const next = /then: (tillwatch broker rotate authority --\w+ --config .*)\n$/;
  const begun = await rotate();
  expect(begun.out).toMatch(/every terminal is ready/);
  const second = authority(2);
  // As it is printed, so it is typed.
  const typed = next.exec(begun.out)?.[1]?.split(' ').slice(1) ?? [];
  expect((await tillwatch(...typed)).out).toMatch(
    /the new one is used, the old one still believed/,
  );
  let shown = '';
  for (let asked = 0; shown === '' && asked < 100; asked += 1) {
    await sleep(200);
    shown = await shownBy(running.httpPort, second);
  }
  expect(shown).not.toBe('');
  expect(await shownBy(running.httpPort, first)).toBe('');
  running.child.kill('SIGKILL');
  await once(running.child, 'exit');
  expect((await rotate('--finish')).out).toMatch(/no rotation is under way\n$/);
  const again = await start(configFile, dataDir);
  expect(await shownBy(again.httpPort, second)).toBe(new X509Certificate(second).subject);
  expect(existsSync(join(keysDir, 'authority-1.key'))).toBe(false);
});

it('is made by what is built, as by the source', async () => {
  const place = join(folder, 'built');
  const init = ['broker', 'init', '--name', 'localhost', '--config', join(place, 'broker.yaml')];
  const ran = spawn(process.execPath, [resolve('dist/tillwatch.mjs'), ...init], {
    ...{ env, stdio: 'ignore' },
  });
  const [code] = await once(ran, 'exit');
  expect([code, existsSync(join(place, 'keys/authority-1.pem'))]).toEqual([0, true]);
});

const LANDMARKS = ['keys/authority-1.key', 'keys/command-1.key', 'keys/trust.json', 'data'];
it.each(LANDMARKS)('is made by a repeated init when the first was killed at %s', async (mark) => {
  const place = mkdtempSync(join(folder, 'cut-'));
  const init = ['broker', 'init', '--name', 'localhost', '--config', join(place, 'broker.yaml')];
  const child = spawn(process.execPath, [resolve('cli/tillwatch.ts'), ...init], {
    ...{ env, stdio: 'ignore' },
  });
  const exit = once(child, 'exit');
  const look = setInterval(() => void (existsSync(join(place, mark)) && child.kill('SIGKILL')), 1);
  await exit;
  clearInterval(look);
  const { code, out, err } = await tillwatch(...init);
  const repeated = code === 0 && /^two1\.admin\./m.test(out);
  // Killed after its last deed: then there is nothing left to do.
  const isWhole = code === 1 && err.includes('is there already');
  expect([repeated || isWhole, err]).toEqual([true, err]);
  expect(readState(join(place, 'keys')).ok).toBe(true);
});
