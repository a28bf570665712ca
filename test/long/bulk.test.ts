// Bulk actions and diagnoses as they are for real: a broker with TLS in a process of its own, four tills of two stores, and
// operators who type. What is judged is what the tills did, from the times that their components wrote down.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BulkView } from '../../broker/bulk/view.ts';
import { until } from '../real/front-rig.ts';
import { plainEnvironment } from '../real/plain-environment.ts';
import { type FleetRig, openFleetRig } from '../real/trust-rig.ts';

const AGENT = join(import.meta.dirname, '../../agent/main.ts');
const CLI = join(import.meta.dirname, '../../cli/tillwatch.ts');
const CARD = '4111111111111111';
const STORES = { 'a-1': 'store-a', 'a-2': 'store-a', 'b-1': 'store-b', 'b-2': 'store-b' };
const TILLS = Object.keys(STORES);
const PATIENCE_MS = 20_000;
/** Writes down when it goes and when it is there again; it takes its time, so that two at once would be seen. */
const SLOW = `say() { echo "$1 $(date +%s%N)" >> "$TIMES"; }
say up; trap 'say down; sleep 0.3; exit 0' TERM
echo "paid with ${CARD}" >&2
while :; do sleep 0.1 & wait; done`;
// Nothing but the stores themselves bounds a wave.
const SETTINGS = 'bulk: { firstWave: 4, fleetPercent: 100, failuresMin: 2 }\n';

let rig: FleetRig;
const agents: ChildProcess[] = [];
const folderOf = (terminal: string): string => join(rig.dir, terminal);
const timesOf = (terminal: string): string => join(folderOf(terminal), 'times');
const sessions: Record<string, string> = {};

async function startTill(terminal: string, store: string): Promise<void> {
  const identityDir = await rig.enrollFolder(terminal, store);
  mkdirSync(folderOf(terminal));
  const file = join(folderOf(terminal), 'agent.yaml');
  const config = {
    ...{ terminal, dataDir: 'data', runDir: 'run', onExit: 'stop', identityDir },
    broker: { addresses: [`mqtts://localhost:${rig.mqttPort}`] },
    bounds: { commands: ['restart', 'diagnose', 'trust'] },
    link: { reconnectMsMin: 50, reconnectMsMax: 300 },
    components: [
      {
        ...{ name: 'sale', version: '1.0.0', command: ['/bin/sh', '-c', SLOW], channel: false },
        env: { TIMES: timesOf(terminal), API_TOKEN: 'very-secret-word' },
        probes: [{ kind: 'exec', command: ['/bin/true'], everyMs: 60_000 }],
      },
    ],
  };
  writeFileSync(file, JSON.stringify(config));
  const stdio = ['ignore', 'ignore', 'inherit'] as const;
  agents.push(spawn(process.execPath, [AGENT, '--config', file], { stdio: [...stdio] }));
}

const word = /^(up|down) (\d+)$/;
/** @returns when its component was away, in ms; the last one may still be. */
function gapsOf(terminal: string): readonly (readonly [number, number])[] {
  const path = timesOf(terminal);
  const lines = existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
  const gaps: [number, number][] = [];
  for (const line of lines) {
    const [, what, ns] = word.exec(line) ?? [];
    const last = gaps.at(-1);
    if (what === 'down') gaps.push([Number(ns) / 1e6, Number.POSITIVE_INFINITY]);
    else if (last !== undefined) last[1] = Number(ns) / 1e6;
  }
  return gaps;
}
const restarts = (): number[] => TILLS.map((terminal) => gapsOf(terminal).length);
const isUp = (terminal: string): boolean =>
  existsSync(timesOf(terminal)) && (gapsOf(terminal).at(-1)?.[1] ?? 0) < Number.POSITIVE_INFINITY;

type Ran = { readonly code: number | string | null; readonly out: string; readonly err: string };
const tillwatch = (who: string, ...argv: string[]): Promise<Ran> =>
  new Promise((done) => {
    const env = {
      ...{ ...plainEnvironment, HOME: join(rig.dir, who), TILLWATCH_URL: rig.url },
      ...{ TILLWATCH_API_TOKEN: sessions[who], TILLWATCH_AUTHORITY: join(rig.dir, 'ca.pem') },
    };
    execFile(process.execPath, [CLI, ...argv], { cwd: rig.dir, env }, (error, out, err) => {
      done({ code: error === null ? 0 : (error.code ?? error.signal ?? null), out, err });
    }).stdin?.end();
  });
