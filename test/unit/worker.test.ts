import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { systemTimers } from '../../broker/clock.ts';
import { startWorker, type WorkerHandle, workerUrl } from '../../broker/worker.ts';

type To = { readonly kind: 'say'; readonly text: string } | { readonly kind: 'die' };
type From = { readonly kind: string; readonly text: string };

const url = new URL('./worker-echo.ts', import.meta.url);
let running: WorkerHandle<To> | undefined;
afterEach(() => running?.stop());

function start(stuck = false) {
  const heard: From[] = [];
  const errors: unknown[] = [];
  let starts = 0;
  const log = { info: () => {}, warn: () => {}, error: (...said: unknown[]) => errors.push(said) };
  running = startWorker<{ greeting: string; stuck: boolean }, To, From>({
    name: 'echo',
    url,
    data: () => {
      starts += 1;
      return { greeting: `start ${starts}`, stuck };
    },
    onMessage: (message) => heard.push(message),
    timers: systemTimers,
    log,
  });
  return { handle: running, heard, errors };
}

describe('a worker', () => {
  it('gets its data, hears what is posted, and closes its files before it stops', async () => {
    const { handle, heard, errors } = start();
    handle.post({ kind: 'say', text: 'one' });
    await expect.poll(() => heard.length, { timeout: 10_000 }).toBe(2);
    await handle.stop();
    expect(heard).toEqual([
      { kind: 'hello', text: 'start 1' },
      { kind: 'said', text: 'one' },
      { kind: 'stopped', text: '' },
    ]);
    expect([errors, handle.deaths()]).toEqual([[], 0]);
  });

  it('is logged and started again with its present data when it dies', async () => {
    const { handle, heard, errors } = start();
    await expect.poll(() => heard.length, { timeout: 10_000 }).toBe(1);
    handle.post({ kind: 'die' });
    await expect.poll(() => heard.length, { timeout: 10_000 }).toBe(2);
    expect(heard[1]).toEqual({ kind: 'hello', text: 'start 2' });
    expect(handle.deaths()).toBe(1);
    expect(JSON.stringify(errors)).toContain('told to die');
  });

  it('is ended when it does not stop by itself', async () => {
    const { handle, heard } = start(true);
    await expect.poll(() => heard.length, { timeout: 10_000 }).toBe(1);
    await handle.stop();
    expect(handle.deaths()).toBe(0);
  });
});

describe('the file of a worker', () => {
  it('is the source beside the source', () => {
    expect(workerUrl('sinks/worker-main.ts', 'file:///b/broker/worker.ts').pathname).toBe(
      '/b/broker/sinks/worker-main.ts',
    );
  });

  it('is in dist/parts/ for the program in dist/ and for the command line in dist/parts/', () => {
    const dist = mkdtempSync(join(tmpdir(), 'tw-worker-'));
    const part = join(dist, 'parts', 'broker-sinks-worker-main.mjs');
    mkdirSync(join(dist, 'parts'));
    writeFileSync(part, '');
    for (const name of ['broker.mjs', 'parts/run-AB12.mjs']) {
      const here = pathToFileURL(join(dist, name)).href;
      expect(workerUrl('sinks/worker-main.ts', here).pathname).toBe(part);
    }
    rmSync(dist, { recursive: true });
  });
});
