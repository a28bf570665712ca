// The trust of a running broker: it renews its own certificate, notices what `tillwatch broker rotate` did beside it,
// and keeps what it has when it cannot read what is new.

import { X509Certificate } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { followTrust } from '../../broker/trust/follow.ts';
import { type RotateOptions, rotateTrust } from '../../broker/trust/rotate.ts';
import type { Trust } from '../../broker/trust/types.ts';
import { publicKeyText } from '../../protocol/commands.ts';
import { csr, DAY_MS, must, openRig, why } from './trust-rig.ts';

const LOOK_MS = 2_000;
/** Encrypted keys cost scrypt its 0.2 s each, more on a busy machine. */
const SLOW = { timeout: 60_000 };
const HOUR_MS = 3_600_000;
let rig: ReturnType<typeof openRig>;
let trust: Trust;
beforeEach(async () => {
  rig = openRig();
  must(await rig.make());
  trust = must(await rig.open());
});
afterEach(() => rig.close());

/** The trust of that version is in use. */
const at = (version: number) => (): boolean => trust.document().version === version;
const path = (name: string): string => join(rig.keysDir, name);
const turn = (
  target: RotateOptions['target'],
  step: RotateOptions['step'],
  more: Partial<RotateOptions> = {},
) =>
  rotateTrust({
    ...{ keysDir: rig.keysDir, dataDir: rig.dir, target, step, nowMs: rig.nowMs() },
    ...more,
  });
const commandKeys = (): readonly string[] => trust.document().commandKeys;
const signing = (): string => publicKeyText(trust.commandKey());

/** Terminals as the registry keeps them. */
function plant(...models: { terminal: string; state: string; trust: number; authority: string }[]) {
  const db = new DatabaseSync(join(rig.dir, 'registry.db'));
  db.exec('CREATE TABLE IF NOT EXISTS identities (terminal, state, model); DELETE FROM identities');
  for (const { terminal, state, trust: version, authority } of models) {
    const current = { serial: 'aa', notAfterMs: 1, authority };
    const model = JSON.stringify({ trust: version, current });
    db.prepare('INSERT INTO identities VALUES (?, ?, ?)').run(terminal, state, model);
  }
  db.close();
}

describe("the broker's own certificate", () => {
  it('is kept over restarts and renewed when two thirds of its life are over', async () => {
    const first = trust.server().cert;
    expect(must(await rig.open()).server().cert).toBe(first);
    const told: string[] = [];
    trust.onServer(({ cert }) => void told.push(cert));
    await rig.pass(59 * DAY_MS);
    expect(told).toEqual([]);
    await rig.pass(2 * DAY_MS, () => told.length > 0);
    expect(told).toEqual([trust.server().cert]);
    expect(trust.server().cert).not.toBe(first);
    const ends = Date.parse(new X509Certificate(trust.server().cert).validTo);
    expect((ends - rig.nowMs()) / DAY_MS).toBeCloseTo(90, 3);
  });

  it('is made anew when the broker got other names, or the file is no good', async () => {
    const first = trust.server().cert;
    const named = must(await rig.open(undefined, ['other.example']));
    const leaf = new X509Certificate(named.server().cert);
    expect([leaf.checkHost('other.example'), leaf.checkHost('broker.example')]).toEqual([
      'other.example',
      undefined,
    ]);
    for (const damage of ['', 'x', readFileSync(path('authority-1.key'), 'utf8')]) {
      writeFileSync(path('server.pem'), damage);
      expect(must(await rig.open()).server().cert).not.toBe(first);
    }
  });

  it('that cannot be written keeps the old one and is tried again', async () => {
    const first = trust.server().cert;
    rmSync(path('server.pem'));
    // A folder in the way, which root cannot write over either.
    mkdirSync(path('server.pem'), { mode: 0o700 });
    await rig.pass(61 * DAY_MS, () => rig.said.some(({ level }) => level === 'error'));
    expect(trust.server().cert).toBe(first);
    expect(rig.said.filter(({ level }) => level === 'error')).toHaveLength(1);
    rmSync(path('server.pem'), { recursive: true });
    await rig.pass(HOUR_MS, () => trust.server().cert !== first);
    expect(trust.server().cert).not.toBe(first);
  });
});

