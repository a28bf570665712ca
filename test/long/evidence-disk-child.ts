// Runs inside a mount namespace whose disk is tiny: writes evidence until it is full, then on a disk that is read-only,
// and prints after each what became of it. The command to make the disk read-only comes with the arguments.

import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bundle } from '../../agent/evidence/bundle.ts';
import { openRing } from '../../agent/evidence/ring.ts';

const [, , disk = ''] = process.argv;
const folder = join(disk, 'evidence');
const warned: unknown[] = [];
const ring = openRing({
  folder,
  bundlesMax: 100,
  bytesMax: 10_000_000,
  clock: { monotonicMs: () => performance.now(), wallMs: () => Date.now() },
  log: {
    info: () => undefined,
    warn: (_message, fields) => void warned.push(fields?.['reason']),
    error: () => undefined,
  },
});
const bundle = (): Bundle => ({
  ...{
    v: 1,
    component: 'sale',
    instance: 'i',
    incident: 'n',
    phase: 'confirmed',
    state: 'suspect',
  },
  ...{ wallMs: Date.now(), status: '', exit: undefined, system: undefined, js: undefined },
  ...{ inFlight: [], probes: [], logLines: ['x'.repeat(20_000)] },
});

async function write(times: number): Promise<void> {
  for (let n = 0; n < times; n += 1) {
    ring.write(bundle(), randomUUID());
    await ring.settled();
  }
}

function tell(phase: string): void {
  const names = readdirSync(join(folder, 'sale'));
  const whole = names.filter((name) => {
    try {
      return JSON.parse(readFileSync(join(folder, 'sale', name), 'utf8')) !== undefined;
    } catch {
      return false;
    }
  });
  const files = { files: names.length, whole: whole.length };
  process.stdout.write(`${JSON.stringify({ phase, ...files, ...ring.stats(), warned })}\n`);
}

await write(10);
tell('full');
await ring.shed(50_000);
await write(1);
tell('shed');
execFileSync('mount', ['-o', 'remount,ro', disk]);
await write(3);
await ring.shed(0);
tell('read-only');
