// Enrolment over restarts of the broker and over the end of certificates, with its clock set back instead of waiting.

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startEnrol } from '../../agent/system/enrol-child.ts';
import { startBroker } from '../../broker/broker.ts';
import { systemClock, systemTimers } from '../../broker/clock.ts';
import { loadConfig } from '../../broker/config.ts';
import { rotateTrust } from '../../broker/trust/rotate.ts';
import { until } from '../real/front-rig.ts';
import { subscribePacket } from '../real/trust-client.ts';
import { type FleetRig, MACHINE, openFleetRig, type RigOptions } from '../real/trust-rig.ts';

const DAY_MS = 86_400_000;
const quiet = { info: () => {}, warn: () => {}, error: () => {} };

async function open(options: RigOptions = {}): Promise<FleetRig> {
  const rig = await openFleetRig(options);
  onTestFinished(rig.close);
  return rig;
}

/** What happens in a broker whose clock is so far behind. */
async function ago<T>(rig: FleetRig, ms: number, work: () => Promise<T>): Promise<T> {
  const loaded = loadConfig(readFileSync(rig.configFile, 'utf8'), dirname(rig.configFile));
  if (!loaded.ok) throw new Error('no configuration');
  const clock = { ...systemClock, wallMs: () => systemClock.wallMs() - ms };
  const broker = await startBroker(loaded.config, { clock, log: quiet });
  if (!broker.ok) throw new Error(broker.reason);
  try {
    return await work();
  } finally {
    await broker.value.stop();
    rig.forgetSession();
  }
}

it('who was revoked, suspended or retired stays so when the broker was killed and starts again', async () => {
  const rig = await open();
  const [revoked, suspended, retired, good] = await Promise.all(
    ['lane-1', 'lane-2', 'lane-3', 'lane-4'].map((id) => rig.enroll(id)),
  );
  if (!revoked || !suspended || !retired || !good) throw new Error('nobody');
  const client = await rig.join(revoked);
  await rig.act('lane-1', 'revoke');
  await client.closed(1_000);
  await rig.act('lane-2', 'suspend');
  await rig.act('lane-3', 'retire');
  await rig.act('lane-4', 'move', { store: 'store-9' });
  await rig.stop('SIGKILL');
  await rig.start();
  await expect(rig.join(revoked)).rejects.toThrow();
  await expect(rig.join(retired)).rejects.toThrow();
  (await rig.join(suspended)).end();
  (await rig.join(good)).end();
  const view = async (id: string) => (await rig.api(`terminals/${id}`)).body;
  expect(await view('lane-2')).toMatchObject({ identity: { state: 'suspended' } });
  expect(await view('lane-3')).toMatchObject({ identity: { state: 'retired' } });
  expect(await view('lane-4')).toMatchObject({ store: 'store-9' });
  expect((await rig.api('fleet')).body['terminals']).toMatchObject({ total: 3 });
});

it('a certificate that has ended lets nobody in and renews itself within its grace, and not after', async () => {
  const settings = 'enrolment: { certificateDays: 1, graceDays: 3 }\n';
  const rig = await open({ started: false, settings });
  const early = await ago(rig, 5 * DAY_MS, () => rig.enroll('lane-1'));
  const late = await ago(rig, 2 * DAY_MS, () => rig.enroll('lane-2'));
  await rig.start();
  await expect(rig.join(late)).rejects.toThrow();
  await expect(rig.renew(early)).rejects.toThrow('longer ago than its grace');
  const renewed = await rig.renew(late);
  (await rig.join(renewed)).end();
  await expect(rig.renew(late)).rejects.toThrow('was taken back or is replaced');
  const refused = await rig.metric('tillwatch_enrolments_total{result="refused"}');
  expect(refused).toBe(2);
});

it("an agent's own program enrols and renews, and its folder lets it in each time", async () => {
  const rig = await open();
  const folder = await rig.enrollFolder('lane-1');
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');
  const pairOf = () => {
    const { pair } = JSON.parse(read('identity.json')) as { pair: 1 | 2 };
    const more = pair === 1 ? '' : '-2';
    return { key: read(`key${more}.pem`), certificate: read(`certificate${more}.pem`) };
  };
  const common = { terminal: 'lane-1', store: 'store-1', authorities: rig.authorities };
  const first = { ...common, ...pairOf() };
  (await rig.join(first)).end();
  const job = { kind: 'renew', folder, terminal: 'lane-1', machine: MACHINE, floorMs: 0 } as const;
  const done = await startEnrol(job, systemTimers).done;
  expect(done).toMatchObject({ ok: true, value: { ok: true } });
});

it('a terminal with an older trust document is sent the newer one', async () => {
  const rig = await open();
  const identity = await rig.enroll('lane-1');
  const client = await rig.join(identity, { trust: 1 });
  client.send(subscribePacket('lane-1'));
  await client.next('suback');
  const { keysDir, dataDir } = rig;
  const step = { target: 'command', step: 'start' } as const;
  const begun = await rotateTrust({ keysDir, dataDir, ...step, nowMs: Date.now() });
  expect(begun).toMatchObject({ ok: true });
  const packet = await until(
    'the command',
    () =>
      client.packets.find((one) => one.cmd === 'publish' && one.topic.endsWith('/down/command')),
    10_000,
  );
  const bytes = packet.cmd === 'publish' ? (packet.payload as Buffer) : Buffer.alloc(0);
  expect(bytes.toString('latin1')).toContain('"version":2');
});
