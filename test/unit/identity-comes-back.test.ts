// What could keep a terminal out although it is the right one: a neighbour that fails, another machine that a person
// has accepted, a registry that was restored from a backup.

import { describe, expect, it } from 'vitest';
import {
  ACT,
  admits,
  enrolled,
  keyPair,
  open,
  renewalOf,
  renewed,
  requestOf,
  token,
} from './identity-rig.ts';

const HOUR_MS = 3_600_000;

describe('a renewal', () => {
  it('is given to the other machine once a person has said that it is right', async () => {
    const opened = open();
    const first = await enrolled(opened);
    const { request } = renewalOf(first, 'b'.repeat(16));
    expect((await opened.identities.renew(request, '10.0.0.1')).status).toBe(403);
    expect(opened.identities.acceptMachine('lane-1', ACT)).toEqual({ ok: true });
    expect((await opened.identities.renew(request, '10.0.0.1')).status).toBe(200);
    const old = await opened.identities.renew(renewalOf(first).request, '10.0.0.1');
    expect(old.status).toBe(403);
  });

  it('is given to who proves itself, whoever else fails at the same address', async () => {
    const opened = open();
    const first = await enrolled(opened);
    const made = token(opened, 'lane-2');
    for (let time = 0; time < 21; time += 1) await opened.identities.renew({}, '10.0.0.1');
    expect((await opened.identities.renew({}, '10.0.0.1')).status).toBe(429);
    const wrong = { ...renewalOf(first).request, signature: 'AAAA' };
    expect((await opened.identities.renew(wrong, '10.0.0.1')).status).toBe(429);
    const { request } = renewalOf(first);
    expect((await opened.identities.renew(request, '10.0.0.1')).status).toBe(200);
    const asked = requestOf(made, keyPair().csr);
    expect((await opened.identities.enrol(asked, '10.0.0.1')).status).toBe(200);
  });
});

/** As the registry's file was before: what was issued since is unknown to it. */
function restored(opened: ReturnType<typeof open>, kept: ReturnType<typeof saved>): void {
  // What was noted is written when it ends, and must not be written over the backup.
  opened.restart();
  const { db } = opened.back.fleet.database;
  db.prepare('UPDATE identities SET state = ?, model = ?').run(...kept);
  opened.restart();
}
function saved(opened: ReturnType<typeof open>): [string, string] {
  opened.restart();
  const { db } = opened.back.fleet.database;
  const row = db.prepare('SELECT state, model FROM identities').get();
  return [String(row?.['state']), String(row?.['model'])];
}

describe('a terminal that renewed after the backup from which the registry was restored', () => {
  it('is not let in, but renews on the machine that enrolled, and is known again', async () => {
    const opened = open();
    const first = await enrolled(opened);
    const backup = saved(opened);
    opened.time.pass(HOUR_MS);
    const lost = await renewed(opened, first);
    expect(admits(opened, lost)).toEqual({ ok: true });
    restored(opened, backup);
    expect(admits(opened, lost)).toMatchObject({ ok: false, reason: 'revoked' });
    const elsewhere = renewalOf(lost, 'b'.repeat(16)).request;
    expect((await opened.identities.renew(elsewhere, '10.0.0.1')).status).toBe(403);
    opened.time.pass(HOUR_MS);
    // Also when the answer is lost: it asks again with what it has.
    await renewed(opened, lost);
    const second = await renewed(opened, lost);
    expect(admits(opened, second)).toEqual({ ok: true });
    expect(admits(opened, first)).toMatchObject({ ok: false, reason: 'revoked' });
    const [entry] = opened
      .audit()
      .list(100)
      .filter(({ action }) => action === 'terminal.renew');
    expect(entry?.detail).toMatchObject({ from: lost.client.serial });
    const entries = opened.audit().list(100);
    expect(entries.some(({ detail }) => detail['unrecorded'] === true)).toBe(true);
  });

  it('stays out when it was revoked or replaced, or shows one older than what is known', async () => {
    const opened = open();
    const first = await enrolled(opened);
    const backup = saved(opened);
    opened.time.pass(HOUR_MS);
    const lost = await renewed(opened, first);
    restored(opened, backup);
    opened.time.pass(HOUR_MS);
    const known = await renewed(opened, first);
    expect(admits(opened, known)).toEqual({ ok: true });
    expect((await opened.identities.renew(renewalOf(lost).request, '10.0.0.1')).status).toBe(403);
    restored(opened, backup);
    opened.identities.replace('lane-1', ACT);
    expect((await opened.identities.renew(renewalOf(lost).request, '10.0.0.1')).status).toBe(403);
    restored(opened, backup);
    opened.identities.revoke('lane-1', ACT);
    expect((await opened.identities.renew(renewalOf(lost).request, '10.0.0.1')).status).toBe(403);
  });
});
