// Worker threads of the broker: what reads the ledger and turns it into something else (sinks, history)
// must not take the turns of the loop that acknowledges. A worker is a file of its own: the source as it
// is, or dist/parts/broker-*.mjs where the broker runs built (cli/build.js, `workers`). One that dies is
// logged and started again with backoff: whatever it does survives that, as it must survive a power cut.

import { existsSync } from 'node:fs';
import { parentPort, Worker, workerData } from 'node:worker_threads';
import type { Timers } from './clock.ts';
import type { Log } from './ports.ts';

/** Stopping is polite for this long; then the thread is ended. A part of the broker has 900 ms to stop. */
const STOP_MS_MAX = 700;
const RESTART_MS_MIN = 1_000;
const RESTART_MS_MAX = 60_000;

/** Posted by `stop`; everything else is between main and worker. */
type Stop = { readonly kind: 'stop' };
type Message = { readonly kind: string };

export type WorkerOptions<Data, From extends Message> = {
  /** For the log. */
  readonly name: string;
  /** Of its file, from `workerUrl`. */
  readonly url: URL;
  /** Asked at each start, also after a restart; it is cloned, so it must be plain data. */
  readonly data: () => Data;
  readonly onMessage: (message: From) => void;
  /** It is started again by itself; what it last said of itself is no longer so. */
  readonly onDeath?: (reason: string) => void;
  readonly timers: Timers;
  readonly log: Log;
  /** Megabytes of its heap; more ends (and restarts) the worker, not the broker. */
  readonly heapMbMax?: number;
};

export type WorkerHandle<To extends Message> = {
  /** Lost while the worker is down: it gets `data` anew when it starts. */
  readonly post: (message: To) => void;
  /** Deaths since the start. */
  readonly deaths: () => number;
  /** Done after at most 900 ms. */
  readonly stop: () => Promise<void>;
};

/**
 * @param source of the worker beside this file, such as `sinks/worker-main.ts`; name it in cli/build.js, too.
 * @param here `import.meta.url` in tests only.
 */
export function workerUrl(source: string, here = import.meta.url): URL {
  if (here.endsWith('.ts')) return new URL(source, here);
  const built = builtName(source);
  // The broker is a file in dist/ or, as part of the command line, one in dist/parts/.
  const beside = new URL(built, here);
  return existsSync(beside) ? beside : new URL(`parts/${built}`, here);
}

/** `sinks/worker-main.ts` is built as `broker-sinks-worker-main.mjs`. */
const builtName = (source: string): string =>
  `broker-${source.replaceAll('/', '-').replace(/\.ts$/, '')}.mjs`;

export function startWorker<Data, To extends Message, From extends Message>(
  options: WorkerOptions<Data, From>,
): WorkerHandle<To> {
  const { name, url, data, onMessage, timers, log, heapMbMax } = options;
  let worker: Worker | undefined;
  let restartMs = RESTART_MS_MIN;
  let cancel: (() => void) | undefined;
  let deaths = 0;
  let stopping = false;

  function died(reason: string): void {
    worker = undefined;
    if (stopping) return;
    deaths += 1;
    options.onDeath?.(reason);
    log.error('a worker ended and is started again', { worker: name, reason, restartMs });
    cancel?.();
    cancel = timers.after(restartMs, start);
    restartMs = Math.min(restartMs * 2, RESTART_MS_MAX);
  }

  function start(): void {
    const resourceLimits = heapMbMax === undefined ? {} : { maxOldGenerationSizeMb: heapMbMax };
    const started = new Worker(url, { name, workerData: data(), resourceLimits });
    worker = started;
    let reason: string | undefined;
    started.on('message', onMessage);
    started.on('error', (error) => {
      reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    });
    started.on('exit', (code) => died(reason ?? `it ended by itself with code ${code}`));
    // Whoever stays alive this long is not in a loop of deaths.
    cancel = timers.after(RESTART_MS_MAX, () => {
      restartMs = RESTART_MS_MIN;
    });
  }

  start();
  return {
    post: (message) => worker?.postMessage(message),
    deaths: () => deaths,
    stop: async () => {
      stopping = true;
      cancel?.();
      const ending = worker;
      if (ending === undefined) return;
      const gone = new Promise<void>((resolve) => ending.once('exit', () => resolve()));
      ending.postMessage({ kind: 'stop' } satisfies Stop);
      const late = timers.after(STOP_MS_MAX, () => void ending.terminate());
      await gone;
      late();
    },
  };
}

export type WorkerSide<Data, From extends Message> = {
  readonly data: Data;
  readonly post: (message: From) => void;
};

/**
 * The other side, once in a worker's file.
 * @param onMessage everything posted but `stop`
 * @param onStop closes files and the like; the thread ends when it is done
 */
export function attachWorker<Data, To extends Message, From extends Message>(
  onMessage: (message: To) => void,
  onStop: () => void | Promise<void>,
): WorkerSide<Data, From> {
  const port = parentPort;
  if (port === null) throw new Error('this file runs in a worker thread only');
  // In a worker, process.exit ends the thread and not the process.
  const end = async (): Promise<never> => {
    await onStop();
    process.exit(0);
  };
  port.on('message', (message: To | Stop) => {
    if (message.kind === 'stop') void end();
    else onMessage(message as To);
  });
  return { data: workerData as Data, post: (message) => port.postMessage(message) };
}
