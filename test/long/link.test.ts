import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Link, type LinkOptions, startLink } from '../../agent/link/link.ts';
import { openOutbox } from '../../agent/telemetry/outbox.ts';
import type { Outbox } from '../../agent/telemetry/types.ts';
import { ackTopic, commandTopic } from '../../protocol/topics.ts';
import { type Ack, encodeAck } from '../../protocol/wire.ts';
import {
  contents,
  expectExactly,
  isDrained,
  Relay,
  realClock,
  realTimers,
  TestBroker,
  until,
} from '../real/link-rig.ts';
import { makeFolder, quietLog, snapshotAt, someEvent } from '../unit/outbox-rig.ts';

const TERMINAL = 'lane-1';
let folder: ReturnType<typeof makeFolder>;
let broker: TestBroker;
let relay: Relay;
let outbox: Outbox;
let link: Link | undefined;
let log: ReturnType<typeof quietLog>;
let commands: Uint8Array[];

beforeEach(async () => {
  folder = makeFolder();
  log = quietLog();
  commands = [];
  broker = new TestBroker(TERMINAL);
  await broker.start();
  relay = new Relay(broker.port);
  await relay.start();
  outbox = openOutbox({
    path: `${folder.path}/outbox.db`,
    bytesMax: 8 * 1024 * 1024,
    clock: realClock,
    log,
    sendMs: 50,
    resend: { resendMsMin: 400, resendMsMax: 1_600 },
  });
});
afterEach(async () => {
  await link?.stop();
  link = undefined;
  outbox.close();
  await relay.stop();
  await broker.kill();
  folder.remove();
});

function startLinkTo(port: number, more: Partial<LinkOptions> = {}): Link {
  link = startLink({
    terminal: TERMINAL,
    broker: { host: '127.0.0.1', port },
    outbox,
    clock: realClock,
    timers: realTimers,
    log,
    onCommand: (data) => commands.push(data),
    backoff: { firstMsMax: 20, reconnectMsMin: 50, reconnectMsMax: 200 },
    connectTimeoutMs: 1_500,
    silenceMsMax: 30_000,
    ...more,
  });
  return link;
}

