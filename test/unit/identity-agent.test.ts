// The identity over weeks, with a clock that is moved by hand and a program that asks nobody: when it enrols and renews,
// what it does with what fails, and how trust is changed by a signed command.

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Done } from '../../agent/identity/job.ts';
import { machineOf } from '../../agent/identity/machine.ts';
import { wayOf } from '../../agent/identity/open.ts';
import { renewAtMs } from '../../agent/identity/schedule.ts';
import { makeIdentityFolder, offer, takeOver } from '../../agent/system/identity-folder.ts';
import { placeToken } from '../../agent/system/token-file.ts';
import { keyIdOf } from '../../protocol/commands.ts';
import { parseHello } from '../../protocol/hello.ts';
import { fail, ok } from '../../protocol/result.ts';
import { Authority, type Pair, USE } from '../real/tls-rig.ts';
import { START_MS } from './fleet-rig.ts';
import { commandKey, DAY_MS, folders, MACHINE, tokenFor, trustOf } from './identity-agent-rig.ts';
import { till } from './identity-agent-till.ts';
import { need } from './outbox-rig.ts';

const LIFE_DAYS = 90;
let fleet: Authority;
let first: Pair;
let second: Pair;
const disk = folders();

const pairFrom = (fromMs: number): Promise<Pair> =>
  fleet.issue({
    ...{ commonName: 'lane-1', use: [USE.client], fromMs },
    untilMs: fromMs + LIFE_DAYS * DAY_MS,
  });

beforeAll(async () => {
  fleet = await Authority.make('ours', START_MS - 400 * DAY_MS);
  first = await pairFrom(START_MS);
  second = await pairFrom(START_MS + 60 * DAY_MS);
});
afterEach(() => disk.remove());

const recordOf = (how: 'enrolled' | 'renewed', trust = trustOf(fleet)) => ({
  ...{ terminal: 'lane-1', store: 'store-1', token: '0123456789abcdef', how, trust },
  ...{ brokers: ['mqtts://one.example:8883', 'mqtts://two.example:443'], urls: ['https://b:2'] },
});

const terminal = (folder = disk.make(), more: Parameters<typeof till>[1] = {}) =>
  till(folder, more);
const GOT: Done = { ok: true, expiresMs: 1, store: 'store-1', url: 'https://b:2' };
const no = (reason: string, final = false): Done => ({ ok: false, reason, final });

function enrolledFolder(pair = first): string {
  const folder = disk.make();
  need(makeIdentityFolder(folder));
  need(offer(folder, recordOf('enrolled'), pair));
  need(takeOver(folder));
  return folder;
}

const place = (folder: string, token: string) =>
  placeToken(
    { broker: { plainText: false }, terminal: 'lane-1', identityDir: folder } as never,
    token,
  );

