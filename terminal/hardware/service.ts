// Puts the hardware component together. It is thin on purpose: one printer behind one queue, offered to the
// till as two routes. The agent never opens a device itself; a port that hangs may take this process with
// it, and nothing else (research/pos.md 0.4).

import * as v from 'valibot';
import { identifier } from '../shared/check.ts';
import type { Context, Service } from '../shared/component.ts';
import { answer, problem, type Route, withBody } from '../shared/http.ts';
import { createRegistry, type Point, stateSet } from '../shared/metrics.ts';
import { SENTENCES } from './escpos.ts';
import { DEVICE_STATES, Printer } from './printer.ts';
import { type Job, PrintQueue, WAITING_MAX } from './queue.ts';

export type HardwareSettings = {
  readonly POS_PRINTER_HOST: string;
  readonly POS_PRINTER_PORT: number;
};

const DEVICE = 'printer';
const TEXT_CHARS_MAX = 32 * 1024;
const BODY_BYTES_MAX = 64 * 1024;
const TTL_MS_MAX = 3_600_000;

const printBody = v.strictObject({
  id: identifier,
  text: v.pipe(
    v.string('give a text'),
    v.minLength(1, 'there is nothing to print'),
    v.maxLength(TEXT_CHARS_MAX, `a receipt is at most ${TEXT_CHARS_MAX} characters`),
  ),
  ttlMs: v.pipe(
    v.number('give a number of milliseconds'),
    v.integer('give whole milliseconds'),
    v.minValue(1, 'a job lives at least 1 ms'),
    v.maxValue(TTL_MS_MAX, `a job lives at most ${TTL_MS_MAX} ms`),
  ),
});

const show = ({ id, state, reason }: Job) => ({ id, state, ...(reason ? { reason } : {}) });

const routes = (queue: PrintQueue, printer: Printer, now: () => number): Route[] => [
  {
    method: 'POST',
    path: '/print',
    run: withBody(printBody, ({ id, text, ttlMs }) => {
      const added = queue.add(id, text, now() + ttlMs);
      if (added === undefined) {
        return problem(503, `The queue is full: ${WAITING_MAX} jobs wait.`, { 'retry-after': '5' });
      }
      printer.wake();
      return answer(added.isNew ? 202 : 200, show(added.job));
    }),
  },
  {
    method: 'GET',
    path: '/jobs/:id',
    run: ({ params }) => {
      const job = queue.find(params['id'] ?? '');
      return job ? answer(200, show(job)) : problem(404, 'There is no such job.');
    },
  },
];

export function startHardware(
  context: Context,
  settings: HardwareSettings,
  now: () => number,
): Service {
  const { log, channel, version, dataDir } = context;
  const queue = new PrintQueue(dataDir, log, now());
  const printer = new Printer({
    host: settings.POS_PRINTER_HOST,
    port: settings.POS_PRINTER_PORT,
    queue,
    log,
    now,
    onTrouble: (trouble) => channel.status(trouble ? SENTENCES[trouble] : 'the printer is well'),
  });
  printer.start();
  const device = { device: DEVICE };
  const points = (counts: ReadonlyMap<string, number>, label: string): Point[] =>
    [...counts].map(([key, value]) => ({ labels: { ...device, [label]: key, version }, value }));
  const registry = createRegistry({
    pos_device_state: () => stateSet(DEVICE_STATES, printer.state(), device),
    pos_device_errors_total: () => points(printer.errors, 'code'),
    pos_device_reopen_total: () => [{ labels: device, value: printer.reopened }],
    pos_print_queue_depth: () => [{ labels: device, value: queue.depth() }],
    pos_print_jobs_total: () => points(printer.results, 'result'),
  });
  return {
    registry,
    routes: routes(queue, printer, now),
    bodyBytesMax: BODY_BYTES_MAX,
    health: () => {
      const trouble = printer.trouble();
      return { status: trouble ? 'degraded' : 'ok', printer: trouble ?? printer.state() };
    },
    stop: async () => {
      await printer.stop();
      queue.close();
    },
  };
}
