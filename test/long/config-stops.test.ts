// Acceptance: a configuration that breaks readiness on the first wave stops there; those tills are back on the last good
// one by themselves within its deadline, and nothing else was touched. A broker with TLS, four real agents of two
// stores, and somebody who types.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { VersionView } from '../../cli/configurations/words.ts';
import { plainEnvironment } from '../real/plain-environment.ts';
import { type FleetRig, openFleetRig } from '../real/trust-rig.ts';

const AGENT = join(import.meta.dirname, '../../agent/main.ts');
const CLI = join(import.meta.dirname, '../../cli/tillwatch.ts');
const STORES = { 'a-1': 'store-a', 'a-2': 'store-a', 'b-1': 'store-b', 'b-2': 'store-b' };
const TILLS = Object.keys(STORES);
const COMPONENTS = ['printer', 'sale'] as const;
const PATIENCE_MS = 60_000;
/** One till of each store is tried first; two that fail stop it. */
const SETTINGS = 'bulk: { firstWave: 2, fleetPercent: 100, failuresMin: 2 }\n';
const READY = '10s';

let rig: FleetRig;
const agents: ChildProcess[] = [];
const folderOf = (terminal: string): string => join(rig.dir, terminal);
/** A component that says which process it is and lives on, or one that does not. */
const component = (name: string, script = 'while :; do sleep 1 & wait; done') => ({
  ...{ name, channel: false, start: { timeoutMs: 2_000 } },
  command: ['/bin/sh', '-c', `echo $$ > "$TILLWATCH_TERMINAL-${name}.pid"; ${script}`],
  probes: [{ kind: 'exec', command: ['/bin/true'], everyMs: 1_000 }],
});
const pidOf = (terminal: string, name: string): number => {
  const file = join(folderOf(terminal), `${terminal}-${name}.pid`);
  return existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
};
const pids = (): Record<string, number> =>
  Object.fromEntries(
    TILLS.flatMap((till) => COMPONENTS.map((name) => [`${till} ${name}`, pidOf(till, name)])),
  );
const lives = (pid: number): boolean => pid > 0 && existsSync(`/proc/${pid}`);

async function startTill(terminal: string, store: string): Promise<void> {
  const identityDir = await rig.enrollFolder(terminal, store);
  mkdirSync(folderOf(terminal));
  const file = join(folderOf(terminal), 'agent.yaml');
  const config = {
    ...{ terminal, dataDir: 'data', runDir: 'run', onExit: 'stop', identityDir },
    broker: { addresses: [`mqtts://localhost:${rig.mqttPort}`] },
    link: { reconnectMsMin: 50, reconnectMsMax: 300 },
    components: COMPONENTS.map((name) => component(name)),
  };
  writeFileSync(file, JSON.stringify(config));
  const stdio = ['ignore', 'ignore', 'inherit'] as const;
  agents.push(spawn(process.execPath, [AGENT, '--config', file], { stdio: [...stdio] }));
}

type Ran = { readonly code: number | string | null; readonly out: string; readonly err: string };
const tillwatch = async (...argv: string[]): Promise<Ran> => {
  const env = {
    ...{ ...plainEnvironment, HOME: rig.dir, TILLWATCH_URL: rig.url },
    ...{ TILLWATCH_API_TOKEN: await rig.session() },
    TILLWATCH_AUTHORITY: join(rig.dir, 'ca.pem'),
  };
  return await new Promise((done) => {
    execFile(process.execPath, [CLI, ...argv], { cwd: rig.dir, env }, (error, out, err) => {
      done({ code: error === null ? 0 : (error.code ?? error.signal ?? null), out, err });
    }).stdin?.end();
  });
};
const terminal = async (id: string) => (await rig.api(`terminals/${id}`)).body;
/** @param state own: without a document; kept: on one that it keeps. */
const isReady = async (id: string, state: 'own' | 'kept'): Promise<boolean> => {
  const { components, configuration } = (await terminal(id)) as {
    components: { state: string }[];
    configuration?: { state: string };
  };
  const states = components.map(({ state }) => state);
  return states.join() === 'ready,ready' && configuration?.state === state;
};
async function allReady(ids: readonly string[], state: 'own' | 'kept'): Promise<void> {
  const untilMs = performance.now() + PATIENCE_MS;
  while (!(await Promise.all(ids.map((id) => isReady(id, state)))).every(Boolean)) {
    if (performance.now() > untilMs) throw new Error(`${ids.join()} are not ready`);
    await new Promise((done) => setTimeout(done, 100));
  }
}

