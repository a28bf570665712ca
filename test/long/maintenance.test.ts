// A real broker and a real till in maintenance: what hangs is seen and told and nothing is killed, the series that mutes
// alerts is 1 and the view says who; the till forgets it with a reboot and is told again; it ends by itself, and then
// the till heals what hangs.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { MaintenanceListed } from '../../broker/maintenance/room.ts';
import type { TerminalView } from '../../cli/client.ts';
import { FAULT, isAlive } from '../real/agent-rig.ts';
import { type FleetRig, openFleetRig } from '../real/trust-rig.ts';

const MAIN = join(import.meta.dirname, '../../agent/main.ts');
const LASTS_MS = 11_000;
let rig: FleetRig;
let agent: ChildProcess | undefined;

async function until<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
  const untilMs = performance.now() + 45_000;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > untilMs) throw new Error(`never happened: ${what}`);
    await sleep(100);
  }
}

beforeAll(async () => {
  rig = await openFleetRig();
}, 60_000);
afterAll(async () => {
  if (agent !== undefined && agent.exitCode === null && agent.signalCode === null) {
    const ended = once(agent, 'exit');
    agent.kill('SIGINT');
    await ended;
  }
  await rig?.close();
});

const folder = (): string => join(rig.dir, 'lane-1');
function start(...how: string[]): void {
  agent = spawn(process.execPath, [MAIN, '--config', join(folder(), 'agent.yaml'), ...how], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}
const view = async (): Promise<TerminalView> =>
  (await rig.api('terminals/lane-1')).body as unknown as TerminalView;
const sale = async () => (await view()).components?.find(({ name }) => name === 'sale');
const running = async (): Promise<MaintenanceListed | undefined> => {
  const { body } = await rig.api('maintenance');
  const [first] = body['maintenances'] as MaintenanceListed[];
  return first;
};
const muted = async (): Promise<string | undefined> => {
  const { body } = await rig.ask('/metrics/terminals', { session: await rig.session() });
  const text = String(body['text']);
  return /^pos_terminal_maintenance\{[^}]*terminal="lane-1"[^}]*\} (\d)/m.exec(text)?.[1];
};

it('observes and does not act while a maintenance runs, and heals when it ends by itself', async () => {
  mkdirSync(folder(), { recursive: true });
  const config = {
    ...{ terminal: 'lane-1', dataDir: 'data', runDir: 'run', onExit: 'stop' },
    ...{ broker: { addresses: [`mqtts://localhost:${rig.mqttPort}`] } },
    link: { reconnectMsMin: 50, reconnectMsMax: 500 },
    components: [{ name: 'sale', version: '1.0.0', command: [process.execPath, FAULT] }],
  };
  writeFileSync(join(folder(), 'agent.yaml'), JSON.stringify(config));
  start('--enroll', await rig.token('lane-1', 's-1'));
  const pid = await until('the sale is ready', async () => {
    const now = await sale();
    return now?.state === 'ready' && now.pid;
  });
  expect(await muted()).toBe('0');

  const wish = { store: 's-1', forMs: LASTS_MS, reason: 'floor works' };
  const began = performance.now();
  expect((await rig.api('maintenance', wish)).status).toBe(201);
  await until('the till holds', async () => (await running())?.held === 1);
  // As a reboot leaves it: the file lies on tmpfs.
  const file = join(folder(), 'run', 'hold.json.maintenance');
  expect(existsSync(file)).toBe(true);
  const killed = agent && once(agent, 'exit');
  agent?.kill('SIGKILL');
  await killed;
  rmSync(file);
  start();
  await until('it is told again', async () => existsSync(file));
  await until('the till holds again', async () => (await running())?.held === 1);

  process.kill(pid, 'SIGSTOP');
  const told = await until('it says what it would have done', async () => {
    const { body } = await rig.api('events?kind=recovery_suppressed');
    return (body['events'] as { fields: Record<string, unknown> }[]).at(0)?.fields;
  });
  expect(told).toMatchObject({ rung: 'restart', reason: expect.stringContaining('stopped') });
  expect([isAlive(pid), (await sale())?.pid]).toEqual([true, pid]);
  expect(await muted()).toBe('1');
  expect(await rig.metric('pos_terminals_in_maintenance{presence="online"}')).toBe(1);
  const seen = await view();
  expect(seen.maintenance).toMatchObject({ scope: 'store', reason: 'floor works' });
  expect(seen.held).toMatchObject({ by: 'broker' });
  expect(performance.now() - began).toBeLessThan(LASTS_MS);

  await until('it is over', async () => (await running())?.ended?.why === 'its time is over');
  expect(performance.now() - began).toBeGreaterThanOrEqual(LASTS_MS);
  await until('the till heals', async () => {
    const now = await sale();
    return now?.state === 'ready' && now.pid !== undefined && now.pid !== pid;
  });
  expect(isAlive(pid)).toBe(false);
  expect([await muted(), (await view()).maintenance]).toEqual(['0', undefined]);
  expect(readFileSync(join(folder(), 'data', 'agent.log'), 'utf8')).toContain('no longer held');
}, 90_000);
