// Carries receipts to the hardware component in the background; the sale never waits for paper. A
// receipt is a print job under the sale's id, so that handing it over again prints once. When its time is
// over it is given up: a receipt for a customer who has left is waste, and dozens of them after a paper
// change are a nuisance that real tills are known for (research/pos.md 1.4).

import * as v from 'valibot';
import { checkJson } from '../shared/check.ts';
import type { Log } from '../shared/log.ts';
import { backoffCeilingMs, fullJitterMs, type Loop, startLoop } from '../shared/loops.ts';
import { request } from '../shared/request.ts';
import { RECEIPT_LIFE_MS, type Receipt, type ReceiptState, type Sales } from './sales.ts';
import type { Step as PrintStep, SaleTraces } from './tracing.ts';

const TIMEOUT_MS = 2_000;
const POLL_MS = 250;
const IDLE_MS = 5_000;
const BACKOFF_MS_MIN = 250;
const BACKOFF_MS_MAX = 5_000;

const jobSchema = v.object({
  state: v.picklist(['waiting', 'printing', 'done', 'failed', 'unknown']),
});
type Step = { readonly state: ReceiptState } | { readonly trouble: string };

const FINAL = { done: 'printed', failed: 'failed', unknown: 'unknown' } as const;

/** A clock that was set back must not ask for a day: hardware would refuse the job. */
const leftMs = ({ untilMs }: Receipt, nowMs: number): number =>
  Math.min(untilMs - nowMs, RECEIPT_LIFE_MS);

async function advance(
  base: string,
  receipt: Receipt,
  nowMs: number,
  signal: AbortSignal,
  traceparent: string | undefined,
): Promise<Step> {
  const common = { timeoutMs: TIMEOUT_MS, signal };
  const answered =
    receipt.state === 'pending'
      ? await request(base, {
          ...common,
          method: 'POST',
          path: '/print',
          ...(traceparent === undefined ? {} : { headers: { traceparent } }),
          body: { id: receipt.sale, text: receipt.text, ttlMs: leftMs(receipt, nowMs) },
        })
      : await request(base, { ...common, method: 'GET', path: `/jobs/${receipt.sale}` });
  if (!answered.ok) return { trouble: answered.reason };
  const { status, body } = answered.value;
  // The hardware forgot the job (its file was lost): hand it over again.
  if (status === 404) return { state: 'pending' };
  if (status >= 400 && status < 500) return { state: 'failed' };
  const job = checkJson(jobSchema, body);
  if (status >= 300 || !job.ok) return { trouble: `unexpected answer ${status}` };
  const { state } = job.value;
  return { state: state === 'waiting' || state === 'printing' ? 'sent' : FINAL[state] };
}

/** @param base the hardware component's URL. */
export function startReceipts(parts: {
  readonly base: string;
  readonly sales: Sales;
  readonly log: Log;
  readonly now: () => number;
  readonly traces?: SaleTraces;
}): Loop {
  const { base, sales, log, now, traces } = parts;
  let failures = 0;
  /** From handing it over until it is on paper; of the receipt that is worked on. */
  let printing: { readonly sale: string; readonly step: PrintStep | undefined } | undefined;
  const stepOf = (sale: string): PrintStep | undefined => {
    if (printing?.sale !== sale) printing = { sale, step: traces?.print(sale) };
    return printing.step;
  };
  const through = (sale: string, failed?: string): void => {
    stepOf(sale)?.end(failed);
    printing = undefined;
    traces?.printed(sale);
  };
  return startLoop(log, async (signal) => {
    const receipt = sales.nextReceipt();
    if (receipt === undefined) return IDLE_MS;
    if (receipt.untilMs <= now()) {
      sales.setReceipt(receipt.sale, receipt.state === 'sent' ? 'unknown' : 'failed');
      through(receipt.sale, 'its time was over');
      log.warn('receipt given up', { sale: receipt.sale });
      return 0;
    }
    const traceparent = stepOf(receipt.sale)?.traceparent;
    const step = await advance(base, receipt, now(), signal, traceparent);
    if ('trouble' in step) {
      if (failures === 0) log.warn('receipts wait', { reason: step.trouble });
      failures += 1;
      const ceilingMs = backoffCeilingMs(failures - 1, BACKOFF_MS_MIN, BACKOFF_MS_MAX);
      return BACKOFF_MS_MIN / 2 + fullJitterMs(ceilingMs);
    }
    failures = 0;
    if (step.state !== receipt.state) sales.setReceipt(receipt.sale, step.state);
    const finished = step.state !== 'sent' && step.state !== 'pending';
    if (finished) through(receipt.sale, step.state === 'printed' ? undefined : step.state);
    if (finished && step.state !== 'printed') {
      log.warn('receipt not printed', { sale: receipt.sale, state: step.state });
    }
    return finished ? 0 : POLL_MS;
  });
}
