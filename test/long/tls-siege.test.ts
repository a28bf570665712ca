// A broker with certificates while strangers crowd in front of it: what they hold must be theirs alone. Each case asks
// from another address whether people are still served.

import { mkdtempSync, rmSync } from 'node:fs';
import https from 'node:https';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Broker, startBroker } from '../../broker/broker.ts';
import { loadConfig } from '../../broker/config.ts';
import { makeTrust } from '../../broker/trust/make.ts';
import { until } from '../real/front-rig.ts';
import { must } from '../real/tls-front-rig.ts';

const HOST = '127.0.0.1';
const PEOPLE_MAX = 20;
let dir: string;
let broker: Broker;
const crowd: Socket[] = [];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'tw-siege-'));
  must(await makeTrust({ keysDir: join(dir, 'keys'), passphrase: undefined, nowMs: Date.now() }));
  const text = [
    'dataDir: data',
    'keysDir: keys',
    `mqtt: { host: ${HOST}, port: 0 }`,
    `http: { host: ${HOST}, port: 0 }`,
    `limits: { httpConnectionsPerAddress: ${PEOPLE_MAX} }`,
  ].join('\n');
  const loaded = loadConfig(text, dir);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  broker = must(await startBroker(loaded.config));
});
afterEach(() => {
  for (const socket of crowd.splice(0)) socket.destroy();
});
afterAll(async () => {
  await broker.stop();
  rmSync(dir, { recursive: true });
});

function stranger(from: string, port = broker.httpPort): Socket {
  const socket = connect({ host: HOST, port, localAddress: from });
  socket.on('error', () => {});
  socket.resume();
  crowd.push(socket);
  return socket;
}
const some = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);

function ask(from: string): Promise<number | string> {
  const where = { host: HOST, port: broker.httpPort, path: '/healthz', agent: false };
  return new Promise((resolve) => {
    https
      .get({ ...where, localAddress: from, rejectUnauthorized: false }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      })
      .on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

test('people are served while one address holds as many silent connections as it gets', async () => {
  const silent = some(1_200, () => stranger('127.0.0.2'));
  await until('they are there', () => silent.every(({ connecting }) => !connecting));
  expect(await ask('127.0.0.3')).toBe(200);
});

test('handshakes at the same time do not take more connections than one address may have', async () => {
  const many = some(3 * PEOPLE_MAX, () => {
    const options = { host: HOST, port: broker.httpPort, localAddress: '127.0.0.4' };
    const socket = tls.connect({ ...options, rejectUnauthorized: false } as tls.ConnectionOptions);
    socket.on('error', () => {});
    socket.on('data', () => {});
    crowd.push(socket);
    return socket;
  });
  const open = (): number => many.filter((one) => one.encrypted && !one.destroyed).length;
  await until('the others are closed', () => open() <= PEOPLE_MAX, 3_000);
  expect(await ask('127.0.0.5')).toBe(200);
});

test('the broker stops in time although thousands are in the middle of their handshakes', async () => {
  const silent = [
    ...some(1_500, () => stranger('127.0.0.6')),
    ...some(1_500, () => stranger('127.0.0.7', broker.mqttPort)),
  ];
  await until('they are there', () => silent.every(({ connecting }) => !connecting));
  const atMs = performance.now();
  await broker.stop();
  expect(performance.now() - atMs).toBeLessThan(1_000);
});
