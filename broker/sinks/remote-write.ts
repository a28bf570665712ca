// The sink for Prometheus, VictoriaMetrics, Mimir and whatever else takes remote write 1.0. One request
// at a time, so that no series is ever in two at once; the next one is made while the database works. A
// request that must come again is the same one: samples keep the time and value that they were taken with,
// and a database that has them already takes nothing twice.

import type { Timers } from '../clock.ts';
import type { LedgerRow } from '../ledger-reader.ts';
import { BROKER_VERSION } from '../version.ts';
import type { Budget } from './budget.ts';
import { createGrave, type Part, requestsOf } from './parts.ts';
import { createHttpClient, type HttpClient } from './post.ts';
import { selfTest } from './self-test.ts';
import { createSettling, type Settling } from './settle.ts';
import { createTemplates } from './templates.ts';
import type { SendResult, Sink } from './types.ts';
import { type BadReason, judge, type Verdict } from './verdict.ts';
import { shownUrl } from './words.ts';
import { createEncoder, type Encoder } from './write-request.ts';

export type RemoteWriteOptions = {
  readonly name: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly bearerTokenFile?: string | undefined;
  readonly timeoutMs: number;
  readonly batchSamples: number;
  readonly budget: Budget;
  readonly storeOf: (terminal: string) => string;
  readonly nowMs: () => number;
  readonly timers: Timers;
  /** For tillwatch_sink_requests_total. */
  readonly onRequest: (result: string) => void;
};

/** As the specification of remote write 1.0 has them, to the letter. */
const HEADERS = {
  'content-encoding': 'snappy',
  'content-type': 'application/x-protobuf',
  'x-prometheus-remote-write-version': '0.1.0',
  'user-agent': `tillwatch/${BROKER_VERSION}`,
} as const;

export type Write = (parts: readonly Part[]) => Promise<Verdict>;

/** A request of the work in hand, settled when all its samples are taken or buried. */
type Job = {
  readonly settling: Settling;
  readonly whole: readonly Part[];
  bytes: Uint8Array | undefined;
};
type Work = {
  readonly rows: readonly LedgerRow[];
  readonly requests: Iterator<readonly Part[]>;
  readonly grave: ReturnType<typeof createGrave>;
  job: Job | undefined;
  following: Job | undefined;
  items: number;
};

function createWrite(options: RemoteWriteOptions, client: HttpClient) {
  const { url, onRequest } = options;
  const where = shownUrl(url);
  return async (bytes: Uint8Array): Promise<Verdict> => {
    const answer = await client.post(url, bytes, HEADERS);
    if (!answer.ok) {
      onRequest('unreachable');
      const sentence = `${where} cannot be reached: ${answer.reason}`;
      return { kind: 'again', result: 'unavailable', sentence, lost: true };
    }
    const verdict = judge(answer, where);
    onRequest(verdict.kind === 'again' ? verdict.result : verdict.kind);
    return verdict;
  };
}

export function createRemoteWrite(options: RemoteWriteOptions): Sink {
  const { name, url, nowMs, batchSamples, budget, storeOf, timers } = options;
  const { headers, bearerTokenFile, timeoutMs } = options;
  const client = createHttpClient({ headers, bearerTokenFile, timeoutMs, timers, nowMs });
  const encoder: Encoder = createEncoder();
  const templates = createTemplates();
  const writeBytes = createWrite(options, client);
  let work: Work | undefined;
  let keepsOnce: boolean | undefined;

  function open(rows: readonly LedgerRow[]): Work {
    const grave = createGrave();
    const parts = { templates, budget, storeOf, nowMs, samplesMax: batchSamples };
    const requests = requestsOf(rows, parts, grave.bury);
    return { rows, requests, grave, job: undefined, following: undefined, items: 0 };
  }

  function nextJob({ requests, grave }: Work): Job | undefined {
    const { value, done } = requests.next();
    if (done === true) return undefined;
    const parts: readonly Part[] = value;
    const settling = createSettling(parts, grave.bury);
    return { settling, whole: parts, bytes: encoder.encode(parts) };
  }

  /**
   * A refusal in words that nobody knows may not be about the samples at all (a proxy, a wrong port). A
   * database takes a request without samples; whoever refuses that, too, would have all of them buried.
   */
  async function doubt(reason: BadReason, sentence: string): Promise<Verdict | undefined> {
    if (reason !== 'refused' && reason !== 'too_large') return undefined;
    const empty = await writeBytes(encoder.encode([]));
    if (empty.kind === 'taken') return undefined;
    if (empty.kind === 'again') return empty;
    const all = `${shownUrl(url)} refuses even a request without samples: ${sentence}`;
    return { kind: 'again', result: 'unavailable', sentence: all };
  }

  /** @returns why the rest must wait; undefined when the job is done. */
  async function settle(
    current: Work,
    job: Job,
  ): Promise<Extract<Verdict, { kind: 'again' }> | undefined> {
    for (let parts = job.settling.next(); parts !== undefined; parts = job.settling.next()) {
      const whole = parts === job.whole && job.bytes !== undefined;
      const sent = writeBytes(whole && job.bytes ? job.bytes : encoder.encode(parts));
      current.following ??= nextJob(current);
      const verdict = await sent;
      if (verdict.kind === 'again') return verdict;
      if (verdict.kind === 'taken') {
        job.settling.accepted();
        continue;
      }
      const again = await doubt(verdict.reason, verdict.sentence);
      if (again?.kind === 'again') return again;
      job.settling.refused(verdict.reason, verdict.sentence);
    }
    return undefined;
  }

  async function send(rows: readonly LedgerRow[]): Promise<SendResult> {
    // The same rows again: what is settled of them stays settled.
    const current = work?.rows === rows ? work : open(rows);
    work = current;
    current.job ??= nextJob(current);
    while (current.job !== undefined) {
      const again = await settle(current, current.job);
      if (again !== undefined) {
        const { sentence, afterMs, lost = false } = again;
        const asked = afterMs === undefined ? {} : { afterMs };
        return { kind: 'again', reason: sentence, lost, ...asked };
      }
      current.items += current.job.settling.taken();
      current.job = current.following ?? nextJob(current);
      current.following = undefined;
    }
    work = undefined;
    return { kind: 'taken', items: current.items, buried: current.grave.all() };
  }

  const write: Write = (parts) => writeBytes(encoder.encode(parts));
  return {
    name,
    streams: ['metrics'],
    send,
    check: async () => {
      const found = await selfTest({ name, url, client, templates, write, nowMs });
      keepsOnce = found.keepsOnce ?? keepsOnce;
      return found.sentences;
    },
    keepsOnce: () => keepsOnce,
    drops: client.drops,
    close: client.close,
  };
}
