// What the till can do with its devices, as routes on the loopback; each exists only where its device does.
// GET /devices tells the state of all in UnifiedPOS terms, POST /devices/:name/check is checkHealth.

import * as v from 'valibot';
import { identifier } from '../shared/check.ts';
import { answer, problem, type Reply, type Route, withBody } from '../shared/http.ts';
import { sleep } from '../shared/loops.ts';
import type { Facts } from './device/device.ts';
import { CHECK_LEVELS, SENTENCES } from './device/upos.ts';
import type { Reading } from './drivers/scale-protocols.ts';
import { type Job, type PrintQueue, WAITING_MAX } from './queue.ts';
import type { Built, Clock } from './till.ts';

const TEXT_CHARS_MAX = 32 * 1024;
const TTL_MS_MAX = 3_600_000;
const WAIT_MS_MAX = 5_000;
const WEIGHT_MS = 2_500;
const WEIGHT_LOOK_MS = 50;
const DISPLAY_CHARS_MAX = 200;

const whole = v.pipe(
  v.number('give a number of milliseconds'),
  v.integer('give whole milliseconds'),
);
const printBody = v.strictObject({
  id: identifier,
  text: v.pipe(
    v.string('give a text'),
    v.minLength(1, 'there is nothing to print'),
    v.maxLength(TEXT_CHARS_MAX, `a receipt is at most ${TEXT_CHARS_MAX} characters`),
  ),
  ttlMs: v.pipe(
    whole,
    v.minValue(1, 'a job lives at least 1 ms'),
    v.maxValue(TTL_MS_MAX, `a job lives at most ${TTL_MS_MAX} ms`),
  ),
});
const line = v.pipe(
  v.string('give a text'),
  v.maxLength(DISPLAY_CHARS_MAX, `use at most ${DISPLAY_CHARS_MAX} characters`),
);
const displayBody = v.strictObject({ lines: v.tuple([line, line], 'give two lines') });
const checkBody = v.strictObject({
  level: v.picklist(CHECK_LEVELS, `use ${CHECK_LEVELS.join(' or ')}`),
});

const show = ({ id, state, reason }: Job) => ({ id, state, ...(reason ? { reason } : {}) });
const showFacts = ({ errors, trouble, ...facts }: Facts) => ({
  ...facts,
  ...(trouble && { errorCode: trouble.code, said: trouble.said, text: trouble.text }),
  errors: Object.fromEntries(errors),
});

function printRoutes(queue: PrintQueue, built: Built, clock: Clock): Route[] {
  return [
    {
      method: 'POST',
      path: '/print',
      run: withBody(printBody, ({ id, text, ttlMs }) => {
        const added = queue.add(id, text, clock.wallMs() + ttlMs);
        if (added === undefined) {
          const sentence = `The queue is full: ${WAITING_MAX} jobs wait.`;
          return problem(503, sentence, { 'retry-after': '5' });
        }
        built.device.wake();
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
}

const numberOf = (given: string | null, max: number): number => {
  const number = Number(given ?? 0);
  return Number.isSafeInteger(number) && number > 0 ? Math.min(number, max) : 0;
};

/** GET /scans?after=NUMBER&waitMs=: the till asks again with the last number that it has. */
const scanRoute = (scanner: Extract<Built, { class: 'Scanner' }>): Route => ({
  method: 'GET',
  path: '/scans',
  run: async ({ query }) => {
    const after = numberOf(query.get('after'), Number.MAX_SAFE_INTEGER);
    const waitMs = numberOf(query.get('waitMs'), WAIT_MS_MAX);
    if (waitMs > 0 && scanner.driver.after(after).length === 0) await scanner.driver.next(waitMs);
    return answer(200, { last: scanner.driver.goodScans(), scans: scanner.driver.after(after) });
  },
});

const REFUSALS: Readonly<Record<Exclude<Reading['kind'], 'weight'>, string>> = {
  unstable: 'The weight does not come to rest.',
  overweight: 'There is too much weight on the scale.',
  under_zero: 'The scale is under zero: take everything off and set it to zero.',
  broken: 'The scale reports an error of its own.',
  garbage: 'The scale cannot be understood.',
};

/** A weight at rest, measured after the question: an older one may be the customer's before. */
async function weigh({ device, driver }: Extract<Built, { class: 'Scale' }>): Promise<Reply> {
  const before = driver.reading();
  const hurry = driver.hurry();
  device.wake();
  for (let waitedMs = 0; waitedMs < WEIGHT_MS; waitedMs += WEIGHT_LOOK_MS) {
    const reading = driver.reading();
    const isFinal = reading !== undefined && reading !== before && reading.kind !== 'unstable';
    if (isFinal) break;
    await sleep(WEIGHT_LOOK_MS);
  }
  hurry.release();
  const reading = driver.reading();
  if (reading === undefined || reading === before) {
    return problem(503, 'The scale does not answer.', { 'retry-after': '1' });
  }
  if (reading.kind === 'weight') return answer(200, { grams: reading.grams });
  return problem(409, REFUSALS[reading.kind]);
}

function routesOf(built: Built, queue: PrintQueue | undefined, clock: Clock): Route[] {
  switch (built.class) {
    case 'POSPrinter':
      return queue === undefined ? [] : printRoutes(queue, built, clock);
    case 'CashDrawer': {
      const run = async (): Promise<Reply> => {
        const opened = await built.device.openDrawer();
        if (opened.ok) return answer(200, { open: built.device.isOpen() ?? 'unknown' });
        return problem(503, `The drawer ${SENTENCES[opened.code]}: it was not seen to open.`);
      };
      return [{ method: 'POST', path: '/drawer/open', run }];
    }
    case 'Scanner':
      return [scanRoute(built)];
    case 'Scale':
      return [{ method: 'GET', path: '/weight', run: () => weigh(built) }];
    case 'LineDisplay': {
      const run = withBody(displayBody, ({ lines }) => {
        built.driver.show(lines);
        built.device.wake();
        return answer(202, { lines });
      });
      return [{ method: 'POST', path: '/display', run }];
    }
  }
}

export function hardwareRoutes(
  all: readonly Built[],
  queue: PrintQueue | undefined,
  clock: Clock,
): Route[] {
  const list = (): Reply =>
    answer(200, { devices: all.map(({ device }) => showFacts(device.facts())) });
  const check: Route = {
    method: 'POST',
    path: '/devices/:name/check',
    run: withBody(checkBody, async ({ level }, { params }) => {
      const found = all.find(({ device }) => device.name === params['name']);
      if (found === undefined) return problem(404, 'There is no such device here.');
      return answer(200, await found.device.checkHealth(level));
    }),
  };
  return [
    { method: 'GET', path: '/devices', run: list },
    check,
    ...all.flatMap((built) => routesOf(built, queue, clock)),
  ];
}
