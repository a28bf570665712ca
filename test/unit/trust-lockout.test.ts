// Ways in which a rotation could lock out terminals: one that is finished too early, or begun on keys from an old backup.

import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type RotateOptions, rotateTrust } from '../../broker/trust/rotate.ts';
import { must, openRig, why } from './trust-rig.ts';

let rig: ReturnType<typeof openRig>;
beforeEach(async () => {
  rig = openRig();
  must(await rig.make());
});
afterEach(() => rig.close());

const turn = (target: RotateOptions['target'], step: RotateOptions['step']) =>
  rotateTrust({
    ...{ keysDir: rig.keysDir, dataDir: rig.dir, target, step, nowMs: rig.nowMs() },
  });

/** One terminal, as the registry keeps it. */
function plant(model: object): void {
  const db = new DatabaseSync(join(rig.dir, 'registry.db'));
  db.exec('CREATE TABLE IF NOT EXISTS identities (terminal, state, model); DELETE FROM identities');
  const row = db.prepare('INSERT INTO identities VALUES (?, ?, ?)');
  row.run('lane-1', 'enrolled', JSON.stringify(model));
  db.close();
}
const certificate = (authority: string) => ({ serial: 'aa', notAfterMs: 1, authority });

it('an authority is not dropped while a terminal may have only its certificate, its answer being lost', async () => {
  const first = must(await rig.open()).fingerprint();
  must(await turn('authority', 'start'));
  const { fingerprint } = must(await turn('authority', 'switch'));
  const renewed = { trust: 3, current: certificate(fingerprint), previous: certificate(first) };
  plant({ ...renewed, used: false });
  expect(why(await turn('authority', 'finish'))).toMatch(/^lane-1 would be locked out/);
  plant({ ...renewed, used: true });
  expect(why(await turn('authority', 'finish'))).toBe('');
});

it('a terminal that holds a newer document than the folder of keys knows is not ready for a switch', async () => {
  const authority = must(await rig.open()).fingerprint();
  must(await turn('authority', 'start'));
  plant({ trust: 7, current: certificate(authority), used: true });
  expect(why(await turn('authority', 'switch'))).toMatch(/^lane-1 would be locked out/);
});
