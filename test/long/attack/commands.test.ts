// Commands that nobody with the right asked for, put into a terminal's connection by somebody in the middle: forged,
// altered in each field, replayed, expired, meant for another. The terminal's own office judges them; that it refused is
// told through its outbox and stands in the broker's audit log. None runs.

import {
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
  sign,
} from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Commands, openCommands } from '../../../agent/commands.ts';
import { startLink } from '../../../agent/link/link.ts';
import { MemoryOutbox } from '../../../agent/simulated/outbox.ts';
import {
  type Command,
  keyIdOf,
  parsePublicKey,
  publicKeyText,
  signCommand,
} from '../../../protocol/commands.ts';
import { COMMAND_BYTES_MAX } from '../../../protocol/limits.ts';
import { ok } from '../../../protocol/result.ts';
import { encodeRaw } from '../../../protocol/wire.ts';
import { type Bench, openBench, type Running } from '../../real/broker-rig.ts';
import { until } from '../../real/front-rig.ts';
import { realClock, realTimers } from '../../real/link-rig.ts';
import { createDice } from '../fuzz/mutate.ts';
import { startHostile } from '../hostile/proxy.ts';
import type { Entry } from './rig.ts';

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
/** What is refused is told once a minute at most: here a minute is over after 20 ms. */
const FASTER = 3_000;

let bench: Bench;
let broker: Running;
let proxy: Awaited<ReturnType<typeof startHostile>>;
let link: ReturnType<typeof startLink>;
let office: Commands;
let real: KeyObject;
let audit: KeyObject;
let shift = 0;
const keys = new Map<string, KeyObject>();
const ran: Command[] = [];

beforeAll(async () => {
  bench = openBench();
  broker = await bench.start(bench.configure());
  const read = (name: string): KeyObject =>
    createPrivateKey(readFileSync(bench.data(name), 'utf8'));
  [real, audit] = [read('command-key.pem'), read('audit-key.pem')];
  const key = parsePublicKey(publicKeyText(real));
  if (!key.ok) throw new Error(key.reason);
  keys.set(key.value.keyId, key.value.key);
  const invent = (): Uint8Array => new Uint8Array();
  const target = broker.mqttPort;
  proxy = await startHostile({ target, terminal: 'lane-1', dice: createDice(1), invent });
  const shared = { clock: realClock, timers: realTimers, random: () => 0.5 };
  const outbox = new MemoryOutbox({ ...shared, sendMs: 50, phase: 0 });
  office = openCommands({
    ...{ path: 'commands.json', terminal: 'lane-1', components: new Set(['sale']) },
    ...{ keys: () => keys, nowMs: () => Date.now() + shift, isTimeKnown: () => true },
    ...{ read: () => undefined, write: () => ok(undefined), log: silent },
    monotonicMs: () => performance.now() * FASTER,
    report: (event) => outbox.addEvent(event),
    addResult: (result) => outbox.addResult(result),
    run: (command) => {
      ran.push(command);
      office.done(command.id, true, 'ready again');
    },
  });
  link = startLink({
    ...{ ...shared, terminal: 'lane-1', outbox, log: silent, onCommand: office.receive },
    broker: { host: '127.0.0.1', port: proxy.port },
    backoff: { firstMsMax: 20, reconnectMsMin: 20, reconnectMsMax: 60 },
  });
  const view = () => bench.api(broker.url, 'terminals/lane-1');
  while ((await view())['connected'] !== true) await new Promise((done) => setTimeout(done, 50));
});
afterAll(async () => {
  await link?.stop();
  proxy?.close();
  await bench?.close();
});
beforeEach(() => {
  ran.length = 0;
  shift = 0;
});

const command = (change: Partial<Command> = {}): Command =>
  ({
    ...{ id: randomUUID(), kind: 'restart', arguments: { component: 'sale' }, terminal: 'lane-1' },
    ...{ issuedMs: Date.now(), expiresMs: Date.now() + 60_000, operator: 'kim' },
    ...{ reason: 'a test', traceparent: '', ...change },
  }) as Command;
/** As signCommand does it, with anything inside. */
function wrap(fields: object, key: KeyObject, more: object = {}): Uint8Array {
  const body = encodeRaw('Command', fields);
  const keyId = keyIdOf(publicKeyText(key));
  return encodeRaw('SignedCommand', {
    ...{ command: body, keyId, signature: sign(null, body, key), ...more },
  });
}
const fieldsOf = ({ arguments: args, ...rest }: Command) => ({
  ...{ ...rest, argumentsJson: JSON.stringify(args) },
});
const newest = async (): Promise<readonly Entry[]> =>
  (await bench.api(broker.url, 'audit?action=terminal.command_refused&limit=5'))[
    'entries'
  ] as readonly Entry[];

