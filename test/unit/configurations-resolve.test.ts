// Which document a terminal gets: a table of cases, and what is refused because nobody could tell.

import { describe, expect, it } from 'vitest';
import type { Selector } from '../../broker/bulk/select.ts';
import {
  conflictOf,
  createResolver,
  isIn,
  type Meant,
  type Place,
  scopeOf,
  scopeText,
} from '../../broker/configurations/resolve.ts';

const scope = (selector: Selector) => {
  const read = scopeOf(selector);
  if (!read.ok) throw new Error(read.reason);
  return read.value;
};
const meant = (name: string, selector: Selector): Meant => ({
  ...{ name, version: 1, sha256: name },
  scope: scope(selector),
});
const place = (more: Partial<Place> = {}): Place => ({
  ...{ id: 'lane-1', store: 'berlin', region: 'north', labels: ['self-checkout', 'ring=2'] },
  ...more,
});

const all = meant('everybody', { all: true });
const region = meant('north', { region: 'north' });
const label = meant('self', { label: 'self-checkout' });
const store = meant('berlin', { store: 'berlin' });
const named = meant('lane', { terminals: ['lane-1', 'lane-2'] });

describe('the document of a terminal', () => {
  it.each([
    ['nothing is meant for anybody', [], place(), undefined],
    ['what is for all', [all], place(), 'everybody'],
    ['its region before all', [all, region], place(), 'north'],
    ['a label before its region', [all, label, region], place(), 'self'],
    ['its store before a label', [label, store, all], place(), 'berlin'],
    ['its own name before its store', [store, named, all], place(), 'lane'],
    ['another store is not its', [store], place({ store: 'hamm' }), undefined],
    ['after a move, the next rank', [store, region], place({ store: 'hamm' }), 'north'],
    ['no region is no region', [region, all], place({ region: undefined }), 'everybody'],
    ['a region called as its store is not', [meant('x', { region: 'berlin' })], place(), undefined],
    ['a label that is gone', [label, all], place({ labels: [] }), 'everybody'],
  ] as const)('%s', (_what, documents, at, name) => {
    const found = createResolver(documents)(at);
    expect(found.kind === 'one' ? found.meant.name : undefined).toBe(name);
  });

  it('is none of two of the same rank, and both are named', () => {
    const ring = meant('ring', { label: 'ring=2' });
    expect(createResolver([label, ring, all])(place())).toEqual({
      ...{ kind: 'several', rank: 'label', names: ['ring', 'self'] },
    });
    expect(createResolver([label, ring, store])(place())).toMatchObject({ kind: 'one' });
  });
});

describe('a scope', () => {
  it.each([
    [{}, /say which/],
    [{ store: 'berlin', label: 'x' }, /say one of them, not store and label/],
    [{ all: true, region: 'north' }, /not region and all/],
    [{ version: 'sale:2.4.1' }, /not for a version/],
    [{ presence: 'online' as const, all: true }, /not for a presence/],
  ])('%j is none', (selector, sentence) => {
    const read = scopeOf(selector);
    expect(read.ok ? '' : read.reason).toMatch(sentence);
  });

  it('is told as people say it', () => {
    const texts = [all, store, named, meant('one', { terminals: ['lane-9'] })];
    expect(texts.map((one) => scopeText(one.scope))).toEqual([
      ...['all terminals', 'store berlin', 'lane-1 and 1 more', 'terminal lane-9'],
    ]);
    expect(isIn(scope({ terminals: ['b', 'a', 'b'] }), place({ id: 'a' }))).toBe(true);
  });
});

describe('two documents of one rank', () => {
  const places = [place(), place({ id: 'lane-7', labels: ['ring=2'] })];
  it.each([
    ['for all', all, [meant('other', { all: true })], /"everybody" and "other".*all terminals/],
    ['for one store', store, [meant('b2', { store: 'berlin' })], /"berlin" and "b2".*store berlin/],
    ['that name one till', named, [meant('l', { terminals: ['lane-2'] })], /both be for lane-2/],
    ['whose labels meet on a till', label, [meant('r', { label: 'ring=2' })], /both be for lane-1/],
  ])('%s are refused, and both are named', (_what, wanted, others, sentence) => {
    expect(conflictOf(wanted, others, places)).toMatch(sentence);
  });

  it.each([
    ['another version of itself', all, [all]],
    ['another rank', store, [all, region, label, named]],
    ['another store', store, [meant('h', { store: 'hamm' })]],
    ['labels that no till has both of', label, [meant('r', { label: 'ring=3' })]],
  ])('%s is no conflict', (_what, wanted, others) => {
    expect(conflictOf(wanted, others, places)).toBeUndefined();
  });
});
