import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openShown, ownShown } from '../../broker/tls/shown.ts';
import { newAuthority } from '../real/tls-front-rig.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tw-shown-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const OWN = { cert: 'own', key: 'own key', authorities: [] };

function open() {
  const files = { certificate: join(dir, 'public.pem'), key: join(dir, 'public.key') };
  const looks: (() => void)[] = [];
  const ownChanges = new Set<() => void>();
  const errors: unknown[] = [];
  const quiet = (): void => {};
  let own = OWN;
  const trust = {
    server: () => own,
    onServer: (listener: () => void) => {
      ownChanges.add(listener);
      return () => void ownChanges.delete(listener);
    },
  };
  const timers = {
    every: (_ms: number, run: () => void) => {
      looks.push(run);
      return quiet;
    },
  };
  const log = {
    info: quiet,
    warn: quiet,
    error: (_: string, fields: unknown) => errors.push(fields),
  };
  const shown = openShown(files, ownShown(trust as never), timers, log as never);
  let changes = 0;
  shown.onChange(() => {
    changes += 1;
  });
  return {
    ...{ shown, files, errors },
    changes: () => changes,
    look: () => looks[0]?.(),
    renewOwn: () => {
      own = { ...OWN, cert: 'own, renewed' };
      for (const listener of ownChanges) listener();
    },
  };
}

describe('a certificate for people that cannot be used when the broker starts', () => {
  test.each([
    ['is not there', (): void => {}],
    [
      'is none',
      (): void => {
        for (const name of ['public.pem', 'public.key']) {
          writeFileSync(join(dir, name), 'garbage', { mode: 0o600 });
        }
      },
    ],
  ])('keeps nobody out where it %s: the own one is shown, and that is said', (_what, prepare) => {
    prepare();
    const { shown, errors, renewOwn, changes } = open();
    expect(shown.now().cert).toBe('own');
    expect(errors).toHaveLength(1);
    renewOwn();
    expect([shown.now().cert, changes()]).toEqual(['own, renewed', 1]);
  });

  test('is shown as soon as it is right', async () => {
    const { shown, files, look, changes, errors, renewOwn } = open();
    const { cert, key } = await (await newAuthority()).server();
    writeFileSync(files.certificate, cert);
    writeFileSync(files.key, key);
    chmodSync(files.key, 0o644);
    look();
    expect([shown.now().cert, changes(), errors.length]).toEqual(['own', 0, 2]);
    chmodSync(files.key, 0o600);
    look();
    expect([shown.now().cert, changes(), errors.length]).toEqual([cert, 1, 2]);
    renewOwn();
    expect([shown.now().cert, changes()]).toEqual([cert, 1]);
  });
});