/** Into its connection, and then: it did not run, it was counted, it stands in the audit log. */
async function refused(why: string, bytes: Uint8Array): Promise<void> {
  const last = (await newest())[0]?.id ?? 0;
  proxy.say(bytes);
  let entries: readonly Entry[] = [];
  const look = async (): Promise<void> => {
    for (let times = 0; times < 100; times += 1) {
      entries = (await newest()).filter(({ id }) => id > last);
      if (entries.length > 0) return;
      await new Promise((done) => setTimeout(done, 50));
    }
  };
  await look();
  expect(ran).toEqual([]);
  expect(entries[0]).toMatchObject({ operator: 'lane-1', outcome: `refused ${why}` });
  expect(Number(entries[0]?.detail['count'])).toBeGreaterThan(0);
}

it('of an operator it runs, so that all the others mean something', async () => {
  const one = command();
  proxy.say(signCommand(one, real));
  await until('it ran', () => ran.some(({ id }) => id === one.id));
});

it('forged: signed with a key of its own', () =>
  refused('unsigned', signCommand(command(), generateKeyPairSync('ed25519').privateKey)));

it("forged: its own signature under the real key's name", () => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const keyId = keyIdOf(publicKeyText(real));
  return refused('unsigned', wrap(fieldsOf(command()), privateKey, { keyId }));
});

it("signed with the broker's key for the audit log", () =>
  refused('unsigned', signCommand(command(), audit)));

it('not signed', () =>
  refused('unsigned', wrap(fieldsOf(command()), real, { signature: new Uint8Array() })));

it('with a signature of zeros', () =>
  refused('unsigned', wrap(fieldsOf(command()), real, { signature: new Uint8Array(64) })));

it('with the signature of another command', () => {
  const other = sign(null, encodeRaw('Command', fieldsOf(command())), real);
  return refused('unsigned', wrap(fieldsOf(command()), real, { signature: other }));
});

it.each([
  ['id', { id: randomUUID() }],
  ['terminal', { terminal: 'lane-2' }],
  ['kind', { kind: 'stop' }],
  ['arguments', { argumentsJson: '{"component":"sale","force":true}' }],
  ['issuedMs', { issuedMs: 1 }],
  ['expiresMs', { expiresMs: Date.now() + 1e9 }],
  ['operator', { operator: 'somebody else' }],
  ['reason', { reason: 'another one' }],
  ['traceparent', { traceparent: '00-1-1-01' }],
])('altered on the way: %s', (_field, change) => {
  const fields = fieldsOf(command());
  const signature = sign(null, encodeRaw('Command', fields), real);
  return refused('unsigned', wrap({ ...fields, ...change }, real, { signature }));
});

it('for another terminal (re-addressed)', () =>
  refused('audience', signCommand(command({ terminal: 'lane-2' }), real)));

it('after its end', () =>
  refused('expired', signCommand(command({ expiresMs: Date.now() - 1_000 }), real)));

it('a recording that is played again: at once it does not run twice, after its end it is told', async () => {
  const one = command();
  const bytes = signCommand(one, real);
  proxy.say(bytes);
  await until('it ran', () => ran.length === 1);
  for (let times = 0; times < 20; times += 1) proxy.say(bytes);
  await new Promise((done) => setTimeout(done, 200));
  expect(ran).toHaveLength(1);
  ran.length = 0;
  shift = 120_000;
  await refused('replayed', bytes);
});

it('of a kind that is not there', () =>
  refused('unreadable', wrap({ ...fieldsOf(command()), kind: 'format_disk' }, real)));

it('with arguments of another kind', () =>
  refused('unreadable', wrap({ ...fieldsOf(command()), argumentsJson: '{"forMs":1}' }, real)));

it('that is longer than any', () =>
  refused(
    'unreadable',
    wrap({ ...fieldsOf(command()), reason: 'x'.repeat(COMMAND_BYTES_MAX) }, real),
  ));

it('that is no message at all', () => refused('unreadable', Buffer.from('hello, till')));

it('signed with a key that was removed', async () => {
  keys.clear();
  await refused('unsigned', signCommand(command(), real));
});
