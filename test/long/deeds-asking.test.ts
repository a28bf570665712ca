// What operators ask of a real terminal without stopping anybody: how it is (probe, diagnose), how much it logs, and a
// printer that is closed and opened again.

import { createHash, randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DIAGNOSIS_BYTES_MAX } from '../../protocol/limits.ts';
import { PrinterEmulator } from '../../terminal/hardware/emulators/index.ts';
import { fault, freePort, http, until } from '../real/agent-rig.ts';
import { DeedsRig } from './deeds-rig.ts';

const CARD = '4111111111111111';

let rig: DeedsRig;
let printer: PrinterEmulator;
beforeEach(async () => {
  rig = new DeedsRig();
  printer = new PrinterEmulator();
  const [printerPort, dead, alive] = [await printer.listen(), await freePort(), await freePort()];
  await rig.open([
    rig.component('hardware', { POS_PRINTER_PORT: String(printerPort) }),
    fault('old', ['--port', String(alive)], {
      probes: [http(alive), { kind: 'tcp', port: dead, everyMs: 60_000 }],
      env: { GREETING: CARD },
    }),
  ]);
  await rig.connected();
  await rig.till.ready('hardware');
  await rig.till.ready('old');
});
afterEach(async () => {
  await rig.close();
  await printer.close();
});

const level = (component: string, forMs: number, what: 'debug' | 'error' = 'debug') =>
  ({ kind: 'log_level', arguments: { component, level: what, forMs } }) as const;

/** What it printed itself. */
function printed(component: string): string {
  const folder = join(rig.till.folder, 'data', 'logs', component);
  const names = readdirSync(folder).filter((name) => name.endsWith('.log'));
  return names.map((name) => rig.file('data', 'logs', component, name)).join('');
}

describe('an operator', () => {
  it('has a component log more for a while, and it ends by itself, also when the agent dies', async () => {
    expect(await rig.obeyed(level('hardware', 4_000))).toMatchObject({ state: 'succeeded' });
    await until('it says so', () => printed('hardware').includes('"to":"debug"'));
    expect(await rig.obeyed(level('old', 4_000))).toMatchObject({
      ...{ state: 'failed', reason: 'it cannot change how much it logs' },
    });
    expect(await rig.obeyed(level('agent', 60_000, 'error'))).toMatchObject({ state: 'succeeded' });
    await rig.killAgent();
    const lines = rig.till.log().length;
    rig.startAgent();
    await rig.connected(2);
    await until('it is as it was', () => printed('hardware').includes('"to":"as configured"'));
    // The next agent knows what the one before was told.
    const said = rig.till.log().slice(lines);
    expect(said.filter((line) => line.level === 'info')).toEqual([]);
    expect(await rig.obeyed(level('agent', 1_000, 'error'))).toMatchObject({ state: 'succeeded' });
    await until('the agent talks again', () => {
      rig.send({ kind: 'release', arguments: {} });
      return rig.till
        .log()
        .slice(lines)
        .some((line) => line.level === 'info');
    });
  });

  it('has a device closed and opened again, and is refused where there is none', async () => {
    const reopen = (component: string, device: string) =>
      rig.obeyed({ kind: 'reopen', arguments: { component, device } });
    const metric = 'pos_device_reopen_total{device="printer"}';
    const before = (await rig.terminal.metric('hardware', metric)) ?? 0;
    expect(await reopen('hardware', 'printer')).toMatchObject({
      ...{ state: 'succeeded', reason: 'the printer was closed and opened again; it is well' },
    });
    expect(await rig.terminal.metric('hardware', metric)).toBe(before + 1);
    expect(await reopen('hardware', 'scale')).toMatchObject({
      ...{ state: 'failed', reason: 'no device is called scale here' },
    });
    expect(await reopen('old', 'printer')).toMatchObject({ reason: 'it has no devices' });
  });

  it('has it looked at now, by every probe and at its thread', async () => {
    const looked = await rig.obeyed({ kind: 'probe', arguments: { component: 'old' } });
    expect(looked).toMatchObject({ state: 'succeeded', reason: 'a probe of old failed' });
    expect(looked.detail['old']).toMatchObject({
      ...{ state: expect.stringMatching(/ready|suspect/), version: '1.0.0' },
      thread: { state: 'S', overMs: 1_000 },
      probes: [
        { name: 'http-0', ok: true, reason: 'status 200' },
        { name: 'tcp-1', ok: false, reason: 'ECONNREFUSED' },
      ],
    });
    const all = await rig.obeyed({ kind: 'probe', arguments: {} });
    expect(Object.keys(all.detail)).toEqual(['hardware', 'old']);
  });

  it('gets one redacted document of a till, whole, under the id of the request', async () => {
    await rig.obeyed({ kind: 'hold', arguments: { forMs: 5_000 } }, { reason: `card ${CARD}` });
    const request = randomUUID();
    const ended = await rig.obeyed({ kind: 'diagnose', arguments: { request } });
    expect(ended).toMatchObject({ state: 'succeeded' });
    const bytes = rig.answerBytes();
    expect(ended.detail).toMatchObject({
      ...{ bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') },
    });
    expect(bytes.length).toBeLessThan(DIAGNOSIS_BYTES_MAX);
    const text = gunzipSync(bytes).toString();
    expect(text).not.toContain(CARD);
    const document = JSON.parse(text);
    expect(document).toMatchObject({
      terminal: 'lane-1',
      components: { hardware: { state: 'ready' }, old: { probes: [{ ok: true }, { ok: false }] } },
      queues: { link: { connected: true } },
      network: {
        hops: expect.arrayContaining([
          expect.objectContaining({ hop: 'name', ok: true }),
          expect.objectContaining({ hop: 'broker', ok: true, reason: 'connected' }),
        ]),
      },
      certificates: { state: 'plain_text' },
      clock: { isBrokerTimeKnown: true },
      disk: { level: 'normal' },
      hold: { by: 'kim' },
    });
    expect(document.log.join('\n')).toContain('command hold is accepted');
    await until('nothing of it is left on the till', () => {
      return readdirSync(join(rig.till.folder, 'data', 'diagnoses')).length === 0;
    });
  });
});