describe('the link', () => {
  test('delivers events at once and samples in batches, then says goodbye without a will', async () => {
    const own = startLinkTo(relay.port);
    await until('connected', () => own.connected());
    outbox.addEvent(someEvent('hello'));
    outbox.addSnapshot(snapshotAt(Date.now(), 3, 1_000));
    await until('drained', () => isDrained(outbox));
    expectExactly(broker, ['hello'], [1_000]);
    outbox.addEvent(someEvent('last words'));
    await own.stop();
    expect(contents(broker).events).toEqual(['hello', 'last words']);
    expect(outbox.urgent()).toBe(0);
    expect(broker.wills).toBe(0);
    expect(own.stats()).toMatchObject({ connects: 1, failures: 0, connected: false });
  });

  test('a broker that is killed again and again gets everything exactly once', async () => {
    const own = startLinkTo(broker.port);
    const events: string[] = [];
    const values: number[] = [];
    let dead = false;
    // Answers of a dying broker are lost: the ledger has the batch, the terminal does not know.
    broker.answer = (ack) => (dead ? undefined : encodeAck(ack));
    for (let round = 0; round < 6; round += 1) {
      await until('connected again', () => own.connected());
      for (let i = 0; i < 25; i += 1) {
        outbox.addEvent(someEvent(`event ${events.length}`));
        outbox.addSnapshot(snapshotAt(Date.now(), 3, values.length));
        events.push(`event ${events.length}`);
        values.push(values.length);
        await new Promise((resolve) => setTimeout(resolve, 4));
        if (i === 12) {
          dead = true;
          await new Promise((resolve) => setTimeout(resolve, 20));
          await broker.kill();
        }
      }
      dead = false;
      await broker.start();
    }
    await until('drained', () => isDrained(outbox), 30_000);
    expectExactly(broker, events, values);
    console.log(
      `${events.length} events, ${values.length} snapshots, ${broker.arrived.size} batches`,
    );
    expect(own.stats().connects).toBeGreaterThanOrEqual(6);
    expect([...broker.arrived.values()].some((entry) => entry.times > 1)).toBe(true);
  });

  test('a lost acknowledgement: the same bytes come again, and are then acknowledged', async () => {
    let lost = 0;
    broker.answer = (ack) => {
      if (ack.streams[0]?.stream === 'events' && lost < 3) {
        lost += 1;
        return undefined;
      }
      return encodeAck(ack);
    };
    startLinkTo(relay.port);
    outbox.addEvent(someEvent('heard the fourth time'));
    await until('drained', () => isDrained(outbox));
    expectExactly(broker, ['heard the fourth time'], []);
    expect([...broker.arrived.values()][0]?.times).toBe(4);
    expect(outbox.stats().resent).toBe(3);
  });

  test('a line that freezes is given up; after it thaws everything arrives exactly once', async () => {
    const own = startLinkTo(relay.port, { silenceMsMax: 500 });
    outbox.addEvent(someEvent('before'));
    await until('drained', () => isDrained(outbox));
    relay.freeze(true);
    outbox.addEvent(someEvent('into the ice'));
    await until('silence noticed', () => own.stats().silences === 1);
    await until('tried again', () => own.stats().failures >= 2);
    expect(own.connected()).toBe(false);
    relay.freeze(false);
    await until('drained', () => isDrained(outbox));
    expectExactly(broker, ['before', 'into the ice'], []);
  });

  test('a broker that accepts and never answers is given up within the connect timeout', async () => {
    const sockets: Socket[] = [];
    const mute: Server = createServer((socket) => sockets.push(socket.on('error', () => {})));
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    const { port } = mute.address() as { port: number };
    const own = startLinkTo(port, { connectTimeoutMs: 300 });
    await until('three tries', () => own.stats().failures >= 3);
    const startMs = performance.now();
    await own.stop();
    expect(performance.now() - startMs).toBeLessThan(2_000);
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => mute.close(resolve));
  });

  test('garbage acknowledgements are counted and change nothing', async () => {
    const own = startLinkTo(relay.port);
    await until('connected', () => own.connected());
    broker.answer = () => undefined;
    outbox.addEvent(someEvent('waits'));
    await until('sent', () => broker.arrived.size === 1);
    const epoch = outbox.epoch;
    const ack: Ack = {
      epoch: new Uint8Array(16).fill(9),
      streams: [{ stream: 'events', ranges: [{ first: 1, last: 99 }] }],
      refused: [{ stream: 'events', seq: 1, reason: 'not yours' }],
      brokerTimeMs: 5,
      paceBytesPerSecond: Number.MAX_SAFE_INTEGER,
      ledgerGeneration: new Uint8Array(0),
      notice: '',
    };
    const topic = ackTopic(TERMINAL);
    const garbage = [
      new Uint8Array(0),
      new Uint8Array(100).fill(0xff),
      new Uint8Array(70_000),
      encodeAck(ack).slice(0, -3),
      encodeAck({ ...ack, epoch: epoch.slice(1) }),
      encodeAck({
        ...ack,
        epoch,
        streams: [{ stream: 'events', ranges: [{ first: 9, last: 1 }] }],
      }),
    ];
    for (const bytes of garbage) broker.publish(topic, bytes);
    broker.publish(topic, encodeAck(ack));
    await until('all read', () => own.stats().garbageAcks + own.stats().acks === 8);
    // One of them was the greeting.
    expect(own.stats()).toMatchObject({ garbageAcks: garbage.length, acks: 2 });
    expect(outbox.stats()).toMatchObject({ batches: { events: 1 }, foreignAcks: 1, refused: {} });
    expect(Math.abs(own.clockOffsetMs() ?? Number.NaN)).toBeLessThan(5_000);
    broker.answer = encodeAck;
    await until('drained after all', () => isDrained(outbox));
  });

  test('a refused CONNACK does not stop it', async () => {
    broker.refuseConnects = 4;
    const own = startLinkTo(relay.port);
    outbox.addEvent(someEvent('in the end'));
    await until('drained', () => isDrained(outbox));
    expect(own.stats()).toMatchObject({ connects: 1, failures: 4 });
    expectExactly(broker, ['in the end'], []);
    expect(log.lines.filter((line) => line.includes('no connection'))).toHaveLength(1);
  });

  test('a refused batch goes to the dead letters and does not stop the others', async () => {
    broker.answer = (ack) => {
      const seq = ack.streams[0]?.ranges[0]?.first ?? 0;
      if (seq !== 1) return encodeAck(ack);
      return encodeAck({ ...ack, streams: [], refused: [{ stream: 'events', seq, reason: 'no' }] });
    };
    startLinkTo(relay.port);
    outbox.addEvent(someEvent('refused'));
    await until('refused', () => outbox.stats().refused.events === 1);
    outbox.addEvent(someEvent('taken'));
    await until('drained', () => isDrained(outbox));
    expect(outbox.stats()).toMatchObject({ deadLetters: 1, acknowledged: 1 });
  });

  test('learns the broker time to a few milliseconds, however wrong the terminal is', async () => {
    broker.brokerTimeMs = () => Date.now() + 7_200_000;
    const own = startLinkTo(relay.port);
    for (let i = 0; i < 5; i += 1) {
      outbox.addEvent(someEvent(`asks ${i}`));
      await until('answered', () => isDrained(outbox));
    }
    expect(Math.abs((own.clockOffsetMs() ?? 0) - 7_200_000)).toBeLessThan(250);
    expect(Math.abs(own.brokerNowMs() - broker.brokerTimeMs())).toBeLessThan(250);
  });

  test('hands on commands as they came', async () => {
    const own = startLinkTo(relay.port);
    await until('connected', () => own.connected());
    broker.publish(commandTopic(TERMINAL), new Uint8Array([1, 2, 3]));
    await until('commanded', () => commands.length === 1);
    expect([...(commands[0] ?? [])]).toEqual([1, 2, 3]);
  });

  test('keeps to the pace that the broker asks for with backlog, and with nothing else', async () => {
    broker.answer = (ack) => encodeAck({ ...ack, paceBytesPerSecond: 2_000 });
    const own = startLinkTo(relay.port);
    outbox.addEvent(someEvent('learns the pace'));
    await until('drained', () => isDrained(outbox));
    const hoursAgo = (hours: number): number => outbox.time.nowMs() - hours * 3_600_000;
    for (let hours = 12; hours > 0; hours -= 1) {
      const samples = Array.from({ length: 60 }, (_, i) => ({
        ...{ name: 'pos_test', labels: { index: String(i) }, value: Math.random() },
      }));
      outbox.addSnapshot({ timeMs: hoursAgo(hours), samples });
    }
    outbox.addSnapshot({ timeMs: hoursAgo(0), samples: [{ name: 'pos_n', labels: {}, value: 1 }] });
    const before = own.stats().sentBytes;
    const startMs = performance.now();
    outbox.addEvent(someEvent('goes at once'));
    await until('the event is there', () => outbox.urgent() === 0);
    expect(isDrained(outbox)).toBe(false);
    await until('drained', () => isDrained(outbox), 30_000);
    const seconds = (performance.now() - startMs) / 1_000;
    const sent = own.stats().sentBytes - before;
    expect(sent).toBeGreaterThan(4_000);
    // The bucket may hold a second's worth, and the last batch goes on credit.
    expect(sent).toBeLessThan(2_000 * (seconds + 1) + 2_000);
  });

  test('stops within two seconds on a frozen line, and the will is published', async () => {
    const own = startLinkTo(relay.port);
    await until('connected', () => own.connected());
    relay.freeze(true);
    outbox.addEvent(someEvent('cannot leave'));
    const startMs = performance.now();
    await own.stop();
    expect(performance.now() - startMs).toBeLessThan(2_000);
    expect(outbox.urgent()).toBe(1);
    await relay.stop();
    await until('will', () => broker.wills === 1);
    relay = new Relay(broker.port);
    await relay.start();
  });
});
