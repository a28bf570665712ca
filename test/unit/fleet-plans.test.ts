import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { openDatabase } from '../../broker/fleet/database.ts';
import { must, rig } from './fleet-rig.ts';

const plan = (back: ReturnType<typeof rig>, id: string, store: string): void => {
  must(back.fleet.database.transact(() => back.fleet.planner.plan(id, store)));
};
const retire = (back: ReturnType<typeof rig>, id: string): void => {
  must(back.fleet.database.transact(() => back.fleet.planner.retire(id)));
};
const listed = ({ fleet }: ReturnType<typeof rig>): string[] =>
  fleet.views().map(({ id, store }) => `${id} ${store}`);

describe('a terminal that was planned at run time', () => {
  it('is known, listed and counted from then on, also after a restart', () => {
    const back = rig();
    expect(back.fleet.isKnown('lane-3')).toBe(false);
    plan(back, 'lane-3', 'munich');
    expect(back.fleet.isKnown('lane-3')).toBe(true);
    expect(listed(back)).toEqual(['lane-1 berlin', 'lane-2 berlin', 'lane-3 munich']);
    back.reopen();
    expect(back.fleet.rollup().terminals.total).toBe(3);
    expect(back.fleet.storeOf('lane-3')).toBe('munich');
  });

  it('is not planned when its transaction failed', () => {
    const back = rig();
    const failed = () =>
      back.fleet.database.transact(() => {
        back.fleet.planner.plan('lane-3', 'munich');
        throw new Error('something else in it');
      });
    expect(failed).toThrow('something else');
    expect(back.fleet.isKnown('lane-3')).toBe(false);
    expect(back.reopen().isKnown('lane-3')).toBe(false);
  });
});

describe('a terminal that moves', () => {
  it('stands in the other store for everybody who labels what it says', () => {
    const back = rig();
    const told: string[] = [];
    back.fleet.onStores((stores) => {
      for (const [id, store] of stores) told.push(`${id} ${store}`);
    });
    told.length = 0;
    plan(back, 'lane-1', 'munich');
    expect(told).toEqual(['lane-1 munich']);
    expect(back.fleet.view('lane-1')?.store).toBe('munich');
    expect(back.reopen().storeOf('lane-1')).toBe('munich');
  });

  it('goes where the configuration says once that says something new', () => {
    const terminals = [{ id: 'lane-1', store: 'berlin' }];
    const back = rig({ terminals });
    plan(back, 'lane-1', 'munich');
    expect(back.reopen().storeOf('lane-1')).toBe('munich');
    terminals[0] = { id: 'lane-1', store: 'hamburg' };
    expect(back.reopen().storeOf('lane-1')).toBe('hamburg');
  });
});

describe('a terminal that is retired', () => {
  it('is in no list, count or series, and can still be read, also after a restart', () => {
    const back = rig();
    back.fleet.sessionOpened('lane-1', { address: '', openedMs: 0 });
    retire(back, 'lane-1');
    back.fleet.sessionClosed('lane-1', 'refused');
    for (const fleet of [back.fleet, back.reopen()]) {
      expect(fleet.views().map(({ id }) => id)).toEqual(['lane-2']);
      expect(fleet.rollup().terminals).toMatchObject({ total: 1, online: 0 });
      expect(fleet.observed(10)?.map(({ id }) => id)).toEqual(['lane-2']);
      expect(fleet.isKnown('lane-1')).toBe(false);
      expect(fleet.isConnected('lane-1')).toBe(false);
      expect(fleet.view('lane-1')).toMatchObject({ id: 'lane-1', store: 'berlin' });
      const query = { sort: 'id', limit: 10 } as const;
      expect(must(fleet.search(query)).total).toBe(1);
    }
  });

  it('is not let in by a broker that takes unknown ones', () => {
    const back = rig({ acceptUnknown: true });
    expect(back.fleet.isKnown('lane-9')).toBe(true);
    retire(back, 'lane-9');
    expect(back.fleet.isKnown('lane-9')).toBe(false);
  });

  it('stays retired whatever the configuration says of it later', () => {
    const terminals = [{ id: 'lane-1', store: 'berlin' }];
    const back = rig({ terminals });
    retire(back, 'lane-1');
    terminals[0] = { id: 'lane-1', store: 'hamburg' };
    expect(back.reopen().isKnown('lane-1')).toBe(false);
  });

  it('comes back when it is planned again', () => {
    const back = rig();
    retire(back, 'lane-1');
    plan(back, 'lane-1', 'berlin');
    expect(back.reopen().isKnown('lane-1')).toBe(true);
  });
});

describe('a registry of an older broker', () => {
  it('gets what it lacks and keeps what it has', () => {
    const back = rig();
    back.fleet.close();
    const old = new DatabaseSync(back.path);
    old.exec('DROP TABLE plans; DROP TABLE identities; DROP TABLE tokens; PRAGMA user_version = 2');
    old.close();
    const opened = must(openDatabase(back.path, ({ db, close }) => ({ db, close })));
    const names = opened.db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
    opened.close();
    const missing = ['plans', 'identities', 'tokens', 'terminals'].filter(
      (name) => !names.some((row) => row['name'] === name),
    );
    expect(missing).toEqual([]);
  });
});
