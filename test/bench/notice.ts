// How soon a death is heard: the same real program is started and killed under our process control and under
// a plain Node parent in the same run, each from SIGKILL to the callback. The kernel needs most of the time
// to take the process down, so only the two side by side say something.

import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { realPorts } from '../../agent/system.ts';
import { createControl } from '../../agent/watchdog/control.ts';
import { round, sleep, spread } from './harness.ts';

/** A Node program that has finished starting. */
const SETTLE_MS = 250;
const command = [process.execPath, resolve('dist', 'printer.mjs')];
const quiet = { info: () => {}, warn: () => {}, error: () => {} };
const env = (dir: string) =>
  ({ ...process.env, POS_DATA_DIR: dir, POS_PRINTER_PORT: '0' }) as Record<string, string>;

async function ours(dir: string): Promise<number> {
  const control = createControl({ runDir: join(dir, 'run'), ports: realPorts(), log: quiet });
  let killedAt = 0;
  const heard = Promise.withResolvers<number>();
  const life = await control.spawn(
    {
      component: 'printer',
      instance: randomUUID(),
      token: 'bench',
      command,
      env: env(dir),
      logFile: join(dir, 'log'),
    },
    () => heard.resolve(performance.now() - killedAt),
  );
  if (!life.ok) throw new Error(life.reason);
  await sleep(SETTLE_MS);
  killedAt = performance.now();
  process.kill(life.value.pid, 'SIGKILL');
  return heard.promise;
}

async function plain(dir: string): Promise<number> {
  const child = spawn(command[0] ?? '', command.slice(1), { env: env(dir), stdio: 'ignore' });
  await sleep(SETTLE_MS);
  const heard = Promise.withResolvers<number>();
  const killedAt = performance.now();
  child.once('exit', () => heard.resolve(performance.now() - killedAt));
  child.kill('SIGKILL');
  return heard.promise;
}

/** In milliseconds; `ratio` of the medians. */
export async function noticing(n: number) {
  const dir = mkdtempSync(join(tmpdir(), 'tw-'));
  const times = { ours: [] as number[], plain: [] as number[] };
  // The control holds nothing open by itself: it is a guest in the agent's loop.
  const awake = setInterval(() => {}, 1_000);
  for (let i = 0; i < n; i += 1) {
    times.ours.push(await ours(dir));
    times.plain.push(await plain(dir));
  }
  clearInterval(awake);
  rmSync(dir, { recursive: true, force: true });
  const figures = { ours: spread(times.ours), plainParent: spread(times.plain) };
  return { ...figures, ratio: round(figures.ours.p50 / figures.plainParent.p50) };
}