describe('without an identity', () => {
  test('it says what to do, and has no way to a broker', () => {
    const till = terminal();
    expect(till.identity.state()).toBe('none');
    expect(till.identity.why()).toMatch(/type tillwatch join here/);
    const broker = { plainText: false, host: '', port: 1, addresses: [] };
    expect(wayOf({ broker }, till.identity)).toEqual(fail(till.identity.why()));
    till.time.pass(3_600_000);
    expect(till.jobs).toEqual([]);
  });

  test('a token that lies in its folder enrols it, and is gone afterwards', async () => {
    const till = terminal();
    need(place(till.folder, `${tokenFor(fleet, ['https://b:2'])}\n`));
    till.time.pass(2_000);
    expect(till.jobs).toMatchObject([{ kind: 'enrol', terminal: 'lane-1', machine: MACHINE }]);
    // The program has written, and taken over because nobody else could.
    need(offer(till.folder, recordOf('enrolled'), first));
    need(takeOver(till.folder));
    await till.end(GOT);
    expect(till.identity.state()).toBe('ready');
    expect(till.changes()).toBe(1);
    expect(existsSync(join(till.folder, 'token'))).toBe(false);
    const expiresMs = START_MS + LIFE_DAYS * DAY_MS;
    expect(till.events).toEqual([
      { what: 'enrolled', reason: 'by https://b:2', expiresMs, trust: 1 },
    ]);
    expect(till.identity.expiresMs()).toBe(expiresMs);
  });

  test('while no broker is there it tries again, at most every minute, and says why once', async () => {
    const till = terminal(disk.make(), { random: 0.999 });
    need(place(till.folder, tokenFor(fleet, ['https://b:2'])));
    const at: number[] = [];
    for (let turn = 0; turn < 9; turn += 1) {
      while (till.jobs.length === turn) till.time.pass(1_000);
      at.push(till.time.clock.monotonicMs());
      await till.end(no('b:2: connect ECONNREFUSED'));
    }
    const waits = at.slice(1).map((ms, index) => ms - (at[index] ?? 0));
    expect(Math.max(...waits)).toBeLessThanOrEqual(62_000);
    expect(waits.at(-1)).toBeGreaterThan(55_000);
    const told = till.log.lines.filter((line) => line.includes('ECONNREFUSED'));
    expect(told).toHaveLength(1);
    expect(till.identity.why()).toMatch(/ECONNREFUSED/);
    expect(till.log.lines.join('\n')).not.toContain('twe1.');
  });

  test('what the broker refuses is not asked again', async () => {
    const till = terminal();
    need(place(till.folder, tokenFor(fleet, ['https://b:2'])));
    till.time.pass(2_000);
    await till.end(no('this token was used', true));
    till.time.pass(3_600_000);
    expect(till.jobs).toHaveLength(1);
    expect(existsSync(join(till.folder, 'token'))).toBe(false);
    expect(till.identity.why()).toMatch(/this token was used/);
  });

  test('a program that dies is started again', async () => {
    const till = terminal();
    need(place(till.folder, tokenFor(fleet, ['https://b:2'])));
    till.time.pass(2_000);
    await till.crash();
    till.time.pass(10_000);
    expect(till.jobs).toHaveLength(2);
  });

  test('what is no token, or that of another terminal, is told and removed', () => {
    const till = terminal();
    expect(place(till.folder, 'nonsense').ok).toBe(false);
    const others = place(till.folder, tokenFor(fleet, ['https://b:2'], 'lane-2'));
    expect(others).toEqual(fail('the token is for lane-2, and this is lane-1'));
    need(makeIdentityFolder(till.folder));
    writeFileSync(join(till.folder, 'token'), 'nonsense', { mode: 0o600 });
    till.time.pass(2_000);
    expect(till.jobs).toEqual([]);
    expect(existsSync(join(till.folder, 'token'))).toBe(false);
  });
});

describe('with an identity', () => {
  test('it has a way: the brokers that it was told, or those of the file, and says who it is', () => {
    const { identity } = terminal(enrolledFolder());
    const plain = { plainText: false, host: '', port: 1 };
    const told = need(wayOf({ broker: { ...plain, addresses: [] } }, identity));
    expect(told.addresses).toEqual([
      { host: 'one.example', port: 8_883 },
      { host: 'two.example', port: 443 },
    ]);
    expect(told.credentials?.certificate).toBe(first.certificate);
    expect(parseHello(told.username)).toMatchObject({ trust: 1 });
    const proxy = 'http://proxy.example:3128';
    const own = { ...plain, addresses: ['mqtts://[::1]'], proxy };
    const written = need(wayOf({ broker: own }, identity));
    expect(written.addresses).toEqual([{ host: '::1', port: 8_883 }]);
    expect(written.proxy).toMatchObject({ host: 'proxy.example', port: 3_128 });
  });

  test('the same token again is no reason to enrol again; a new one is', () => {
    const till = terminal(enrolledFolder());
    need(place(till.folder, tokenFor(fleet, ['https://b:2'])));
    till.time.pass(60_000);
    expect(till.jobs).toEqual([]);
    expect(existsSync(join(till.folder, 'token'))).toBe(false);
  });

  test('it renews at two thirds of its life, each terminal at its own moment', async () => {
    for (const random of [0, 0.5, 0.99]) {
      const dueMs = renewAtMs(0, LIFE_DAYS * DAY_MS, random);
      expect(dueMs / DAY_MS).toBeGreaterThanOrEqual(60);
      expect(dueMs / DAY_MS).toBeLessThan(67.5);
      const pair = await pairFrom(START_MS - dueMs + 120_000);
      const till = terminal(enrolledFolder(pair), { random });
      till.time.pass(110_000);
      expect(till.jobs).toEqual([]);
      till.time.pass(20_000);
      expect(till.jobs).toMatchObject([{ kind: 'renew' }]);
    }
  });

  test('weeks after the end it asks as soon as it runs', async () => {
    const fromMs = START_MS - (LIFE_DAYS + 21) * DAY_MS;
    const till = terminal(enrolledFolder(await pairFrom(fromMs)));
    till.time.pass(2_000);
    expect(till.jobs[0]).toMatchObject({ kind: 'renew', floorMs: fromMs });
  });

  test('what was got is taken over, used from now on and told', async () => {
    const till = terminal(enrolledFolder());
    till.identity.renew();
    till.time.pass(60_000);
    expect(till.jobs).toHaveLength(1);
    need(offer(till.folder, recordOf('renewed', trustOf(fleet, 9)), second));
    await till.end(GOT);
    expect(till.identity.enrolment()?.credentials.certificate).toBe(second.certificate);
    expect(till.identity.trustVersion()).toBe(1);
    expect(till.changes()).toBe(1);
    expect(till.events).toMatchObject([{ what: 'renewed' }]);
  });

  test('what an agent did not live to take over is taken over by the next', () => {
    const folder = enrolledFolder();
    need(offer(folder, recordOf('renewed'), second));
    const till = terminal(folder);
    expect(till.identity.enrolment()?.credentials.certificate).toBe(second.certificate);
    expect(till.events).toMatchObject([{ what: 'renewed' }]);
  });

  test('a renewal that fails is told once, and tried again within the hour', async () => {
    const till = terminal(enrolledFolder());
    till.identity.renew();
    till.time.pass(30_000);
    for (let turn = 0; turn < 12; turn += 1) {
      await till.end(no('no broker'));
      till.time.pass(3_700_000);
    }
    expect(till.jobs).toHaveLength(13);
    expect(till.events).toMatchObject([{ what: 'renewal_failed', reason: 'no broker' }]);
    expect(till.identity.state()).toBe('ready');
  });

  test('a broker that refuses what looks good makes it ask, once an hour', async () => {
    const till = terminal(enrolledFolder());
    for (let turn = 0; turn < 100; turn += 1) {
      till.identity.doubted();
      till.time.pass(60_000);
      await till.end(no('not now', true));
    }
    expect(till.jobs.length).toBeGreaterThan(0);
    expect(till.jobs.length).toBeLessThanOrEqual(2);
  });
});

