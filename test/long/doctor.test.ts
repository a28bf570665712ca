// `tillwatch doctor` on a real till with a real broker: well, put out, alone, revoked, and looked at by
// somebody who may see nothing. What each single check finds is in test/unit/doctor-*.test.ts.

import { execFile } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { plainStyle } from '../../cli/screen.ts';
import { runDoctor } from '../../cli/verbs/doctor.ts';
import { fault, Rig, until } from '../real/agent-rig.ts';
import { type FleetRig, openFleetRig } from '../real/trust-rig.ts';

const PROGRAM = resolve('cli/tillwatch.ts');
const NOBODY = 65_534;
const rig = new Rig();
let fleet: FleetRig;

type Ran = { readonly code: number; readonly out: string; readonly err: string };

/** In this process: starting one from source costs more than what it does. */
async function doctor(config: string, more: Readonly<Record<string, unknown>> = {}): Promise<Ran> {
  const lines: string[] = [];
  const print = (line: string): number => lines.push(line);
  const context = { print, style: plainStyle, env: process.env };
  const { exit, sentence = '' } = await runDoctor({ config, ...more }, context);
  return { code: exit, out: lines.join('\n'), err: sentence };
}

/** As it is typed, by somebody else. */
function typed(user: { uid: number; gid: number }, ...args: string[]): Promise<Ran> {
  return new Promise((done) => {
    const argv = [PROGRAM, 'doctor', ...args];
    execFile(process.execPath, argv, { ...user, cwd: '/' }, (error, out, err) => {
      done({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}
const till = (more?: Readonly<Record<string, unknown>>): Promise<Ran> => doctor(rig.file, more);

beforeAll(async () => {
  fleet = await openFleetRig();
  const identityDir = await fleet.enrollFolder('lane-1');
  const link = { reconnectMsMin: 100, reconnectMsMax: 300 };
  rig.configure([fault('sale')], { identityDir, broker: {}, link });
  void rig.start();
  await rig.ready('sale');
  await until('it is connected', () =>
    rig.log().some(({ message }) => message.startsWith('connected')),
  );
});
afterAll(async () => {
  await rig.clean();
  await fleet.close();
});

it('a till and a broker that are well: nothing failed, exit 0', async () => {
  const [here, there] = await Promise.all([till(), doctor(fleet.configFile)]);
  expect([here.code, here.err, here.out]).toEqual([0, '', expect.not.stringContaining('FAIL')]);
  expect(here.out).toMatch(/^ok +components +sale: ready$/m);
  expect(here.out).toMatch(/^ok +admitted +the agent is connected to its broker$/m);
  expect(here.out).toMatch(/^\d+ findings: \d+ ok/m);
  for (const line of here.out.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  expect([there.code, there.err]).toEqual([0, '']);
  expect(there.out).toMatch(/^ok +ports +MQTT on port \d+: held by the broker$/m);
  expect(there.out).toMatch(/^ok +names +localhost:\d+ leads here, as terminals see it$/m);
  expect(there.out).toMatch(/^ok +ready +it commits what terminals send/m);
  expect(there.out).toMatch(/^ok +terminals +1 of 1 online$/m);
});

it('as JSON, and one check alone; a check that does not exist is named', async () => {
  const [json, wrong] = await Promise.all([
    till({ json: true, only: 'agent,way' }),
    till({ only: 'x' }),
  ]);
  const told = JSON.parse(json.out) as { kind: string; findings: { check: string }[] };
  expect(told).toMatchObject({ kind: 'agent', fail: 0 });
  expect(new Set(told.findings.map(({ check }) => check))).toEqual(new Set(['agent', 'way']));
  expect([wrong.code, wrong.err]).toEqual([64, expect.stringContaining('there are node, ')]);
});

it.runIf(process.getuid?.() === 0)(
  'somebody else is told what may not be seen, and why',
  async ({ skip }) => {
    chmodSync(rig.folder, 0o755);
    chmodSync(fleet.dir, 0o755);
    chmodSync(rig.file, 0o644);
    const other = { uid: NOBODY, gid: NOBODY };
    const here = await typed(other, '--config', rig.file);
    skip(/EACCES|ERR_MODULE_NOT_FOUND/.test(here.err), 'nobody else may read this checkout');
    expect(here.err).toBe('');
    expect(here.out).not.toContain('FAIL');
    expect(here.out).toMatch(/^skip +agent +the agent in .* is not yours to ask/m);
    expect(here.out).toMatch(/^skip +identity +.* may not be seen/m);
    expect(here.out).toContain('run it again as root');
  },
);

it('a till that is revoked hears it from its broker, also without its agent', async () => {
  rig.agent?.kill('SIGTERM');
  await until('the agent ended', () => rig.agent?.exitCode !== null);
  const before = await till({ only: 'agent,admitted' });
  expect([before.code, before.out]).toEqual([1, expect.stringMatching(/^FAIL +agent +no agent/m)]);
  expect(before.out).toMatch(/^ok +admitted +the broker takes the certificate of lane-1$/m);
  await fleet.act('lane-1', 'revoke');
  const after = await till({ only: 'admitted' });
  expect(after.code).toBe(1);
  expect(after.out).toMatch(/^FAIL +admitted +the broker does not let lane-1 in/m);
  expect(after.out).toContain('-> ask the centre how it stands');
});

it('without its broker: the hop that fails, and a broker that does not run', async () => {
  await fleet.stop();
  const [here, there] = await Promise.all([
    till({ only: 'way,identity,outbox' }),
    doctor(fleet.configFile),
  ]);
  expect(here.code).toBe(1);
  expect(here.out).toMatch(/^FAIL +way +broker localhost:\d+: nobody listens there/m);
  expect(here.out).toMatch(/^skip +way +handshake localhost:\d+: it is not reached$/m);
  expect(here.out).toMatch(/^ok +identity +lane-1, enrolled/m);
  expect(there.code).toBe(1);
  expect(there.out).toMatch(/^FAIL +broker +no broker runs/m);
  expect(there.out).toMatch(/^ok +databases +ledger\.db: .*, whole$/m);
  expect(there.out).toContain('1 failed (broker)');
});
