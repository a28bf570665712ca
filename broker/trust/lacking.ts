// Which terminals a step of a rotation would lock out, read from the registry's file, so that it is answered whether a
// broker runs on it or not. Only a look: nothing is written, and a registry that is not there has no terminals.

import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { IdentityModel } from '../identity/machine.ts';

export type Belief = {
  readonly terminal: string;
  /** The trust document that it said it has; 0: it did not say. */
  readonly trust: number;
  /** Fingerprints of the authorities of its newest certificate, and of the one before until that was shown. */
  readonly authorities: readonly string[];
};

/** Whoever may connect today. */
const IN_USE: readonly string[] = ['enrolled', 'suspended'];

export function readBeliefs(registry: string): Result<readonly Belief[]> {
  if (!existsSync(registry)) return ok([]);
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(registry, { readOnly: true, timeout: 2_000 });
    const table = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'identities'").get();
    if (table === undefined) return ok([]);
    const rows = db.prepare('SELECT terminal, state, model FROM identities').all();
    return ok(
      rows
        .filter((row) => IN_USE.includes(String(row['state'])))
        .map((row) => {
          const model = JSON.parse(String(row['model'])) as IdentityModel;
          const { trust, current, previous, used } = model;
          // The answer with the newest one may be lost: then it has only the one before.
          const held = used ? [current] : [current, previous];
          const authorities = held.flatMap((one) => one?.authority ?? []);
          return { terminal: String(row['terminal']), trust, authorities };
        }),
    );
  } catch (cause) {
    return fail(`${registry} cannot be read: ${(cause as Error).message}`);
  } finally {
    db?.close();
  }
}
