// The folder of an identity: what is refused in it, and what is left of it when a swap is cut off anywhere.

import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type IdentityRecord, merge } from '../../agent/identity/record.ts';
import {
  loadIdentity,
  makeIdentityFolder,
  offer,
  takeOver,
} from '../../agent/system/identity-folder.ts';
import { Authority, type Pair, USE } from '../real/tls-rig.ts';
import { folders, trustOf } from './identity-agent-rig.ts';
import { need } from './outbox-rig.ts';

let fleet: Authority;
let other: Authority;
let pairs: Pair[];
const disk = folders();

beforeAll(async () => {
  fleet = await Authority.make();
  other = await Authority.make();
  const make = () => fleet.issue({ commonName: 'lane-1', use: [USE.client] });
  pairs = await Promise.all([make(), make(), make()]);
});
afterEach(() => disk.remove());

const recordOf = (authority = fleet, how: IdentityRecord['how'] = 'enrolled', version = 1) => ({
  ...{ terminal: 'lane-1', store: 'store-1', token: 'aa', how },
  ...{ trust: trustOf(authority, version), brokers: ['mqtts://b:1'], urls: ['https://b:2'] },
});
const pair = (at: number): Pair => {
  const found = pairs[at];
  if (found === undefined) throw new Error('no such pair');
  return found;
};
function enrolled(): string {
  const folder = disk.make();
  need(makeIdentityFolder(folder));
  need(offer(folder, recordOf(), pair(0)));
  need(takeOver(folder));
  return folder;
}
const keyIn = (folder: string) => need(loadIdentity(folder, 'lane-1'))?.key;
const why = (folder: string, terminal = 'lane-1') => {
  const loaded = loadIdentity(folder, terminal);
  return loaded.ok ? '' : loaded.reason;
};

describe('an identity on disk', () => {
  test('is none where there is no folder, and none where it is empty', () => {
    const folder = disk.make();
    expect(need(loadIdentity(folder, 'lane-1'))).toBeUndefined();
    need(makeIdentityFolder(folder));
    expect(need(loadIdentity(folder, 'lane-1'))).toBeUndefined();
  });

  test.each(['key.pem', 'certificate.pem', 'identity.json'])(
    'is refused with a sentence while others may read %s',
    (name) => {
      const folder = enrolled();
      chmodSync(join(folder, name), 0o640);
      expect(why(folder)).toMatch(/may be read by others \(mode 640\): enrol this terminal anew/);
      chmodSync(join(folder, name), 0o600);
      expect(why(folder)).toBe('');
    },
  );

  test('is refused while its folder is open to others', () => {
    const folder = enrolled();
    chmodSync(folder, 0o755);
    expect(why(folder)).toMatch(/is open to others \(mode 755\)/);
  });

  test.each([
    ['a missing key', (at: string) => copyFileSync(join(at, 'identity.json'), join(at, 'key.pem'))],
    [
      'a key of another certificate',
      (at: string) => writeFileSync(join(at, 'key.pem'), pair(1).key),
    ],
    ['half a record', (at: string) => writeFileSync(join(at, 'identity.json'), '{"v":1,')],
    ['too much', (at: string) => writeFileSync(join(at, 'key.pem'), 'x'.repeat(100_000))],
  ])('with %s is wrong, says so, and shows nothing of the key', (_what, spoil) => {
    const folder = enrolled();
    spoil(folder);
    expect(why(folder)).not.toBe('');
    expect(why(folder)).not.toContain('BEGIN');
  });

  test('follows no link to somewhere else', () => {
    const folder = enrolled();
    const elsewhere = disk.make();
    mkdirSync(elsewhere);
    writeFileSync(join(elsewhere, 'k'), pair(0).key, { mode: 0o600 });
    need(offer(folder, recordOf(), pair(0)));
    need(takeOver(folder));
    symlinkSync(join(elsewhere, 'k'), join(folder, 'key.pem'));
    need(offer(folder, recordOf(), pair(0)));
    expect(why(folder)).toBe('');
    // What was a link is a file of ours now.
    expect(need(takeOver(folder))).toBe('enrolled');
    expect(keyIn(folder)).toBe(pair(0).key);
  });

  test("another terminal's is not taken for its own", () => {
    expect(why(enrolled(), 'lane-2')).toMatch(/is that of lane-1, not of lane-2/);
  });
});

describe('a swap', () => {
  test('offers beside what holds, and takes over with one rename', () => {
    const folder = enrolled();
    need(offer(folder, recordOf(fleet, 'renewed'), pair(1)));
    expect(keyIn(folder)).toBe(pair(0).key);
    expect(need(takeOver(folder))).toBe('renewed');
    expect(keyIn(folder)).toBe(pair(1).key);
    expect(need(takeOver(folder))).toBeUndefined();
    need(offer(folder, recordOf(fleet, 'renewed'), pair(2)));
    need(takeOver(folder));
    expect(keyIn(folder)).toBe(pair(2).key);
    expect(readdirSync(folder).toSorted()).toEqual(['certificate.pem', 'identity.json', 'key.pem']);
  });

  test('with half an offer keeps what holds', () => {
    const folder = enrolled();
    need(offer(folder, recordOf(fleet, 'renewed'), pair(1)));
    writeFileSync(join(folder, 'certificate-2.pem'), pair(2).certificate);
    expect(takeOver(folder).ok).toBe(false);
    expect(keyIn(folder)).toBe(pair(0).key);
    expect(readdirSync(folder)).not.toContain('identity.next.json');
  });
});

describe('whom it believes', () => {
  test('is not changed by a renewal, whatever came with it', () => {
    const record = (
      by: Authority,
      how: IdentityRecord['how'],
      version: number,
    ): IdentityRecord => ({
      ...{ ...recordOf(by, how, version), v: 1, pair: 2 },
    });
    const held = record(fleet, 'enrolled', 5);
    expect(merge(held, record(fleet, 'renewed', 9)).trust).toBe(held.trust);
    expect(merge(held, record(other, 'renewed', 9)).trust).toBe(held.trust);
    // A person with a token stands there: within the fleet its version still never goes back.
    expect(merge(held, record(fleet, 'enrolled', 4)).trust).toBe(held.trust);
    expect(merge(held, record(fleet, 'enrolled', 6)).trust.version).toBe(6);
    expect(merge(held, record(other, 'enrolled', 1)).trust.version).toBe(1);
  });
});
