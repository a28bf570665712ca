// Whoever is killed while it exchanges its certificate has one that works afterwards.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import {
  loadIdentity,
  makeIdentityFolder,
  offer,
  takeOver,
} from '../../agent/system/identity-folder.ts';
import { Authority, USE } from '../real/tls-rig.ts';
import { folders, trustOf } from '../unit/identity-agent-rig.ts';
import { need } from '../unit/outbox-rig.ts';

const KILLS = 20;

test(`killed ${KILLS} times while it swaps, it always has a key and the certificate to it`, async () => {
  const disk = folders();
  const folder = disk.make();
  need(makeIdentityFolder(folder));
  const fleet = await Authority.make();
  const make = () => fleet.issue({ commonName: 'lane-1', use: [USE.client] });
  const pairs = await Promise.all([make(), make(), make()]);
  const record = {
    ...{ terminal: 'lane-1', store: 's', token: 'aa', how: 'renewed' as const },
    ...{ trust: trustOf(fleet), brokers: ['mqtts://b:1'], urls: ['https://b:2'] },
  };
  const [first] = pairs;
  if (first === undefined) throw new Error('no pair');
  need(offer(folder, record, first));
  need(takeOver(folder));
  const file = join(folder, '..', 'pairs.json');
  writeFileSync(file, JSON.stringify({ record, pairs }));
  const program = fileURLToPath(new URL('identity-swapper.ts', import.meta.url));
  const seen = new Set<string>();
  for (let kill = 0; kill < KILLS; kill += 1) {
    const child = spawn(process.execPath, [program, folder, file], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    await new Promise((resolve) => setTimeout(resolve, 50 + Math.random() * 100));
    child.kill('SIGKILL');
    await once(child, 'exit');
    // As an agent begins.
    takeOver(folder);
    const loaded = need(loadIdentity(folder, 'lane-1'));
    seen.add(loaded?.serial ?? 'none');
  }
  expect(seen).not.toContain('none');
  // Else it was killed before it did anything.
  expect(seen.size).toBeGreaterThan(1);
  disk.remove();
});
