import { describe, expect, it } from 'vitest';
import type { Hello } from '../../protocol/hello.ts';
import {
  ACT,
  admits,
  commandId,
  enrolled,
  granted,
  keyPair,
  MACHINE,
  type Opened,
  open,
  requestOf,
  token,
} from './identity-rig.ts';

const hello = (instance: string, more: Partial<Hello> = {}): Hello => ({
  ...{ machine: MACHINE, instance: instance.repeat(16), trust: 1 },
  ...more,
});
const twinOf = ({ identities }: Opened) => identities.viewOf('lane-1')?.twin;

describe('a terminal that is suspended', () => {
  it('may connect, and is known as suspended until it is resumed, also after a restart', async () => {
    const opened = open();
    const one = await enrolled(opened);
    expect(opened.identities.suspend('lane-1', ACT)).toEqual({ ok: true });
    opened.restart();
    expect(opened.identities.isSuspended('lane-1')).toBe(true);
    expect(admits(opened, one)).toEqual({ ok: true });
    expect(opened.back.fleet.view('lane-1')?.identity).toMatchObject({
      ...{ state: 'suspended', by: 'ann', reason: 'as planned' },
    });
    expect(opened.identities.resume('lane-1', ACT)).toEqual({ ok: true });
    opened.restart();
    expect(opened.identities.isSuspended('lane-1')).toBe(false);
    expect(opened.identities.stateOf('lane-1')).toBe('enrolled');
    expect(opened.cut).toEqual([]);
  });

  it('gets no token, and none that it had is good', async () => {
    const opened = open();
    const request = requestOf(token(opened), keyPair().csr);
    opened.identities.suspend('lane-1', ACT);
    expect((await opened.identities.enrol(request, '10.0.0.1')).status).toBe(403);
    const wish = { terminal: 'lane-1', store: 'berlin' };
    expect(opened.identities.makeToken(wish, ACT)).toMatchObject({ ok: false, kind: 'conflict' });
    expect(opened.identities.stateOf('lane-1')).toBe('suspended');
  });
});

describe('a terminal that is revoked', () => {
  it('is cut off once that is on disk, and never let in again', async () => {
    const opened = open();
    const one = await enrolled(opened);
    expect(opened.identities.revoke('lane-1', ACT)).toEqual({ ok: true });
    expect(opened.cut).toEqual(['lane-1: lane-1 is revoked']);
    opened.restart();
    expect(admits(opened, one)).toMatchObject({ ok: false, reason: 'revoked' });
    expect(opened.identities.mayConnect('lane-1')).toMatchObject({ ok: false, reason: 'revoked' });
    for (const act of ['resume', 'suspend', 'revoke'] as const) {
      expect(opened.identities[act]('lane-1', ACT)).toMatchObject({ ok: false, kind: 'conflict' });
    }
    expect(opened.back.fleet.rollup().terminals.total).toBe(2);
  });

  it('is not cut off when the disk did not take it', async () => {
    const opened = open();
    const one = await enrolled(opened);
    const { db } = opened.back.fleet.database;
    db.exec('PRAGMA query_only = ON');
    expect(opened.identities.revoke('lane-1', ACT)).toMatchObject({
      ...{ ok: false, kind: 'unavailable' },
    });
    db.exec('PRAGMA query_only = OFF');
    expect(opened.cut).toEqual([]);
    expect(admits(opened, one)).toEqual({ ok: true });
  });
});

describe('a terminal that is replaced', () => {
  it('is cut off at once, and the same id enrols again on another machine', async () => {
    const opened = open();
    const old = await enrolled(opened);
    opened.identities.revoke('lane-1', ACT);
    const made = opened.identities.replace('lane-1', ACT);
    if (!made.ok) throw new Error(made.reason);
    expect(made.store).toBe('berlin');
    expect(opened.identities.stateOf('lane-1')).toBe('new');
    const request = requestOf(made, keyPair().csr, 'b'.repeat(16));
    granted(await opened.identities.enrol(request, '10.0.0.9'));
    expect(opened.identities.stateOf('lane-1')).toBe('enrolled');
    expect(admits(opened, old)).toMatchObject({ ok: false, reason: 'revoked' });
    opened.identities.greeted('lane-1', hello('1', { machine: 'b'.repeat(16) }), '10.0.0.9');
    expect(twinOf(opened)).toBeUndefined();
  });
});

