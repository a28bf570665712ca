import { describe, expect, it } from 'vitest';
import { select } from '../../broker/bulk/select.ts';
import { ADA, open, REASON, store } from './stores-rig.ts';

const two = [
  store('bm', { terminals: ['bm-1', { id: 'bm-2', labels: ['self'] }], labels: ['pilot'] }),
  store('hh', { region: 'south', terminals: ['hh-1'] }),
];
const audited = ({ rooms }: ReturnType<typeof open>): string[] =>
  rooms.audit.list(100).map(({ action, subject }) => `${action} ${subject}`);

describe('what a file of stores would change', () => {
  it('is shown first, applied with its digest, and nothing the second time', () => {
    const rig = open();
    expect(rig.said(two)).toEqual([
      'added bm: new store in north, Europe/Berlin, its hours not known, 2 lanes expected; 2 terminals planned: bm-1, bm-2',
      'added hh: new store in south, Europe/Berlin, its hours not known, 1 lane expected; 1 terminal planned: hh-1',
    ]);
    expect(rig.rooms.stores.all()).toEqual([]);
    expect(rig.apply(two)).toMatchObject({ ok: true, plan: { applied: true } });
    expect(rig.said(two)).toEqual([]);
    expect(rig.apply(two)).toMatchObject({ ok: true, plan: { applied: false } });
    expect(audited(rig).filter((line) => line.startsWith('stores.apply'))).toHaveLength(1);
    // In another order it is the same file.
    const other = two.map((one) => ({ ...one, terminals: [...(one.terminals ?? [])].reverse() }));
    expect(rig.said(other.reverse())).toEqual([]);
  });

  it('names each field with what it was', () => {
    const rig = open();
    rig.apply(two);
    const [bm = store('bm'), hh = store('hh')] = two;
    const hours = { daily: 'always' };
    expect(
      rig.said([
        { ...bm, region: 'east', lanes: 1, labels: [] },
        { ...hh, hours },
      ]),
    ).toEqual([
      'changed bm: region north -> east; labels pilot -> -; lanes - -> 1',
      `changed hh: ${['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']
        .map((day) => `hours.${day} - -> always`)
        .join('; ')}`,
    ]);
  });

  it('leaves out stores that it lacks, unless they are to be forgotten; their terminals stay', () => {
    const rig = open();
    rig.apply(two);
    rig.fleet.sessionOpened('hh-1', { address: '', openedMs: 0 });
    const some = two.slice(0, 1);
    expect(rig.plan(some)).toMatchObject({ ok: true, plan: { changes: [], absent: ['hh'] } });
    expect(rig.said(some, true)).toEqual([
      'removed hh: the store is forgotten; 1 terminal of it stays in the fleet',
      'dropped hh: hh-1 is not named any more and stays in hh; to take it out: tillwatch terminal retire hh-1',
    ]);
    rig.apply(some, true);
    expect(rig.fleet.view('hh-1')).toMatchObject({ store: 'hh', connected: true });
    expect(rig.fleet.view('hh-1')?.region).toBeUndefined();
    expect(rig.rooms.stores.file('hh')).toBeUndefined();
  });

  it('says where it and an operator differ, and holds only where it says something new', () => {
    const rig = open();
    rig.apply(two);
    const act = { operator: 'olga', reason: REASON };
    expect(rig.rooms.identities.move('bm-1', 'hh', act)).toEqual({ ok: true });
    expect(rig.rooms.identities.retire('bm-2', act)).toEqual({ ok: true });
    const said = [
      'kept bm: bm-1 was moved to hh by an operator and stays there: name it there in the file',
      'retired bm: bm-2 is retired and stays so; to bring it back: tillwatch enroll --store bm --terminal bm-2',
    ];
    expect(rig.said(two)).toEqual(said);
    const [bm = store('bm'), hh = store('hh')] = two;
    const three = [
      { ...bm, terminals: ['bm-2'] },
      hh,
      store('kiel', { lanes: 1, terminals: ['bm-1'] }),
    ];
    expect(rig.said(three)).toEqual([
      'moved kiel: bm-1 comes here from hh, where an operator had moved it from bm',
      said[1],
      expect.stringMatching(/^changed bm: terminals.bm-2 self -> -$/),
      'added kiel: new store in north, Europe/Berlin, its hours not known, 1 lane expected',
    ]);
    rig.apply(three);
    expect(rig.fleet.storeOf('bm-1')).toBe('kiel');
    expect(rig.rooms.identities.stateOf('bm-2')).toBe('retired');
    expect(rig.fleet.planner.storeOf('bm-2')).toBeUndefined();
    rig.restart();
    expect(rig.fleet.storeOf('bm-1')).toBe('kiel');
  });
});