const viewOf = async (id: string): Promise<BulkView> =>
  (await rig.api(`bulk/${id}`)).body as unknown as BulkView;
const isThere = async (terminal: string): Promise<boolean> => {
  const { body } = await rig.api(`terminals/${terminal}`);
  return body['presence'] === 'online' && JSON.stringify(body['components']).includes('"sale"');
};
async function allThere(): Promise<void> {
  const untilMs = performance.now() + PATIENCE_MS;
  while (!(await Promise.all(TILLS.map(isThere))).every(Boolean)) {
    if (performance.now() > untilMs) throw new Error('not all tills came');
    await new Promise((done) => setTimeout(done, 100));
  }
}
const becomes = (id: string, state: string): Promise<void> =>
  expect
    .poll(async () => (await viewOf(id)).state, { timeout: PATIENCE_MS, interval: 100 })
    .toBe(state);
async function plan(kind: string, args: object, selector: object): Promise<BulkView> {
  const asked = { kind, arguments: args, selector, reason: 'a new version' };
  const { status, body } = await rig.api('bulk', asked);
  expect([status, body['detail']]).toEqual([201, undefined]);
  return body as unknown as BulkView;
}

beforeAll(async () => {
  rig = await openFleetRig({ settings: SETTINGS });
  writeFileSync(join(rig.dir, 'ca.pem'), rig.authorities.join('\n'));
  sessions['root'] = await rig.session();
  sessions['kim'] = await rig.operator('kim', 'oncall');
  await Promise.all(Object.entries(STORES).map(([terminal, store]) => startTill(terminal, store)));
  await allThere();
  await until('all components are up', () => TILLS.every(isUp), PATIENCE_MS);
}, 90_000);
afterAll(async () => {
  for (const agent of agents) {
    if (agent.exitCode !== null || agent.signalCode !== null) continue;
    const ended = once(agent, 'exit');
    agent.kill('SIGINT');
    await ended;
  }
  await rig.close();
});

test('a bulk over two stores: count and words, half a store at a time, once each over kill -9', async () => {
  const planned = await tillwatch(
    ...(['root', 'bulk', 'plan', 'restart', 'sale', '--all', '--json'] as const),
    ...['--reason', 'a new version'],
  );
  const view = JSON.parse(planned.out) as BulkView;
  expect(view).toMatchObject({ count: 4, stores: 2, wide: true, confirm: 'restart 4' });
  const start = (who: string, ...more: string[]): Promise<Ran> =>
    tillwatch(who, 'bulk', 'start', view.id, '--reason', 'as planned', ...more);
  const [wrongCount, unsaid, tooLow] = await Promise.all([
    start('root', '--count', '3', '--confirm', 'restart 4'),
    start('root', '--count', '4'),
    start('kim', '--count', '4', '--confirm', 'restart 4'),
  ]);
  expect(wrongCount.err).toContain('the list has 4 terminals, not 3');
  expect(unsaid.err).toContain('write "restart 4"');
  expect(tooLow.err).toContain('needs the role admin');
  expect([wrongCount.code, unsaid.code, tooLow.code]).not.toContain(0);
  expect(restarts()).toEqual([0, 0, 0, 0]);

  expect(await start('root', '--count', '4', '--confirm', 'restart 4')).toMatchObject({ code: 0 });
  await until('somebody is away', () => !TILLS.every(isUp), PATIENCE_MS);
  await rig.stop('SIGKILL');
  await rig.start();
  const told = await tillwatch('kim', 'fleet');
  expect(told.err).toMatch(/admin started restart of sale on 4 terminals of 2 stores: as planned/);
  await becomes(view.id, 'done');
  expect((await viewOf(view.id)).counts).toMatchObject({ succeeded: 4 });
  expect(restarts()).toEqual([1, 1, 1, 1]);
  for (const [one, other] of [
    ['a-1', 'a-2'],
    ['b-1', 'b-2'],
  ] as const) {
    const [[from1 = 0, to1 = 0] = [], [from2 = 0, to2 = 0] = []] = [
      gapsOf(one)[0],
      gapsOf(other)[0],
    ];
    expect(to1 <= from2 || to2 <= from1, `${one} and ${other} were away together`).toBe(true);
  }
  // Told once; and who started it is not told at all.
  expect((await tillwatch('kim', 'fleet')).err).not.toContain('started');
}, 60_000);

