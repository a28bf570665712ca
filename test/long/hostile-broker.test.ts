// Somebody between a terminal and its broker who ends the TLS of both (here: plain text), so that nothing but the
// signatures stands in the way. At most it can delay: no command runs that no operator asked for, none twice, none
// after its end, and of what the terminal sends nothing is lost or doubled once it is gone. What the broker says is
// counted by the broker, what runs by a witness in the place of the watchdog.

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import mqtt from 'mqtt';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openCommands } from '../../agent/commands.ts';
import { startLink } from '../../agent/link/link.ts';
import { MemoryOutbox } from '../../agent/simulated/outbox.ts';
import { type Command, parsePublicKey, signCommand } from '../../protocol/commands.ts';
import { ok } from '../../protocol/result.ts';
import { commandTopic } from '../../protocol/topics.ts';
import { type Bench, openBench, type Running } from '../real/broker-rig.ts';
import { until } from '../real/front-rig.ts';
import { realClock, realTimers } from '../real/link-rig.ts';
import { createDice } from './fuzz/mutate.ts';
import { startHostile } from './hostile/proxy.ts';

const ROUNDS = 14;
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

let bench: Bench;
let broker: Running;
beforeAll(async () => {
  bench = openBench();
  broker = await bench.start(bench.configure());
});
afterAll(() => bench?.close());

/** Genuine commands for another terminal, as they went over the wire. */
async function commandsOfAnother(): Promise<Buffer[]> {
  const got: Buffer[] = [];
  const client = mqtt.connect({ host: '127.0.0.1', port: broker.mqttPort, clientId: 'lane-2' });
  client.on('message', (_topic, payload) => got.push(payload));
  await new Promise((resolve) => client.once('connect', resolve));
  await client.subscribeAsync(commandTopic('lane-2'), { qos: 1 });
  await bench.api(broker.url, 'terminals/lane-2/commands', {
    ...{ kind: 'restart', arguments: { component: 'sale' }, reason: 'for the other one' },
  });
  await until('a command for another terminal', () => got.length > 0);
  await client.endAsync(true);
  return got;
}

it.each([1, 2])(
  'a hostile broker in the middle can at most delay (seed %i)',
  async (seed) => {
    const dice = createDice(seed);
    const [others, stranger] = [await commandsOfAnother(), generateKeyPairSync('ed25519')];
    const invented: string[] = [];
    const invent = (): Uint8Array => {
      if (dice.pick(3) === 0) return dice.of(others);
      const id = randomUUID();
      invented.push(id);
      const command: Command = {
        ...{ id, kind: 'restart', arguments: { component: 'sale' }, terminal: 'lane-1' },
        ...{ issuedMs: Date.now(), expiresMs: Date.now() + 60_000, operator: 'kim' },
        ...{ reason: 'invented', traceparent: '' },
      };
      return signCommand(command, stranger.privateKey);
    };
    const proxy = await startHostile({ target: broker.mqttPort, terminal: 'lane-1', dice, invent });
    const text = readFileSync(bench.data('command-key.pub'), 'utf8').trim();
    const key = parsePublicKey(text);
    if (!key.ok) throw new Error(key.reason);
    const shared = { clock: realClock, timers: realTimers, random: () => 0.5 };
    const outbox = new MemoryOutbox({ ...shared, sendMs: 50, phase: 0 });
    const ran: { command: Command; atMs: number }[] = [];
    const office = openCommands({
      ...{ path: 'commands.json', terminal: 'lane-1', components: new Set(['sale']) },
      ...{ keys: new Map([[key.value.keyId, key.value.key]]), nowMs: Date.now },
      ...{
        isTimeKnown: () => true,
        read: () => undefined,
        write: () => ok(undefined),
        log: silent,
      },
      addResult: (result) => outbox.addResult(result),
      run: (command) => {
        ran.push({ command, atMs: Date.now() });
        setTimeout(() => office.done(command.id, true, 'ready again'), 20);
      },
    });
    const link = startLink({
      ...{ ...shared, terminal: 'lane-1', outbox, log: silent, onCommand: office.receive },
      broker: { host: '127.0.0.1', port: proxy.port },
      backoff: { firstMsMax: 20, reconnectMsMin: 20, reconnectMsMax: 60 },
    });
    const asked = new Map<string, { endsMs: number }>();
    const told: string[] = [];
    try {
      proxy.be(true);
      for (let round = 0; round < ROUNDS; round += 1) {
        const expiresMs = round % 3 === 0 ? 1_000 : 60_000;
        const made = await bench.api(broker.url, 'terminals/lane-1/commands', {
          ...{
            kind: 'restart',
            arguments: { component: 'sale' },
            reason: `round ${round}`,
            expiresMs,
          },
        });
        asked.set(String(made['id']), { endsMs: Date.now() + expiresMs });
        for (let n = 0; n < 6; n += 1) {
          const reason = `${seed}.${round}.${n}`;
          told.push(reason);
          outbox.addEvent({ kind: 'agent_stopping', component: '', fields: { reason, left: [] } });
        }
        await new Promise((resolve) => setTimeout(resolve, 250));
      }
      // Late ones and repeated ones are still on their way.
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      proxy.be(false);
      await until('everything is acknowledged', () => outbox.isEmpty(), 60_000);
      const note = `seed ${seed}: ${JSON.stringify(Object.fromEntries(proxy.deeds))}, ${ran.length} ran`;
      process.stdout.write(`${note} of ${asked.size}\n`);
      for (const deed of [
        'dropped',
        'delayed',
        'repeated',
        'changed',
        'invented',
        'late',
      ] as const) {
        expect(proxy.deeds.get(deed) ?? 0, deed).toBeGreaterThan(0);
      }
      expect(invented.length).toBeGreaterThan(20);
      for (const { command, atMs } of ran) {
        const one = asked.get(command.id);
        expect(one, `${note}: nobody asked for ${JSON.stringify(command)}`).toBeDefined();
        expect(command).toMatchObject({ terminal: 'lane-1', arguments: { component: 'sale' } });
        expect(atMs, `${note}: ${command.id} ran after its end`).toBeLessThanOrEqual(
          command.expiresMs,
        );
      }
      expect(new Set(ran.map(({ command }) => command.id)).size, note).toBe(ran.length);
      expect(ran.length, 'some must have come through').toBeGreaterThan(ROUNDS / 3);
      const reasons = async (): Promise<string[]> => {
        const page = await bench.api(
          broker.url,
          'events?terminal=lane-1&kind=agent_stopping&limit=1000',
        );
        const events = page['events'] as { fields: { reason: string } }[];
        return events
          .map(({ fields }) => fields.reason)
          .filter((one) => one.startsWith(`${seed}.`));
      };
      let arrived: string[] = [];
      const endMs = performance.now() + 10_000;
      while (arrived.length < told.length && performance.now() < endMs) arrived = await reasons();
      expect(arrived.sort(), note).toEqual(told.sort());
    } finally {
      await link.stop();
      proxy.close();
    }
  },
  120_000,
);
