// Somebody on the store's line who has everything but a key of the fleet: bytes are changed, repeated, dropped, invented
// and held back in both directions between a real agent and a real broker. All that is left to him is delay: whatever the
// till said arrives once when he is gone, and an operator's commands run once each, if they run at all.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FleetRig, openFleetRig } from '../real/trust-rig.ts';
import { createDice } from './fuzz/mutate.ts';

const HOSTILE_MS = 12_000;
const COMMANDS = 6;
/** In turn, so that each is done. */
const DEEDS = ['changed', 'repeated', 'dropped', 'invented'] as const;
const dice = createDice(Number(process.env['TILLWATCH_SEED'] ?? 7));
let rig: FleetRig;
let server: Server;
let agent: ChildProcess;
let port = 0;
let isHostile = true;
/** What was done to the line, by kind. */
const done: Record<string, number> = {};

/** What comes out of a chunk that goes through his hands. Mostly the chunk, or nobody would ever connect. */
function mangle(chunk: Buffer): readonly Buffer[] {
  if (!isHostile || dice.pick(100) < 88) return [chunk];
  const deed =
    DEEDS[Object.values(done).reduce((sum, n) => sum + n, 0) % DEEDS.length] ?? 'dropped';
  done[deed] = (done[deed] ?? 0) + 1;
  if (deed === 'repeated') return [chunk, chunk];
  if (deed === 'dropped') return [];
  if (deed === 'invented') return [chunk, Buffer.from(chunk).reverse()];
  const copy = Buffer.from(chunk);
  const at = dice.pick(copy.length);
  copy[at] = (copy[at] ?? 0) ^ (1 << dice.pick(8));
  return [copy];
}

function relay(from: Socket, to: Socket): void {
  let free = Promise.resolve();
  from.on('data', (chunk) => {
    const waitMs = isHostile ? dice.pick(30) : 0;
    free = free
      .then(() => new Promise((next) => setTimeout(next, waitMs)))
      .then(() => {
        for (const piece of mangle(chunk)) if (to.writable) to.write(piece);
      });
  });
  from.on('error', () => to.destroy());
  from.on('close', () => to.destroy());
}

beforeAll(async () => {
  rig = await openFleetRig({});
  server = createServer((socket) => {
    const far = connect(rig.mqttPort, '127.0.0.1');
    relay(socket, far);
    relay(far, socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const place = server.address();
  port = typeof place === 'object' && place !== null ? place.port : 0;
  const folder = join(rig.dir, 'till');
  mkdirSync(folder);
  const config = {
    ...{ terminal: 'lane-1', dataDir: 'data', runDir: 'run', onExit: 'stop' },
    broker: { addresses: [`mqtts://localhost:${port}`] },
    link: { reconnectMsMin: 50, reconnectMsMax: 300 },
    sampling: { everyMs: 250, sendMs: 500 },
    bounds: { restartsPerHour: 100 },
    components: [{ name: 'idler', command: ['sleep', '1000'], channel: false }],
  };
  const file = join(folder, 'agent.yaml');
  writeFileSync(file, JSON.stringify(config));
  const main = join(import.meta.dirname, '../../agent/main.ts');
  const token = await rig.token('lane-1');
  agent = spawn(process.execPath, [main, '--config', file, '--enroll', '-'], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  agent.stdin?.end(`${token}\n`);
}, 60_000);

afterAll(async () => {
  const ended = once(agent, 'exit');
  if (agent.exitCode === null && agent.kill('SIGINT')) await ended;
  server.close();
  await rig.close();
});

type Row = {
  readonly id: string;
  readonly kind: string;
  readonly fields: { cause?: string; to?: string };
};
async function events(): Promise<readonly Row[]> {
  const { body } = await rig.api('events?terminal=lane-1&limit=500&order=asc');
  return (body as { events: Row[] }).events;
}

test('a line that changes, repeats, drops and invents can at most delay', async () => {
  // Restarts make events; each is asked for while the line is at its worst.
  const ids: string[] = [];
  for (let n = 0; n < COMMANDS; n += 1) {
    await new Promise((next) => setTimeout(next, HOSTILE_MS / COMMANDS));
    const command = { kind: 'restart', arguments: { component: 'idler' }, reason: `number ${n}` };
    const { status, body } = await rig.api('terminals/lane-1/commands', command);
    // Before its first word the broker does not know which components it has.
    if (status === 202) ids.push((body as { id: string }).id);
  }
  isHostile = false;
  expect(Object.keys(done).sort()).toEqual(['changed', 'dropped', 'invented', 'repeated']);
  const state = async (id: string) =>
    ((await rig.api(`commands/${id}`)).body as { state: string }).state;
  for (const id of ids) {
    await expect.poll(() => state(id), { timeout: 30_000, interval: 300 }).toBe('succeeded');
  }
  const all = await events();
  // Several that wait are done by one restart; none is ever done by two.
  const starts = all.filter(({ kind, fields }) => {
    return kind === 'component_state' && fields.cause === 'operator' && fields.to === 'starting';
  });
  expect(starts.length).toBeGreaterThan(0);
  expect(starts.length).toBeLessThanOrEqual(ids.length);
  expect(ids.length).toBeGreaterThan(0);
  expect(all.filter(({ kind }) => kind === 'gap')).toEqual([]);
  expect(all.filter(({ kind }) => kind === 'command_refused')).toEqual([]);
}, 120_000);
