// Brings completed sales to the head office, oldest first, one after the other. The sale component keeps
// them until sync gives back the ids that the head office confirmed one by one; a kill at any point at
// worst sends a sale twice, which the head office takes as one. Sync keeps no queue of its own: two
// queues can disagree. A dead line is met with full jitter up to a minute, for as long as it takes.

import * as v from 'valibot';
import { checkJson, count, uuid } from '../shared/check.ts';
import type { Log } from '../shared/log.ts';
import { backoffCeilingMs, fullJitterMs, type Loop, startLoop } from '../shared/loops.ts';
import { request } from '../shared/request.ts';
import { fail, ok, type Result } from '../shared/result.ts';
import type { DeadLetters } from './dead-letters.ts';
import { outcomeOf } from './outcome.ts';
import type { Uplink } from './uplink.ts';

const PAGE = 50;
const SALE_TIMEOUT_MS = 3_000;
const CENTRE_TIMEOUT_MS = 10_000;
const BACKOFF_MS_MIN = 500;
/** The sale component restarts in seconds; asking it is cheap. */
const SALE_AWAY_MS = 1_000;

const pageSchema = v.object({
  sales: v.array(v.looseObject({ id: uuid, sequence: count, completedMs: count })),
  pending: count,
});
type Sale = v.InferOutput<typeof pageSchema>['sales'][number];

export type UploadState = {
  /** Unconfirmed sales, without those refused for good. */
  readonly pending: number;
  readonly oldestMs: number | undefined;
};
type Ground = {
  readonly saleUrl: string;
  readonly centreUrl: string;
  readonly letters: DeadLetters;
  readonly uplink: Uplink;
  readonly version: string;
  readonly pollMs: number;
  readonly backoffMsMax: number;
  readonly log: Log;
  readonly now: () => number;
};

async function readPage(
  ground: Ground,
  after: number,
  signal: AbortSignal,
): Promise<Result<v.InferOutput<typeof pageSchema>>> {
  const path = `/sales?after=${after}&limit=${PAGE}`;
  const ask = { method: 'GET', path, timeoutMs: SALE_TIMEOUT_MS, signal } as const;
  const answered = await request(ground.saleUrl, ask);
  if (!answered.ok) return answered;
  if (answered.value.status !== 200) return fail(`the sale answered ${answered.value.status}`);
  return checkJson(pageSchema, answered.value.body);
}

/** @returns false when the sale did not take it: then the head office is simply told again later. */
async function giveBack(ground: Ground, ids: readonly string[]): Promise<boolean> {
  if (ids.length === 0) return true;
  const ask = { method: 'POST', path: '/sales/ack', timeoutMs: SALE_TIMEOUT_MS } as const;
  const answered = await request(ground.saleUrl, { ...ask, body: { ids } });
  if (!answered.ok || answered.value.status !== 200) return false;
  const confirmed = checkJson(v.object({ confirmed: count }), answered.value.body);
  if (confirmed.ok) ground.letters.addAcked(ground.version, confirmed.value.confirmed);
  return confirmed.ok;
}

type Sent = { readonly confirmed: readonly string[]; readonly trouble: string | undefined };

/** Sends a page in order; stops at the first sign that the line or the other side is not well. */
async function sendPage(
  ground: Ground,
  sales: readonly Sale[],
  signal: AbortSignal,
): Promise<Sent> {
  const confirmed: string[] = [];
  for (const sale of sales) {
    if (signal.aborted) return { confirmed, trouble: 'stopping' };
    const path = `/sales/${sale.id}`;
    const ask = { method: 'PUT', path, timeoutMs: CENTRE_TIMEOUT_MS, signal } as const;
    const outcome = outcomeOf(sale.id, await request(ground.centreUrl, { ...ask, body: sale }));
    if (outcome.kind === 'later') return { confirmed, trouble: outcome.reason };
    ground.uplink.answered();
    if (outcome.kind === 'confirmed') confirmed.push(sale.id);
    else {
      const { status, reason } = outcome;
      const letter = { sale: sale.id, sequence: sale.sequence, status, reason };
      ground.letters.add({ ...letter, refusedMs: ground.now() });
      ground.log.error('the head office refused a sale for good', letter);
    }
  }
  return { confirmed, trouble: undefined };
}

export function startUploads(ground: Ground): { loop: Loop; state: () => UploadState } {
  const { letters, uplink, log } = ground;
  let state: UploadState = { pending: 0, oldestMs: undefined };
  let attempt = 0;
  let saleAway = false;

  const sawSale = (page: Result<unknown>): void => {
    if (page.ok !== saleAway) return;
    saleAway = !page.ok;
    if (page.ok) log.info('the sale component is back');
    else log.warn('the sale component is away', { reason: page.reason });
  };

  /** Walks all that is unconfirmed; the walk always begins at the oldest, past dead letters. */
  async function pass(signal: AbortSignal): Promise<Result<void>> {
    for (let after = 0; ; ) {
      const page = await readPage(ground, after, signal);
      if (signal.aborted) return ok(undefined);
      sawSale(page);
      if (!page.ok) return ok(undefined);
      const { sales, pending } = page.value;
      const due = sales.filter((sale) => !letters.has(sale.id));
      const { confirmed, trouble } = await sendPage(ground, due, signal);
      const given = await giveBack(ground, confirmed);
      const left = due.filter((sale) => !letters.has(sale.id));
      const open = given ? left.slice(confirmed.length) : left;
      const stillPending = pending - letters.count() - (given ? confirmed.length : 0);
      state = { pending: Math.max(0, stillPending), oldestMs: open[0]?.completedMs };
      if (trouble !== undefined) return fail(trouble);
      const last = sales.at(-1);
      if (!given || last === undefined || sales.length < PAGE) return ok(undefined);
      after = last.sequence;
    }
  }

  const loop = startLoop(log, async (signal) => {
    const passed = await pass(signal);
    if (passed.ok || signal.aborted) {
      attempt = 0;
      return saleAway ? SALE_AWAY_MS : ground.pollMs;
    }
    uplink.failed(passed.reason);
    attempt += 1;
    return fullJitterMs(backoffCeilingMs(attempt - 1, BACKOFF_MS_MIN, ground.backoffMsMax));
  });
  return { loop, state: () => state };
}