beforeAll(async () => {
  rig = await openFleetRig({ settings: SETTINGS });
  writeFileSync(join(rig.dir, 'ca.pem'), rig.authorities.join('\n'));
  await Promise.all(Object.entries(STORES).map(([id, store]) => startTill(id, store)));
  await allReady(TILLS, 'own');
}, 120_000);
afterAll(async () => {
  for (const agent of agents) {
    if (agent.exitCode !== null || agent.signalCode !== null) continue;
    const ended = once(agent, 'exit');
    agent.kill('SIGINT');
    await ended;
  }
  await rig?.close();
});

test('what breaks on the first wave stops there, and those tills are back by themselves', async () => {
  const before = pids();
  const agentsBefore = agents.map(({ pid }) => pid);
  const apply = (file: string, ...more: string[]) =>
    tillwatch('config', 'apply', 'base', file, '--reason', 'a new sale', ...more);
  const components = COMPONENTS.map((name) => component(name));
  writeFileSync(join(rig.dir, 'good.yaml'), stringify({ mode: 'act', components }));
  const go = ['--count', '4', '--wait', '--ready', READY];
  const good = await apply('good.yaml', '--all', ...go);
  expect(good.code, good.err).toBe(0);
  expect(good.out).toContain('version 1 of base is released: 4 succeeded, 0 failed');
  // The same components under another text: nobody is restarted for it.
  expect(pids()).toEqual(before);
  const bad = { components: [component('printer'), component('sale', 'sleep 0.2; exit 1')] };
  writeFileSync(join(rig.dir, 'bad.yaml'), stringify(bad));
  const shown = await apply('bad.yaml');
  expect(shown.code, shown.err).toBe(0);
  expect(shown.out).toContain('run it again with --count 4');
  expect(pids()).toEqual(before);

  const startedMs = performance.now();
  const ran = await apply('bad.yaml', ...go);
  expect(ran.err).toMatch(/version 2 of base was stopped: 2 of 2 failed/);
  expect(ran.code).toBe(1);
  expect(ran.out).toMatch(/tillwatch bulk resume \S+ --reason/);

  const { versions } = (await rig.api('configurations/base/versions')).body as {
    versions: readonly VersionView[];
  };
  expect(versions).toMatchObject([{ state: 'stopped', paused: true }, { state: 'released' }]);
  expect(versions[0]?.counts).toMatchObject({ failed: 2, waiting: 2, succeeded: 0 });
  const bulk = versions[0]?.bulk ?? '';
  const { targets } = (await rig.api(`bulk/${bulk}/targets`)).body as {
    targets: readonly { terminal: string; store: string; state: string }[];
  };
  const tried = targets.filter(({ state }) => state === 'failed');
  expect(new Set(tried.map(({ store }) => store)).size).toBe(2);
  // Back within the deadline, with what a slow machine takes to say so.
  expect(performance.now() - startedMs).toBeLessThan(PATIENCE_MS);
  const triedIds = tried.map((one) => one.terminal);
  await allReady(triedIds, 'kept');

  const after = pids();
  for (const [key, pid] of Object.entries(before)) {
    const [id = '', name] = key.split(' ');
    const isTouched = triedIds.includes(id) && name === 'sale';
    if (isTouched) expect(after[key], key).not.toBe(pid);
    else expect(after[key], key).toBe(pid);
    expect(lives(after[key] ?? 0), key).toBe(true);
  }
  expect(agents.map(({ pid, exitCode }) => [pid, exitCode])).toEqual(
    agentsBefore.map((pid) => [pid, null]),
  );
  const page = await tillwatch('terminal', triedIds[0] ?? '');
  expect(page.out).toContain('runs configuration base version 1 (');
  const show = await tillwatch('config', 'show', 'base');
  expect(show.out).toMatch(
    /released: version 1, .*\nstopped: version 2, [\s\S]*4 terminals meant: 4 run it\n$/,
  );
}, 120_000);