describe('a terminal that is retired', () => {
  it('leaves the fleet, can still be read, and comes back only by a replacement', async () => {
    const opened = open();
    const one = await enrolled(opened);
    expect(opened.identities.retire('lane-1', ACT)).toEqual({ ok: true });
    opened.restart();
    expect(admits(opened, one)).toMatchObject({ ok: false, reason: 'revoked' });
    expect(opened.back.fleet.rollup().terminals.total).toBe(1);
    expect(opened.back.fleet.view('lane-1')?.identity?.state).toBe('retired');
    expect(opened.identities.counts()).toMatchObject({ new: 1, enrolled: 0, retired: 1 });
    const wish = { terminal: 'lane-1', store: 'berlin' };
    expect(opened.identities.makeToken(wish, ACT)).toMatchObject({ ok: false });
    const made = opened.identities.replace('lane-1', ACT);
    expect(made).toMatchObject({ ok: true, store: 'berlin' });
    expect(opened.back.fleet.isKnown('lane-1')).toBe(true);
  });
});

describe('a terminal that moves', () => {
  it('keeps its certificate and stands elsewhere, and the audit log has both stores', async () => {
    const opened = open();
    const one = await enrolled(opened);
    expect(opened.identities.move('lane-1', 'munich', ACT)).toEqual({ ok: true });
    expect(opened.back.fleet.storeOf('lane-1')).toBe('munich');
    expect(admits(opened, one)).toEqual({ ok: true });
    const [entry] = opened.audit().list(1);
    expect(entry).toMatchObject({
      ...{ action: 'terminal.move', operator: 'ann', reason: 'as planned' },
      detail: { from: 'berlin', to: 'munich' },
    });
    expect(opened.identities.move('lane-1', 'munich', ACT)).toMatchObject({ kind: 'conflict' });
    expect(opened.identities.move('lane-1', 'No store', ACT)).toMatchObject({ kind: 'invalid' });
  });
});

describe('every act', () => {
  it('needs a reason of one line and a terminal that is there', () => {
    const opened = open();
    const nobody = { kind: 'unknown_terminal' };
    for (const act of [
      'suspend',
      'resume',
      'revoke',
      'retire',
      'replace',
      'acceptMachine',
    ] as const) {
      expect(opened.identities[act]('lane-9', ACT)).toMatchObject(nobody);
      for (const reason of ['', '  ', 'a\nb is bad', 'x'.repeat(501)]) {
        expect(opened.identities[act]('lane-1', { ...ACT, reason })).toMatchObject({
          kind: 'invalid',
        });
      }
    }
    expect(opened.audited()).toEqual([]);
  });
});

