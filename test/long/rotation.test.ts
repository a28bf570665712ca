// Keys and authority of a fleet are replaced while a terminal is connected, and nobody touches it: it is told by signed
// commands, it renews its certificate, and at the end what it had before is worth nothing.

import type { KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RotateOptions, rotateTrust } from '../../broker/trust/rotate.ts';
import { type Command, parsePublicKey, verifyCommand } from '../../protocol/commands.ts';
import { until } from '../real/front-rig.ts';
import {
  type Client,
  type FleetRig,
  openFleetRig,
  type RigIdentity,
  subscribePacket,
} from '../real/trust-rig.ts';

let rig: FleetRig;
let identity: RigIdentity;
let client: Client;
beforeAll(async () => {
  rig = await openFleetRig();
  identity = await rig.enroll('lane-1');
});
afterAll(async () => {
  client?.end();
  await rig.close();
});

const rotate = (
  target: RotateOptions['target'],
  step: RotateOptions['step'],
): ReturnType<typeof rotateTrust> =>
  rotateTrust({
    ...{ keysDir: rig.keysDir, dataDir: rig.dataDir, target, step, nowMs: Date.now() },
  });

/** What a terminal says of itself is on disk a second later, which is where a rotation looks. */
async function rotateWhenReady(target: RotateOptions['target'], step: RotateOptions['step']) {
  for (let tried = 0; tried < 50; tried += 1) {
    const done = await rotate(target, step);
    if (done.ok || !done.reason.includes('would be locked out')) return done;
    await sleep(200);
  }
  throw new Error('nobody was ever ready');
}

const keysOf = (texts: readonly string[]): ReadonlyMap<string, KeyObject> =>
  new Map(
    texts.flatMap((text) => {
      const key = parsePublicKey(text);
      return key.ok ? [[key.value.keyId, key.value.key] as const] : [];
    }),
  );
const keysIn = (): readonly string[] => {
  const { commandKeys } = JSON.parse(readFileSync(`${rig.keysDir}/trust.json`, 'utf8'));
  return (commandKeys as { key: string }[]).map(({ key }) => key);
};

/** Connects anew, as an agent that holds that document. */
async function join(trust: number): Promise<void> {
  client?.end();
  client = await rig.join(identity, { trust });
  client.send(subscribePacket('lane-1'));
  await client.next('suback');
}

/** A command that came, when it is signed with one of these keys. */
function find(keys: readonly string[], isIt: (command: Command) => boolean): Command | undefined {
  for (const packet of client.packets) {
    if (packet.cmd !== 'publish' || !packet.topic.endsWith('/down/command')) continue;
    const read = verifyCommand(packet.payload as Buffer, keysOf(keys));
    if (read.ok && isIt(read.value)) return read.value;
  }
  return undefined;
}
const command = (keys: readonly string[], isIt: (command: Command) => boolean): Promise<Command> =>
  until('a command', () => find(keys, isIt), 20_000);
const trustOf =
  (version: number) =>
  ({ kind, arguments: args }: Command): boolean =>
    kind === 'trust' && (args as { version?: number }).version === version;

it('a command key: told with the old one, signed with the new one, over with the old one', async () => {
  await join(1);
  const [old = ''] = keysIn();
  expect(await rotate('command', 'start')).toMatchObject({ ok: true });
  const told = await command([old], trustOf(2));
  const { commandKeys } = told.arguments as { commandKeys: string[] };
  expect(commandKeys).toEqual(keysIn());
  const added = commandKeys[1] ?? '';
  expect(await rotate('command', 'switch')).toMatchObject({
    reason: expect.stringMatching(/^lane-1 would be locked out/),
  });
  await join(2);
  expect(await rotateWhenReady('command', 'switch')).toMatchObject({ ok: true });
  // Told with the new key, which the terminal holds since version 2; the old one signs no more.
  await command([added], trustOf(3));
  await join(3);
  const hold = { kind: 'hold', arguments: { forMs: 60_000 }, reason: 'a test' };
  expect(await rig.api('terminals/lane-1/commands', hold)).toMatchObject({ status: 202 });
  await command([added], ({ kind }) => kind === 'hold');
  expect(find([old], ({ kind }) => kind === 'hold')).toBeUndefined();
  expect(await rotateWhenReady('command', 'finish')).toMatchObject({
    ok: true,
    value: { version: 4 },
  });
  const last = await command([added], trustOf(4));
  expect((last.arguments as { commandKeys: string[] }).commandKeys).toEqual([added]);
}, 120_000);

it('the authority: both let in during the overlap, renewed when told, over for the old one', async () => {
  await join(4);
  const keys = keysIn();
  expect(await rotate('authority', 'start')).toMatchObject({ ok: true });
  const told = await command(keys, trustOf(5));
  const { authorities } = told.arguments as { authorities: string[] };
  expect(authorities).toHaveLength(2);
  // As a terminal that believes both from now on.
  (rig.authorities as string[]).push(authorities[1] ?? '');
  await join(5);
  expect(await rotateWhenReady('authority', 'switch')).toMatchObject({ ok: true });
  const renewing = await command(keys, trustOf(6));
  expect((renewing.arguments as { renew?: boolean }).renew).toBe(true);
  const old = identity;
  await join(6);
  expect(await rotate('authority', 'finish')).toMatchObject({
    reason: expect.stringMatching(/^lane-1 would be locked out/),
  });
  identity = await rig.renew(identity);
  expect(identity.certificate).not.toBe(old.certificate);
  await join(6);
  expect(await rotateWhenReady('authority', 'finish')).toMatchObject({
    ok: true,
    value: { version: 7 },
  });
  await command(keys, trustOf(7));
  await join(7);
  await expect(rig.join(old)).rejects.toThrow();
  expect(
    await rig.metric('tillwatch_broker_certificate_expires_timestamp_seconds{use="authority"}'),
  ).toBeGreaterThan(Date.now() / 1000 + 9 * 365 * 86_400);
  const { body } = await rig.api('audit?limit=100');
  expect(JSON.stringify(body)).toContain('trust.change');
}, 120_000);
