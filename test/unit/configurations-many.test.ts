// Two hundred documents and ten thousand terminals: what each terminal should run is looked up in every scrape, every list
// and every second, so it must not cost more the more documents there are.

import { expect, it } from 'vitest';
import { createMeant } from '../../broker/configurations/meant.ts';
import { DOCUMENTS_MAX, type Version } from '../../broker/configurations/model.ts';

function world() {
  const versions = new Map<string, readonly Version[]>();
  const asked = { names: 0, versions: 0 };
  let revision = 0;
  const release = (name: string, version: number): void => {
    const one = { name, version, sha256: `${name} ${version}`, state: 'released' };
    const scope = { rank: 'store', value: name };
    versions.set(name, [...(versions.get(name) ?? []), { ...one, scope } as unknown as Version]);
    revision += 1;
  };
  const store = {
    names: () => {
      asked.names += 1;
      return [...versions.keys()];
    },
    versionsOf: (name: string) => {
      asked.versions += 1;
      return versions.get(name) ?? [];
    },
    revision: () => revision,
  };
  return { asked, release, meant: createMeant(store) };
}

it('what is meant for a terminal is looked up, and worked out when something was released', () => {
  const { asked, release, meant } = world();
  for (let at = 0; at < DOCUMENTS_MAX; at += 1) release(`s-${at}`, 1);
  const place = (store: string) => ({ id: 'lane-1', store, region: undefined, labels: [] });
  for (let at = 0; at < 10_000; at += 1) meant()(place(`s-${at % 500}`));
  expect(asked).toEqual({ names: 1, versions: DOCUMENTS_MAX });
  expect(meant()(place('s-7'))).toMatchObject({ kind: 'one', meant: { version: 1 } });
  release('s-7', 2);
  expect(meant()(place('s-7'))).toMatchObject({ kind: 'one', meant: { version: 2 } });
  expect(meant()(place('s-300'))).toEqual({ kind: 'none' });
});