test('what was aborted begins nothing more, and says of each till what really happened', async () => {
  const before = restarts();
  const view = await plan('restart', { component: 'sale' }, { store: 'store-a' });
  const said = { count: 2, reason: 'as planned' };
  expect((await rig.api(`bulk/${view.id}/start`, said)).status).toBe(202);
  expect((await rig.api(`bulk/${view.id}/abort`, { reason: 'not now' })).status).toBe(202);
  // The first may have been on its way: then it is restarted, and the list must not deny it.
  const after = async () => {
    const { body } = await rig.api(`bulk/${view.id}/targets`);
    const targets = body['targets'] as { terminal: string; state: string }[];
    const done = targets.filter(({ state }) => state === 'succeeded').map((one) => one.terminal);
    const moved = TILLS.filter((terminal, at) => gapsOf(terminal).length > (before[at] ?? 0));
    return { done, moved };
  };
  await new Promise((done) => setTimeout(done, 1_500));
  await expect
    .poll(async () => (({ done, moved }) => `${done}` === `${moved}`)(await after()), {
      ...{ timeout: 5_000, interval: 100 },
    })
    .toBe(true);
  expect((await after()).moved.length).toBeLessThanOrEqual(1);
  expect((await viewOf(view.id)).state).toBe('aborted');
}, 30_000);

test('what the tills refuse stops by itself, and those who were not reached are left alone', async () => {
  const view = await plan('hold', { forMs: 60_000 }, { all: true });
  await rig.api(`bulk/${view.id}/start`, { count: 4, reason: 'floor works' });
  await becomes(view.id, 'paused');
  const { why, counts } = await viewOf(view.id);
  expect(why).toBe('2 of 2 failed, which is more than 10 %');
  expect(counts).toMatchObject({ failed: 2, waiting: 2 });
  expect((await tillwatch('kim', 'bulk', 'list')).err).toContain('stopped by itself');
  const abort = ['bulk', 'abort', view.id, '--reason', 'tills may not'];
  expect(await tillwatch('kim', ...abort)).toMatchObject({ code: 0 });
}, 30_000);

test('a diagnosis over TLS names every hop and the certificate, and tells no secret', async () => {
  const out = join(rig.dir, 'a-1.json');
  const ran = await tillwatch('kim', 'diagnose', 'a-1', '--reason', 'T-471', '--out', out);
  expect([ran.code, ran.err]).toEqual([0, '']);
  expect(statSync(out).mode & 0o777).toBe(0o600);
  const text = readFileSync(out, 'utf8');
  const { network, certificates, components } = JSON.parse(text);
  expect(components.sale).toMatchObject({ state: 'ready' });
  expect(network.hops).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ hop: 'name', to: 'localhost', ok: true }),
      expect.objectContaining({ hop: 'broker', to: `localhost:${rig.mqttPort}`, ok: true }),
      expect.objectContaining({
        hop: 'handshake',
        ok: true,
        reason: expect.stringMatching(/believed/),
      }),
    ]),
  );
  expect(certificates).toMatchObject({
    ...{ state: 'ready', store: 'store-a', own: { subject: 'CN=a-1', daysLeft: 89 } },
    authorities: [{ issuer: expect.stringContaining('Fleet authority') }],
  });
  const key = readFileSync(join(rig.dir, 'identity-a-1', 'key.pem'), 'utf8').split('\n')[1] ?? '';
  expect(key.length).toBeGreaterThan(40);
  for (const secret of [CARD, 'very-secret-word', 'PRIVATE KEY', key, sessions['kim'] ?? '']) {
    expect(text).not.toContain(secret);
  }
}, 30_000);