describe('the rotation of the command key', () => {
  it('reaches a running broker, and the old key is in no document after it', async () => {
    const versions: number[] = [];
    trust.onDocument(({ version }) => void versions.push(version));
    const old = signing();
    must(await turn('command', 'start'));
    await rig.pass(LOOK_MS, at(2));
    const added = commandKeys().at(-1);
    expect(commandKeys()).toEqual([old, added]);
    expect(signing()).toBe(old);
    must(await turn('command', 'switch'));
    await rig.pass(LOOK_MS, at(3));
    expect(signing()).toBe(added);
    expect(commandKeys()).toEqual([added, old]);
    must(await turn('command', 'finish'));
    await rig.pass(LOOK_MS, at(4));
    expect(commandKeys()).toEqual([added]);
    expect(versions).toEqual([2, 3, 4]);
    expect(readdirSync(rig.keysDir)).not.toContain('command-1.key');
    const again = must(await rig.open());
    expect([again.document(), publicKeyText(again.commandKey())]).toEqual([
      trust.document(),
      added,
    ]);
  });

  it('waits for terminals that do not know the new key, and says who they are', async () => {
    must(await turn('command', 'start'));
    const authority = trust.fingerprint();
    const lane = (n: number, version: number, state = 'enrolled') => ({
      ...{ terminal: `lane-${n}`, state, trust: version, authority },
    });
    plant(
      lane(1, 2),
      lane(2, 1),
      lane(3, 0, 'suspended'),
      lane(4, 0, 'retired'),
      lane(5, 0, 'new'),
    );
    const refused = why(await turn('command', 'switch'));
    expect(refused).toMatch(/^lane-2, lane-3 would be locked out: wait/);
    expect(must(await rig.open()).document().version).toBe(2);
    plant(lane(1, 2), lane(2, 2), lane(3, 2, 'suspended'));
    expect(must(await turn('command', 'switch')).waitsFor).toEqual([]);
    plant(lane(1, 2), lane(2, 1));
    expect(why(await turn('command', 'finish'))).toMatch(/^lane-2 would be locked out/);
    expect(must(await turn('command', 'finish', { force: true })).phase).toBe('settled');
  });

  it('can be taken back before the switch', async () => {
    const before = trust.document();
    must(await turn('command', 'start'));
    must(await turn('command', 'cancel'));
    await rig.pass(LOOK_MS, at(3));
    expect(trust.document()).toEqual({ ...before, version: 3 });
    expect(readdirSync(rig.keysDir).filter((name) => name.startsWith('command-'))).toEqual([
      'command-1.key',
    ]);
  });
});

describe('the rotation of the authority', () => {
  it('lets certificates of both in during the overlap, and the old ones no longer after it', async () => {
    const issue = async (terminal: string) => must(await trust.issue(terminal, await csr(), 30));
    const old = await issue('lane-1');
    const first = trust.fingerprint();
    must(await turn('authority', 'start'));
    await rig.pass(LOOK_MS, at(2));
    expect(trust.document().authorities).toHaveLength(2);
    expect(trust.server().authorities).toEqual(trust.document().authorities);
    expect(trust.fingerprint()).toBe(first);
    must(await turn('authority', 'switch'));
    await rig.pass(LOOK_MS, at(3));
    const second = trust.fingerprint();
    expect(second).not.toBe(first);
    const fresh = await issue('lane-1');
    expect(must(trust.readClient(old.certificate)).authority).toBe(first);
    expect(must(trust.readClient(fresh.certificate)).authority).toBe(second);
    const leaf = new X509Certificate(trust.server().cert);
    const [issuing = ''] = trust.document().authorities;
    expect(leaf.verify(new X509Certificate(issuing).publicKey)).toBe(true);
    plant({ terminal: 'lane-1', state: 'enrolled', trust: 3, authority: first });
    expect(why(await turn('authority', 'finish'))).toMatch(/^lane-1 would be locked out/);
    plant({ terminal: 'lane-1', state: 'enrolled', trust: 3, authority: second });
    must(await turn('authority', 'finish'));
    await rig.pass(LOOK_MS, at(4));
    expect(why(trust.readClient(old.certificate))).toMatch(/not issued by an authority/);
    expect(trust.readClient(fresh.certificate).ok).toBe(true);
    expect(readdirSync(rig.keysDir).filter((name) => name.startsWith('authority-'))).toEqual([
      'authority-2.key',
      'authority-2.pem',
    ]);
  });

  it('works with encrypted keys, and says when the passphrase is wrong', SLOW, async () => {
    const closed = openRig();
    const passphrase = 'correct horse battery';
    must(await closed.make(passphrase));
    const running = must(await closed.open(passphrase));
    const how = { keysDir: closed.keysDir, dataDir: closed.dir };
    expect(why(await turn('authority', 'start', how))).toMatch(/is encrypted/);
    expect(why(await turn('authority', 'start', { ...how, passphrase: 'other' }))).toMatch(
      /passphrase does not open/,
    );
    for (const step of ['start', 'switch'] as const) {
      must(await turn('authority', step, { ...how, passphrase }));
    }
    expect(readFileSync(join(closed.keysDir, 'authority-2.key'), 'utf8')).toMatch(/ENCRYPTED/);
    await closed.pass(LOOK_MS, () => running.document().authorities.length === 2);
    closed.close();
  });
});