describe('applying it', () => {
  it('is refused to the second of two operators, who looks again', () => {
    const rig = open();
    const mine = rig.plan(two);
    if (!mine.ok) throw new Error(mine.reason);
    rig.apply([store('bm', { lanes: 7 })]);
    const { digest } = mine.plan;
    const late = { stores: two, actor: ADA, digest, reason: REASON };
    expect(rig.rooms.stores.apply(late)).toMatchObject({ ok: false, kind: 'conflict' });
    expect(rig.rooms.stores.file('bm')?.lanes).toBe(7);
    expect(rig.rooms.stores.file('hh')).toBeUndefined();
  });

  it('needs a reason, and none with a card in it', () => {
    const rig = open();
    for (const reason of ['', 'x', 'paid with 4111 1111 1111 1111', 'a\nb']) {
      expect(rig.apply(two, false, reason)).toMatchObject({ ok: false, kind: 'invalid' });
    }
    expect(rig.rooms.stores.files()).toEqual([]);
  });

  it('believes no list: what a file may not say is refused here as well', () => {
    const rig = open();
    const bad = [
      ...[5, { id: 'x' }, { ...store('x'), timeZone: 'Mars/X' }, { ...store('x'), hours: 'no' }],
      { ...store('x'), labels: ['pan=4111111111111111'] },
    ];
    for (const one of bad) {
      expect(rig.apply([one])).toMatchObject({ ok: false, kind: 'invalid' });
    }
  });

  it('is all or nothing: what the disk does not take half way is not there at all', () => {
    const rig = open();
    const { db } = rig.fleet.database;
    db.exec(`CREATE TRIGGER broken BEFORE INSERT ON audit WHEN new.subject = 'hh'
      BEGIN SELECT RAISE(ABORT, 'disk full'); END`);
    expect(rig.apply(two)).toMatchObject({ ok: false });
    expect(rig.rooms.stores.files()).toEqual([]);
    expect(rig.fleet.view('bm-1')).toBeUndefined();
    rig.restart();
    expect(rig.rooms.stores.files()).toEqual([]);
    expect(rig.fleet.views()).toEqual([]);
    rig.fleet.database.db.exec('DROP TRIGGER broken');
    expect(rig.apply(two)).toMatchObject({ ok: true });
  });

  it('is there after a restart: stores, planned terminals that never reported, labels', () => {
    const rig = open();
    rig.apply(two);
    rig.restart();
    const { stores } = rig.rooms;
    expect(stores.all().map(({ id, counts }) => [id, counts.terminals, counts.never])).toEqual([
      ...[['bm', 2, 2] as const, ['hh', 1, 1] as const],
    ]);
    expect(stores.labelsOf('bm-2')).toEqual(['pilot', 'self']);
    expect(rig.fleet.view('bm-2')).toMatchObject({ region: 'north', labels: ['pilot', 'self'] });
    expect(rig.fleet.view('bm-2')?.presence).toBe('never');
    expect(stores.plannedTerminals('bm')).toEqual(['bm-1', 'bm-2']);
  });

  it('starts without a store that this Node cannot read, says so, and the file brings it back', () => {
    const rig = open();
    rig.apply(two);
    rig.fleet.database.db.exec(
      `UPDATE stores SET model = replace(model, 'Europe/Berlin', 'Mars/X') WHERE id = 'hh'`,
    );
    rig.restart();
    expect(rig.logged).toEqual(['a store cannot be read']);
    expect(rig.rooms.stores.files().map(({ id }) => id)).toEqual(['bm']);
    expect(rig.fleet.view('hh-1')?.store).toBe('hh');
    rig.apply(two);
    expect(rig.rooms.stores.file('hh')?.timeZone).toBe('Europe/Berlin');
  });

  it('tells whoever listens once it is on disk', () => {
    const rig = open();
    let told = 0;
    const undo = rig.rooms.stores.onChange(() => {
      told += 1;
    });
    rig.apply(two);
    rig.apply(two);
    undo();
    rig.apply([store('bm')]);
    expect(told).toBe(1);
  });
});

describe('a selector', () => {
  const restart = { kind: 'probe', arguments: {} };
  const idsOf = (rig: ReturnType<typeof open>, selector: object) => {
    const options = { fleet: rig.fleet, stateOf: () => 'enrolled' as const };
    const found = select(options, selector, restart);
    return found.ok ? found.value.chosen.map(({ terminal }) => terminal).sort() : found.reason;
  };

  it('finds terminals by the region and the labels of their store, and by their own', () => {
    const rig = open();
    rig.apply(two);
    expect(idsOf(rig, { region: 'north' })).toEqual(['bm-1', 'bm-2']);
    expect(idsOf(rig, { label: 'pilot' })).toEqual(['bm-1', 'bm-2']);
    expect(idsOf(rig, { label: 'self' })).toEqual(['bm-2']);
    expect(idsOf(rig, { region: 'south', label: 'pilot' })).toMatch(/no terminal is left/);
    expect(idsOf(rig, {})).toMatch(/say which terminals/);
    expect(idsOf(rig, { region: 'south', store: 'hh' })).toEqual(['hh-1']);
  });

  it('follows a terminal into the store that it is moved to', () => {
    const rig = open();
    rig.apply(two);
    rig.rooms.identities.move('bm-2', 'hh', { operator: 'olga', reason: REASON });
    expect(idsOf(rig, { region: 'south' })).toEqual(['bm-2', 'hh-1']);
    expect(rig.rooms.stores.labelsOf('bm-2')).toEqual(['self']);
  });
});

describe('ten thousand terminals in five thousand stores', () => {
  it('are applied in one go, and each question about them is bounded', () => {
    const rig = open();
    const many = Array.from({ length: 5_000 }, (_, n) =>
      store(`s-${n}`, { hours: { daily: '08:00-20:00' }, terminals: [`s-${n}-1`, `s-${n}-2`] }),
    );
    const planned = rig.apply(many);
    expect(planned).toMatchObject({ ok: true, plan: { more: 3_000, counts: { added: 5_000 } } });
    expect(rig.fleet.rollup().terminals).toMatchObject({ total: 10_000, never: 10_000 });
    expect(rig.rooms.stores.counts()).toEqual({ open: 5_000, closed: 0, unknown: 0 });
    expect(rig.rooms.stores.all()).toHaveLength(5_000);
  });
});