describe('trust', () => {
  test('is changed by what a signed command brings, on disk before it says so', () => {
    const till = terminal(enrolledFolder());
    const key = commandKey();
    const document = { ...trustOf(fleet, 2), commandKeys: [key] };
    expect(till.identity.applyTrust(document, false)).toEqual(ok(undefined));
    expect(till.identity.trustVersion()).toBe(2);
    expect([...till.identity.commandKeys().keys()]).toEqual([keyIdOf(key)]);
    expect(till.events).toMatchObject([{ what: 'trust', trust: 2 }]);
    expect(terminal(till.folder).identity.trustVersion()).toBe(2);
    expect(till.jobs).toEqual([]);
  });

  test('never goes back, and the same again is done already', () => {
    const till = terminal(enrolledFolder());
    const document = trustOf(fleet, 7);
    need(till.identity.applyTrust(document, false));
    need(till.identity.applyTrust(document, false));
    expect(till.identity.applyTrust(trustOf(fleet, 6), true).ok).toBe(false);
    expect(till.identity.trustVersion()).toBe(7);
    expect(till.events).toHaveLength(1);
    till.time.pass(60_000);
    expect(till.jobs).toEqual([]);
  });

  test('is not given up for a document that nobody could use', () => {
    const till = terminal(enrolledFolder());
    const bad = [
      { ...trustOf(fleet, 2), authorities: ['nonsense'] },
      { ...trustOf(fleet, 2), authorities: [first.certificate] },
      { ...trustOf(fleet, 2), commandKeys: ['ed25519:nonsense'] },
    ];
    for (const document of bad) expect(till.identity.applyTrust(document, false).ok).toBe(false);
    expect(till.identity.trustVersion()).toBe(1);
  });

  test('with a renewal asks for one within half a minute', () => {
    const till = terminal(enrolledFolder());
    need(till.identity.applyTrust(trustOf(fleet, 2), true));
    till.time.pass(60_000);
    expect(till.jobs).toMatchObject([{ kind: 'renew' }]);
  });
});

test('a machine is named by a hash of its id, or of what else there is', () => {
  expect(machineOf(['a\n', 'b'])).toBe(machineOf(['a', 'c']));
  expect(machineOf(['', 'b'])).not.toBe(machineOf(['', 'c']));
  expect(machineOf(['a'])).toMatch(/^[0-9a-f]{16}$/);
});
