// Mutated envelopes and commands against what reads them, in this process and so by the hundred thousand: the broker's
// fast reader of envelopes must take nothing that the general one refuses or reads otherwise, no body may throw, and the
// agent's command office must run nothing but what was signed, as it was signed, and that once. TILLWATCH_FUZZ_PACKETS says how many, as in fuzz-mqtt.

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { openCommands } from '../../agent/commands.ts';
import { readEnvelope } from '../../broker/ingest/envelope.ts';
import { packBody, unpackBody } from '../../protocol/body.ts';
import {
  type Command,
  decodeResultBody,
  keyIdOf,
  publicKeyText,
  signCommand,
} from '../../protocol/commands.ts';
import { decodeEventBody, encodeEventBody } from '../../protocol/events.ts';
import { decodeMetricBody } from '../../protocol/metric-body.ts';
import { ok } from '../../protocol/result.ts';
import { decodeTraces } from '../../protocol/traces.ts';
import { decodeAck, decodeBatch, encodeBatch } from '../../protocol/wire.ts';
import { makeBatch } from '../real/front-rig.ts';
import { amount, createDice, heldBytes, readSeeds } from './fuzz/mutate.ts';

const TIMES = amount('TILLWATCH_FUZZ_PACKETS', 120_000);
const SEED = amount('TILLWATCH_FUZZ_SEED', 20_261_122);
const GROWTH_BYTES_MAX = 32 * 2 ** 20;

const events = encodeEventBody([
  {
    ...{ id: 'e-1', timeMs: 1_700_000_000_000, kind: 'incident_opened', component: 'sale' },
    fields: { incident: 'i-1', cause: 'crash', reason: 'gone', version: '1' },
  },
] as never);
const envelope = { epoch: new Uint8Array(16).fill(7), seq: 3, createdMs: 1e12, clockOffsetMs: -5 };
const seeds = [
  makeBatch(1),
  encodeBatch({ ...envelope, stream: 'events', ...packBody(events) }),
  encodeBatch({ ...envelope, stream: 'metrics', encoding: 'identity', body: events }),
  ...readSeeds('envelope'),
];

it(`${TIMES} mutated envelopes: nothing is taken that the general reader refuses, and no body throws`, {
  timeout: 3_600_000,
}, async () => {
  const dice = createDice(SEED);
  let [taken, stricter, heldAtFirst] = [0, 0, 0];
  const decoders = [decodeEventBody, decodeResultBody, decodeMetricBody, decodeTraces, decodeAck];
  for (let n = 0; n < TIMES; n += 1) {
    const bytes = dice.mutate(dice.of(seeds), seeds);
    const [fast, general] = [readEnvelope(bytes), decodeBatch(bytes)];
    const hex = (): string => `seed ${SEED}, ${n}: ${bytes.toString('hex')}`;
    if (fast.ok && !general.ok) expect(fast, hex()).toEqual(general);
    if (!fast.ok && general.ok) stricter += 1;
    if (fast.ok && general.ok) {
      taken += 1;
      if (n % 16 === 0)
        expect({ ...fast.value, body: [...fast.value.body] }, hex()).toEqual({
          ...general.value,
          body: [...general.value.body],
          epoch: fast.value.epoch,
        });
      const body = unpackBody(fast.value);
      if (body.ok) for (const decode of decoders) decode(body.value);
    }
    dice.of(decoders)(bytes);
    // What zlib closes, it closes behind the present turn of the loop.
    if (n % 2_000 === 0) await new Promise((resolve) => setImmediate(resolve));
    if (n === Math.floor(TIMES / 5)) heldAtFirst = heldBytes();
  }
  const grown = heldBytes() - heldAtFirst;
  process.stdout.write(
    `${TIMES} envelopes, ${taken} readable, ${stricter} only by the general reader, ${Math.round(grown / 1024)} KiB more\n`,
  );
  expect(taken).toBeGreaterThan(TIMES / 100);
  expect(grown).toBeLessThan(GROWTH_BYTES_MAX);
});

it(`${Math.floor(TIMES / 10)} mutated commands: none runs but as it was signed, and none costs memory`, {
  timeout: 3_600_000,
}, () => {
  const pair = generateKeyPairSync('ed25519');
  const dice = createDice(SEED + 1);
  const ran: Command[] = [];
  const results: string[] = [];
  const office = openCommands({
    ...{ path: 'commands.json', terminal: 'lane-1', components: new Set(['sale']) },
    keys: new Map([[keyIdOf(publicKeyText(pair.publicKey)), pair.publicKey]]),
    ...{ nowMs: () => 1_000, isTimeKnown: () => true, read: () => undefined },
    write: () => ok(undefined),
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    addResult: ({ state }) => results.push(state),
    run: (one) => ran.push(one),
  });
  const command = (): Command => ({
    ...{ id: randomUUID(), kind: 'restart', arguments: { component: 'sale' }, terminal: 'lane-1' },
    ...{ issuedMs: 1_000, expiresMs: 301_000, operator: 'kim', reason: 'a test', traceparent: '' },
  });
  // The till has never seen these: one that arrived unchanged would run.
  const asked = Array.from({ length: 50 }, command);
  const good = asked.map((one) => signCommand(one, pair.privateKey));
  const isGood = new Set(good.map((bytes) => Buffer.from(bytes).toString('hex')));
  const all = [...good, ...readSeeds('command')];
  let [tried, heldAtFirst] = [0, 0];
  for (let n = 0; n < TIMES / 10; n += 1) {
    const bytes = dice.mutate(dice.of(all), all);
    if (isGood.has(bytes.toString('hex'))) continue;
    tried += 1;
    office.receive(bytes);
    if (n === Math.floor(TIMES / 50)) heldAtFirst = heldBytes();
  }
  const grown = heldBytes() - heldAtFirst;
  process.stdout.write(
    `${tried} commands, ${ran.length} whole inside another envelope, ${results.length} answers, ${Math.round(grown / 1024)} KiB more\n`,
  );
  // The envelope around a command is not signed: what came in another one is the same command, and runs once.
  const byId = new Map(asked.map((one) => [one.id, one]));
  for (const one of ran) expect(one, `seed ${SEED}`).toEqual(byId.get(one.id));
  expect(new Set(ran.map(({ id }) => id)).size).toBe(ran.length);
  expect(grown).toBeLessThan(GROWTH_BYTES_MAX);
});