describe('what cannot be read', () => {
  it('changes nothing, is said once, and is read when it is whole', async () => {
    const state = readFileSync(path('trust.json'));
    const before = trust.document();
    writeFileSync(path('trust.json'), 'half');
    for (let look = 0; look < 5; look += 1) await rig.pass(LOOK_MS);
    expect(trust.document()).toEqual(before);
    expect(rig.said.filter(({ level }) => level === 'error')).toHaveLength(1);
    writeFileSync(path('trust.json'), state);
    must(await turn('command', 'start'));
    await rig.pass(LOOK_MS, at(2));
    expect(trust.document().version).toBe(2);
  });

  it('and what is older than what was told already, is refused', async () => {
    copyFileSync(path('trust.json'), path('backup'));
    must(await turn('command', 'start'));
    await rig.pass(LOOK_MS, at(2));
    copyFileSync(path('backup'), path('trust.json'));
    await rig.pass(LOOK_MS, () => rig.said.some(({ level }) => level === 'error'));
    expect(trust.document().version).toBe(2);
    expect(rig.said.at(-1)?.fields['reason']).toBe('trust.json went back to 1');
  });
});

it('says when certificates end, warns below thirty days, and writes each change down', async () => {
  let read: (() => readonly { use: string; atMs: number }[]) | undefined;
  const entries: { action: string; detail: unknown }[] = [];
  const certificate = path('authority-1.pem');
  const options = {
    ...{ trust, certificate, clock: { wallMs: rig.nowMs } },
    audit: { write: (entry: { action: string; detail: unknown }) => void entries.push(entry) },
    metrics: {
      watch: (more: { certificates?: typeof read }) => {
        read = more.certificates;
      },
    },
    timers: { after: () => () => {}, every: () => () => {} },
    log: {
      info: () => {},
      error: () => {},
      warn: (_: string, fields = {}) => void warned.push(fields),
    },
  } as unknown as Parameters<typeof followTrust>[0];
  const warned: object[] = [];
  const stop = followTrust(options);
  const days = read?.().map(({ use, atMs }) => [use, Math.round((atMs - rig.nowMs()) / DAY_MS)]);
  expect(days).toEqual([
    ['authority', 3_653],
    ['server', 90],
    ['http', 3_653],
  ]);
  expect(warned).toEqual([]);
  must(await turn('authority', 'start'));
  await rig.pass(LOOK_MS, at(2));
  expect(entries).toMatchObject([
    { action: 'trust.change', detail: { version: 2, authorities: 2 } },
  ]);
  stop();
  const before = trust.server().cert;
  await rig.pass(3_640 * DAY_MS, () => trust.server().cert !== before);
  followTrust(options)();
  expect(warned).toMatchObject([
    { use: 'authority', days: 12 },
    // Nothing outlives who vouches for it.
    { use: 'server', days: 12 },
    { use: 'http', days: 12 },
  ]);
});