describe('two machines with one identity', () => {
  it('are seen by their turns, and shown until somebody accepts what is there', async () => {
    const opened = open();
    await enrolled(opened);
    const greet = (instance: string): void =>
      opened.identities.greeted('lane-1', hello(instance), '10.0.0.1');
    for (const instance of ['1', '1', '2', '2', '3']) greet(instance);
    expect(twinOf(opened)).toBeUndefined();
    greet('2');
    expect(twinOf(opened)).toMatchObject({ sign: 'instances' });
    expect(opened.identities.twins()).toBe(1);
    expect(opened.audited()[0]).toBe('terminal.twin instances');
    greet('3');
    opened.restart();
    expect(twinOf(opened)).toMatchObject({ sign: 'instances' });
    expect(opened.audited().filter((line) => line.startsWith('terminal.twin'))).toHaveLength(1);
    expect(opened.identities.acceptMachine('lane-1', ACT)).toEqual({ ok: true });
    expect(opened.identities.twins()).toBe(0);
    expect(opened.identities.acceptMachine('lane-1', ACT)).toMatchObject({ kind: 'conflict' });
  });

  it('are seen by another machine than the one that enrolled, which can be accepted', async () => {
    const opened = open();
    await enrolled(opened);
    const machine = 'b'.repeat(16);
    opened.identities.greeted('lane-1', hello('1', { machine }), '10.0.0.7');
    expect(twinOf(opened)).toMatchObject({
      ...{ sign: 'machine', sentence: expect.stringContaining('10.0.0.7') },
    });
    expect(opened.audited()[0]).toBe('terminal.twin machine');
    opened.identities.acceptMachine('lane-1', ACT);
    opened.identities.greeted('lane-1', hello('2', { machine }), '10.0.0.7');
    expect(twinOf(opened)).toBeUndefined();
    opened.identities.greeted('lane-1', hello('3'), '10.0.0.1');
    expect(twinOf(opened)).toMatchObject({ sign: 'machine' });
  });
});

describe('a newer trust document', () => {
  it('goes once to each terminal that is there and has an older one, until it says so', async () => {
    const opened = open();
    await enrolled(opened);
    await enrolled(opened, 'lane-2');
    for (const terminal of ['lane-1', 'lane-2']) {
      opened.identities.greeted(terminal, hello('1'), '10.0.0.1');
    }
    opened.back.fleet.sessionOpened('lane-1', { address: '', openedMs: 0 });
    opened.time.pass(2_000);
    expect(opened.pushed).toEqual([]);
    opened.state.version = 2;
    opened.time.pass(10_000);
    expect(opened.pushed.map(({ terminal, args }) => `${terminal} ${args.version}`)).toEqual([
      'lane-1 2',
    ]);
    expect(opened.identities.lacking(2)).toEqual(['lane-1', 'lane-2']);
    // As a real till tells it: that it is begun says nothing of how it ends.
    for (const [timeMs, state] of (['accepted', 'running', 'succeeded'] as const).entries()) {
      expect(opened.identities.lacking(2)).toEqual(['lane-1', 'lane-2']);
      opened.back.terminals.results('lane-1', {
        ...{ commandId: commandId(1), state, reason: '', timeMs, detail: {} },
      });
      opened.back.fleet.drain();
    }
    expect(opened.identities.lacking(2)).toEqual(['lane-2']);
  });

  it('tells whose certificate is of an authority that goes to renew it', async () => {
    const opened = open();
    await enrolled(opened);
    opened.identities.greeted('lane-1', hello('1'), '10.0.0.1');
    opened.back.fleet.sessionOpened('lane-1', { address: '', openedMs: 0 });
    opened.state.authority = 'b2'.repeat(32);
    opened.time.pass(5_000);
    expect(opened.pushed).toMatchObject([{ terminal: 'lane-1', args: { renew: true } }]);
    expect(opened.identities.issuedByOthers(opened.state.authority)).toEqual(['lane-1']);
  });
});

describe('without certificates', () => {
  it('nobody is enrolled, and terminals can be revoked, suspended and retired all the same', async () => {
    const opened = open({ trust: undefined });
    const wish = { terminal: 'lane-1', store: 'berlin' };
    expect(opened.identities.makeToken(wish, ACT)).toMatchObject({ ok: false, kind: 'conflict' });
    expect((await opened.identities.enrol({}, '127.0.0.1')).status).toBe(403);
    expect(opened.identities.mayConnect('lane-1')).toEqual({ ok: true });
    expect(opened.identities.revoke('lane-1', ACT)).toEqual({ ok: true });
    expect(opened.identities.mayConnect('lane-1').ok).toBe(false);
    expect(opened.cut).toEqual(['lane-1: lane-1 is revoked']);
  });
});
