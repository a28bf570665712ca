// Limits in front of the handshake and of single terminals, with real sockets: who is slow, who comes too often, who
// is too many. Each case looks at a healthy neighbour, whose batch must be committed as if nobody else were there.

import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import tls from 'node:tls';
import mqttPacket from 'mqtt-packet';
import { afterEach, describe, expect, test } from 'vitest';
import { MQTT_LIMITS } from '../../broker/mqtt/limits.ts';
import { connectRaw, makeBatch, type Terminal, until } from '../real/front-rig.ts';
import { startTlsRig, type TlsRig } from '../real/tls-front-rig.ts';

let rig: TlsRig;
let seq = 0;
const strangers: Socket[] = [];
afterEach(async () => {
  for (const socket of strangers.splice(0)) socket.destroy();
  await rig.close();
});

/** @returns how long the neighbour waited for its acknowledgement, in ms. */
async function askNeighbour(neighbour: Terminal): Promise<number> {
  seq += 1;
  const own = seq;
  const atMs = performance.now();
  await neighbour.send(makeBatch(own));
  await until('the neighbour is served', () => neighbour.acked(own));
  return performance.now() - atMs;
}

async function open() {
  const stranger = await connectRaw(rig.front.port);
  strangers.push(stranger.socket);
  return stranger;
}

/** What a client says first, taken from a real one. */
const realHello = (): Promise<Buffer> =>
  new Promise((resolve) => {
    const tap = createServer((socket) => {
      socket.once('data', (chunk: Buffer) => {
        socket.destroy();
        tap.close();
        resolve(chunk);
      });
    }).listen(0, '127.0.0.1', () => {
      const { port } = tap.address() as AddressInfo;
      const options = { host: '127.0.0.1', port, ALPNProtocols: ['mqtt'] };
      tls.connect(options).on('error', () => {});
    });
  });

const HELLO_START = Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]);
const connectPacket = (clientId: string): Buffer =>
  mqttPacket.generate({
    ...{ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId },
    ...{ clean: true, keepalive: 60 },
  });

describe('a stranger who is slow', () => {
  test.each([
    ['says nothing', () => {}],
    [
      'says its hello byte by byte',
      (socket: Socket) => {
        let at = 0;
        const drip = setInterval(() => {
          const byte = HELLO_START[at] ?? 0;
          if (!socket.destroyed) socket.write(Buffer.from([byte]));
          at += 1;
        }, 20);
        socket.on('close', () => clearInterval(drip));
      },
    ],
  ])('and %s is closed in time and counted', async (_what, does) => {
    rig = await startTlsRig({ gate: { helloMsMax: 300 } });
    const neighbour = await rig.terminal('lane-1');
    const some = await Promise.all(Array.from({ length: 50 }, open));
    for (const { socket } of some) does(socket);
    await until('they are waiting', () => rig.gate.handshakes() === 50);
    expect(await askNeighbour(neighbour)).toBeLessThan(2_000);
    await until('they are closed', () => some.every(({ closed }) => closed()), 3_000);
    expect(rig.counted('refused handshake_timeout')).toBe(50);
    expect(rig.gate.handshakes()).toBe(0);
  });

  test('and says hello, and then nothing, is closed in time and counted', async () => {
    rig = await startTlsRig({ gate: { handshakeMsMax: 300 } });
    const hello = await realHello();
    expect(hello.length).toBeGreaterThan(100);
    const silent = await open();
    silent.socket.write(hello);
    await until('the answer of the broker', () => silent.got().length > 0);
    await until('its end', silent.closed, 3_000);
    expect(rig.counted('refused handshake_timeout')).toBeGreaterThan(0);
  });
});

