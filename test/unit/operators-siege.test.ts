// Whoever can reach the broker can fail to sign in as anybody. That must not keep out who has the right token and is
// where they were before: an admin who cannot get in is what an attacker wants while something else goes on.

import { expect, it } from 'vitest';
import { operatorRig } from './operators-rig.ts';

const wrong = 'A'.repeat(43);
const OFFICE = '192.0.2.1';
const HOUR_MS = 3_600_000;

async function besieged() {
  const rig = operatorRig();
  const kim = await rig.add('kim', 'admin');
  await rig.enter(kim, OFFICE);
  const attack = async (name: string, addresses: readonly string[]) => {
    const kinds: string[] = [];
    for (const address of addresses) {
      const tried = await rig.get().signIn(name, wrong, address);
      kinds.push(tried.ok ? 'ok' : tried.kind);
    }
    return kinds;
  };
  const enter = async (address = OFFICE) => await rig.get().signIn('kim', kim.secret, address);
  return { ...rig, kim, attack, enter };
}
const everywhere = Array.from({ length: 60 }, (_, i) => `198.51.100.${i}`);
const fromOffice = Array.from({ length: 60 }, () => OFFICE);

it('a name that is attacked from everywhere lets its owner in at once, where they were before', async () => {
  const { attack, enter } = await besieged();
  await attack('kim', everywhere);
  expect(await enter('203.0.113.9')).toMatchObject({ ok: false, kind: 'paused' });
  expect(await enter()).toMatchObject({ ok: true });
});

it('an address from which others are attacked lets in who is known there', async () => {
  const { attack, enter } = await besieged();
  for (let i = 0; i < 60; i += 1) await attack(`somebody-${i}`, [OFFICE]);
  expect(await attack('lee', [OFFICE])).toEqual(['paused']);
  expect(await enter()).toMatchObject({ ok: true });
});

it('who is known is still known the day after, by a broker that was started again', async () => {
  const { attack, enter, reopen, time } = await besieged();
  time.pass(24 * HOUR_MS);
  reopen();
  await attack('kim', everywhere);
  expect(await enter()).toMatchObject({ ok: true });
});

it('the same name from the same address waits two seconds at most', async () => {
  const { attack, enter, time } = await besieged();
  await attack('kim', fromOffice);
  const answer = await enter();
  expect(answer).toMatchObject({ ok: false, kind: 'paused' });
  time.pass(2_000);
  expect(await enter()).toMatchObject({ ok: true });
  // And is no way to try for ever: each waits.
  const kinds = await attack('kim', fromOffice.slice(0, 20));
  expect(kinds.filter((kind) => kind === 'wrong').length).toBeLessThanOrEqual(6);
});

it('a queue full of strangers is passed by who is known, and by an admin who lets somebody in', async () => {
  const { enter, get } = await besieged();
  const crowd = everywhere.map((address, i) => get().signIn(`name-${i}`, wrong, address));
  const known = enter();
  const added = get().add('ada', 'viewer', { name: 'kim', address: OFFICE });
  expect(await known).toMatchObject({ ok: true });
  expect(await added).toMatchObject({ ok: true });
  const kinds = (await Promise.all(crowd)).map((one) => (one.ok ? 'ok' : one.kind));
  expect(kinds).toContain('busy');
});

it('an admin who is disabled while their new operator is made makes none', async () => {
  const { add, get, enter } = await besieged();
  await add('eve', 'admin');
  const making = get().add('backdoor', 'admin', { name: 'eve', address: OFFICE });
  const renewing = get().newToken('kim', { name: 'eve', address: OFFICE });
  get().change('eve', { enabled: false }, { name: 'kim', address: OFFICE });
  expect([await making, await renewing]).toMatchObject([{ ok: false }, { ok: false }]);
  expect(
    get()
      .list()
      .map(({ name }) => name),
  ).toEqual(['eve', 'kim']);
  expect(await enter()).toMatchObject({ ok: true });
});
