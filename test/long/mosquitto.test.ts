// The broker's guards as an MQTT client meets them that is not of our making: Mosquitto's command line
// programs, on libmosquitto, which reads and writes MQTT by itself.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parsePublicKey, verifyCommand } from '../../protocol/commands.ts';
import { ackTopic, commandTopic, upTopic } from '../../protocol/topics.ts';
import { type Bench, eventBatch, openBench, type Running } from '../real/broker-rig.ts';
import { need } from './parts.ts';

let bench: Bench;
let broker: Running;
beforeEach(async (context) => {
  need(context, 'mosquitto_pub', 'mosquitto-clients');
  bench = openBench();
  broker = await bench.start();
});
afterEach(() => bench?.close());

type Ended = { readonly code: number | null; readonly out: Buffer; readonly said: string };

async function run(program: string, parts: readonly string[], input?: Uint8Array): Promise<Ended> {
  const where = ['-h', '127.0.0.1', '-p', String(broker.mqttPort)];
  const child = spawn(program, [...where, ...parts], { stdio: ['pipe', 'pipe', 'pipe'] });
  bench.children.push(child);
  const out: Buffer[] = [];
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  child.stdin.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out: Buffer.concat(out), said };
}

const publish = (terminal: string, topic: string, input: Uint8Array, version = 'mqttv311') =>
  run('mosquitto_pub', ['-V', version, '-i', terminal, '-q', '1', '-t', topic, '-s'], input);
const subscribe = (terminal: string, topic: string, ...parts: string[]) =>
  run('mosquitto_sub', ['-V', 'mqttv311', '-i', terminal, '-q', '1', '-t', topic, ...parts]);
/** @returns one value of the broker's own page, 0 when it is not there. */
async function counted(line: string): Promise<number> {
  const page = await (await fetch(`${broker.url}/metrics`)).text();
  return Number(
    page
      .split('\n')
      .find((text) => text.startsWith(`${line} `))
      ?.split(' ')[1] ?? 0,
  );
}
const refused = (reason: string) => counted(`tillwatch_broker_refused_total{reason="${reason}"}`);

describe('with MQTT 3.1.1', () => {
  test('a known terminal publishes a batch, and its event is in the registry', async () => {
    const sent = await publish('lane-1', upTopic('lane-1', 'events'), eventBatch(1, 'lane-1'));
    expect([sent.code, sent.said]).toEqual([0, '']);
    await expect.poll(() => bench.api(broker.url, 'events')).toMatchObject({ events: [{ id: 1 }] });
  });

  test('a batch that comes twice is counted once', async () => {
    for (const result of ['new', 'duplicate']) {
      const sent = await publish('lane-1', upTopic('lane-1', 'events'), eventBatch(1, 'lane-1'));
      expect(sent.code).toBe(0);
      const line = `tillwatch_ingest_batches_total{stream="events",result="${result}"}`;
      expect(await counted(line)).toBe(1);
    }
  });

  test('a terminal that listens gets its command, signed', async () => {
    const restart = { kind: 'restart', arguments: { component: 'sale' }, reason: 'a test' };
    await bench.api(broker.url, 'terminals/lane-1/commands', restart);
    const got = await subscribe('lane-1', commandTopic('lane-1'), '-C', '1', '-N', '-W', '5');
    expect([got.code, got.said]).toEqual([0, '']);
    const key = parsePublicKey(readFileSync(bench.data('command-key.pub'), 'utf8').trim());
    if (!key.ok) throw new Error(key.reason);
    const keys = new Map([[key.value.keyId, key.value.key]]);
    expect(verifyCommand(got.out, keys)).toMatchObject({ ok: true, value: restart });
  });

  test('a publish to the topic of another terminal ends the connection', async () => {
    const sent = await publish('lane-1', upTopic('lane-2', 'events'), eventBatch(1, 'lane-2'));
    expect([sent.code, sent.said]).toEqual([7, 'Error: The connection was lost.\n']);
    expect(await refused('topic')).toBe(1);
  });

  test.each(['#', 'tillwatch/#', '+/1/lane-1/down/ack', ackTopic('lane-2'), '$SYS/#'])(
    'a subscription to %s is denied',
    async (topic) => {
      const asked = await subscribe('lane-1', topic, '-W', '5');
      expect(asked.said).toBe('All subscription requests were denied.\n');
      expect(await refused('subscription')).toBe(1);
    },
  );

  test('a stranger is not authorised', async () => {
    const sent = await publish('stranger', upTopic('stranger', 'events'), eventBatch(1, 'x'));
    expect(sent.code).toBe(5);
    expect(sent.said).toContain('not authorised');
    expect(await refused('unknown_terminal')).toBe(1);
  });
});

describe('another version', () => {
  test.each(['5', 'mqttv31'])('%s is refused as such', async (version) => {
    const topic = upTopic('lane-1', 'events');
    const sent = await publish('lane-1', topic, eventBatch(1, 'lane-1'), version);
    expect(sent.code).not.toBe(0);
    expect(sent.said).toMatch(/protocol version/i);
    expect(await refused('protocol_version')).toBe(1);
  });
});