describe('too many', () => {
  test('handshakes of one address are reset, and others are served', async () => {
    rig = await startTlsRig({ gate: { handshakesPerAddress: 20, handshakes: 30 } });
    const neighbour = await rig.terminal('lane-1');
    const some = await Promise.all(Array.from({ length: 60 }, open));
    await until('the rest is closed', () => some.filter(({ closed }) => closed()).length === 40);
    expect(rig.counted('refused too_many_handshakes')).toBe(40);
    expect(rig.gate.handshakes()).toBe(20);
    await askNeighbour(neighbour);
    const elsewhere = connect({
      host: '127.0.0.1',
      localAddress: '127.0.0.9',
      port: rig.front.port,
    });
    strangers.push(elsewhere);
    await until('another address may', () => rig.gate.handshakes() === 21);
    const more = Array.from({ length: 20 }, () =>
      connect({ host: '127.0.0.1', localAddress: '127.0.0.9', port: rig.front.port }),
    );
    strangers.push(...more);
    for (const socket of more) socket.on('error', () => {});
    await until('all together are 30', () => more.filter((one) => one.destroyed).length === 11);
    expect(rig.gate.handshakes()).toBe(30);
  });

  test('connects of one address are reset before they say anything', async () => {
    rig = await startTlsRig({ gate: { connects: { burst: 5, perSecond: 0.001 } } });
    const some = await Promise.all(Array.from({ length: 20 }, open));
    await until('they are closed', () => some.filter(({ closed }) => closed()).length === 15);
    expect(rig.counted('refused connect_rate')).toBe(15);
  });

  test('connections: the one more is refused before its handshake', async () => {
    rig = await startTlsRig({ limits: { connections: 2 } });
    await Promise.all([rig.terminal('lane-1'), rig.terminal('lane-2')]);
    const third = await rig.socket(await rig.certificateOf('lane-3'));
    expect(third.isSecure).toBe(false);
    await until('its count', () => rig.counted('refused too_many_connections') > 0);
  });
});

describe('a terminal in a crash loop', () => {
  test('is refused with CONNACK 3 and a growing pause, and its neighbour does not notice', async () => {
    const terminal = { ...MQTT_LIMITS.terminal, connectsPerMinute: 6 };
    rig = await startTlsRig({ limits: { terminal } });
    const neighbour = await rig.terminal('lane-1');
    const certificate = await rig.certificateOf('lane-2');
    const calmMs: number[] = [];
    for (let n = 0; n < 20; n += 1) calmMs.push(await askNeighbour(neighbour));
    const codes: (number | undefined)[] = [];
    let looping = true;
    const loop = async (): Promise<void> => {
      while (looping) {
        const raw = await rig.socket(certificate);
        raw.socket.write(connectPacket('lane-2'));
        await until('an answer', () => raw.got().length >= 4 || raw.closed());
        codes.push(raw.got()[3]);
        raw.socket.destroy();
      }
    };
    const loops = [loop(), loop(), loop()];
    const busyMs: number[] = [];
    const endMs = performance.now() + 3_000;
    while (performance.now() < endMs) busyMs.push(await askNeighbour(neighbour));
    looping = false;
    await Promise.all(loops);
    const median = (values: number[]): number =>
      values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
    expect(codes.filter((code) => code === 0).length).toBeLessThanOrEqual(8);
    expect(codes.filter((code) => code === 3).length).toBeGreaterThan(20);
    expect(rig.counted('refused terminal_rate')).toBe(codes.filter((code) => code === 3).length);
    // One handshake each is what it costs: a few milliseconds, not a queue.
    expect(median(busyMs)).toBeLessThan(Math.max(100, 20 * median(calmMs)));
    console.info(
      `neighbour: ${median(calmMs).toFixed(1)} ms calm, ${median(busyMs).toFixed(1)} ms beside ` +
        `${codes.length} connects in 3 s`,
    );
  });
});

describe('a terminal that publishes too much', () => {
  test('is read more slowly, loses nothing, and its neighbour does not notice', async () => {
    const terminal = { ...MQTT_LIMITS.terminal, publishesPerSecond: 50 };
    rig = await startTlsRig({ limits: { terminal } });
    const [neighbour, loud] = await Promise.all([rig.terminal('lane-1'), rig.terminal('lane-2')]);
    const atMs = performance.now();
    // Its burst is ten seconds' worth; what is above comes at the pace.
    const sends = Array.from({ length: 600 }, (_, n) => loud.send(makeBatch(n + 1)));
    expect(await askNeighbour(neighbour)).toBeLessThan(2_000);
    await Promise.all(sends);
    expect(performance.now() - atMs).toBeGreaterThan(1_500);
    await until('all are acknowledged', () => loud.acked(600) && loud.acked(1));
    expect(rig.counted('slowed publishes')).toBeGreaterThan(0);
    expect(rig.counted('refused terminal_rate')).toBe(0);
  });
});
