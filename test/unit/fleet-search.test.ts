import { describe, expect, it } from 'vitest';
import { newTerminal, type TerminalModel } from '../../broker/fleet/model.ts';
import type { Presence } from '../../broker/fleet/presence.ts';
import {
  createSearch,
  SORT_KEYS,
  type Sort,
  type TerminalQuery,
} from '../../broker/fleet/search.ts';
import { viewOf } from '../../broker/fleet/view.ts';
import type { ComponentState } from '../../protocol/events.ts';
import { must, rig, START_MS } from './fleet-rig.ts';

const SEEN_MS: Record<Presence, number | undefined> = {
  ...{ online: START_MS, late: START_MS - 100_000, lost: START_MS - 400_000, never: undefined },
};

/** A terminal that is there or not, with one component restarted so often. */
function terminal(
  id: string,
  store: string,
  presence: Presence,
  restarts = 0,
  state: ComponentState = 'ready',
): TerminalModel {
  const fresh = newTerminal(id, store, true);
  const tally = { base: 0, counter: restarts, counterMs: 1, ahead: 0, aheadMs: 0 };
  const sale = {
    ...{ version: '2.4:1', listed: true, state, stateAt: fresh.inventoryAt, stateSampleMs: 0 },
    ...{ sinceMs: undefined, reason: '', cause: undefined, pid: undefined, instance: undefined },
    restarts: { 'crash 2.4:1': tally },
  };
  return {
    ...fresh,
    presence,
    lastSeenMs: SEEN_MS[presence],
    agent: { ...fresh.agent, version: '0.1.0' },
    components: { sale },
  };
}

const fleet = [
  terminal('a1', 'berlin', 'online', 3),
  terminal('b2', 'munich', 'late', 3, 'quarantined'),
  terminal('c3', 'berlin', 'lost', 0),
  terminal('d4', 'munich', 'never', 7),
  terminal('e5', 'berlin', 'online', 3),
];
const search = createSearch((model) => viewOf(model, START_MS));
const find = (query: Partial<TerminalQuery>, models: readonly TerminalModel[] = fleet) =>
  search(models, { sort: 'id', limit: 100, ...query });
const idsOf = (query: Partial<TerminalQuery>) =>
  must(find(query))
    .terminals.map(({ id }) => id)
    .join(' ');

/** Every page until there is none; `between` may change the fleet after each. */
function readAll(sort: Sort, limit: number, between = (models: TerminalModel[]) => models): string {
  let models = [...fleet];
  const ids: string[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < 20; page += 1) {
    const found = must(find({ sort, limit, cursor }, models));
    ids.push(...found.terminals.map(({ id }) => id));
    models = between(models);
    if (found.next === null) return ids.join(' ');
    cursor = found.next;
  }
  throw new Error('paging has no end');
}

describe('terminals are found', () => {
  it.each([
    [{ store: 'berlin' }, 'a1 c3 e5'],
    [{ store: 'ber' }, ''],
    [{ presence: 'late' }, 'b2'],
    [{ presence: 'never' }, 'd4'],
    [{ state: 'quarantined' }, 'b2'],
    [{ version: { component: 'sale', version: '2.4:1' } }, 'a1 b2 c3 d4 e5'],
    [{ version: { component: 'agent', version: '0.1.0' } }, 'a1 b2 c3 d4 e5'],
    [{ version: { component: 'constructor', version: '' } }, ''],
    [{ search: 'MUN' }, 'b2 d4'],
    [{ search: 'a1' }, 'a1'],
    [{ store: 'berlin', presence: 'online', search: 'e' }, 'a1 e5'],
  ] as const)('by %o', (query, ids) => expect(idsOf(query)).toBe(ids));

  it.each([
    ['-id', 'e5 d4 c3 b2 a1'],
    ['store', 'a1 c3 e5 b2 d4'],
    ['presence', 'c3 b2 d4 a1 e5'],
    ['lastSeen', 'd4 c3 b2 a1 e5'],
    ['-restarts', 'd4 a1 b2 e5 c3'],
  ] as const)('in the order %s, equal ones by id', (sort, ids) =>
    expect(idsOf({ sort })).toBe(ids),
  );

  it('as the same views as one by one, with how many there are', () => {
    const { terminals, total, next } = must(find({ store: 'berlin', limit: 2 }));
    expect([total, typeof next, terminals.length]).toEqual([3, 'string', 2]);
    expect(terminals[0]).toEqual(viewOf(fleet[0] as TerminalModel, START_MS));
    expect(must(find({ store: 'berlin', limit: 3 })).next).toBeNull();
    expect(must(find({ store: 'nowhere' }))).toEqual({ terminals: [], total: 0, next: null });
  });

  it.each(SORT_KEYS.flatMap((key) => [key, `-${key}`] as Sort[]))(
    'page by page exactly once each, in the order %s, whatever the size of a page',
    (sort) => {
      for (const limit of [1, 2, 3, 5]) expect(readAll(sort, limit)).toBe(idsOf({ sort }));
    },
  );

  it('page by page exactly once each although others come and go in front', () => {
    let added = 0;
    const between = (models: TerminalModel[]) => {
      added += 1;
      const [, ...rest] = models;
      return added === 2 ? rest : [terminal(`0${added}`, 'aachen', 'online'), ...models];
    };
    expect(readAll('id', 1, between)).toBe('a1 b2 c3 d4 e5');
    expect(readAll('store', 2, between)).toBe('a1 c3 e5 b2 d4');
  });

  it('not with a cursor that is not ours, of another order or made up', () => {
    const made = (parts: unknown) => Buffer.from(JSON.stringify(parts)).toString('base64url');
    const { next } = must(find({ limit: 1 }));
    for (const cursor of ['', 'x', '%00', 'a'.repeat(600), made(['id', 1, 'a1']), made([1])]) {
      expect(find({ cursor })).toEqual({
        ok: false,
        reason: expect.stringMatching(/^cursor: .*not one that this broker gave/),
      });
    }
    for (const cursor of [made(['restarts', 'a', 'a1']), made(['restarts', null, 'a1'])]) {
      expect(find({ cursor, sort: 'restarts' }).ok).toBe(false);
    }
    expect(find({ cursor: next as string, sort: '-id' })).toEqual({
      ok: false,
      reason: expect.stringMatching(/^cursor: it is of another order/),
    });
  });
});

it('ten thousand terminals are paged through in little time', () => {
  const terminals = Array.from({ length: 10_000 }, (_, i) => ({
    id: `t-${i}`,
    store: `s-${i % 500}`,
  }));
  const { fleet: large } = rig({ terminals });
  const seen = new Set<string>();
  let cursor: string | undefined;
  const startMs = performance.now();
  do {
    const page = must(large.search({ sort: '-store', limit: 1_000, cursor }));
    for (const { id } of page.terminals) seen.add(id);
    expect(page.total).toBe(10_000);
    cursor = page.next ?? undefined;
  } while (cursor !== undefined);
  expect(seen.size).toBe(10_000);
  // Ten pages; some 30 ms each on a slow machine.
  expect(performance.now() - startMs).toBeLessThan(5_000);
});
