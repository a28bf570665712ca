// One request through OpenTelemetry's exporter, with one answer within one deadline. The exporter retries by itself
// and tells of an answer only what it makes of it; here a request is tried once, because retrying is the loop's, and
// what was answered is read where Node tells of it (diagnostics_channel). Its own time-out counts silence, so a
// collector that drips would hold it for ever; ours counts from the beginning.

import { channel } from 'node:diagnostics_channel';
import type { ClientRequest, IncomingMessage } from 'node:http';
import * as http from 'node:http';
import * as https from 'node:https';
import { DiagLogLevel, diag } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import type { Timers } from '../clock.ts';
import { retryAfterMs } from './post.ts';
import { errorWords, systemWords } from './words.ts';

/** What became of one request. `rejected`: of a success, spans that the collector will not have. */
export type OtlpAnswer =
  | { readonly kind: 'success'; readonly rejected: number; readonly sentence: string }
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly sentence: string;
      readonly afterMs?: number;
    }
  | { readonly kind: 'unreachable'; readonly sentence: string };

export type OtlpPostOptions = {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly timers: Timers;
  readonly nowMs: () => number;
};
export type OtlpPost = {
  readonly send: (spans: readonly ReadableSpan[]) => Promise<OtlpAnswer>;
  /** Ends what is open; later requests fail at once. */
  readonly close: () => void;
};

type Exchange = {
  readonly request: ClientRequest;
  readonly response?: IncomingMessage;
  readonly error?: Error;
};
type Partial = { readonly rejected: number; readonly sentence: string };

const RESPONSES = channel('http.client.response.finish');
const ERRORS = channel('http.client.request.error');
/** The exporter's word on a partial success goes to its log only (logging-response-handler). */
const PARTIAL = /^Received Partial Success/;
const NOTHING_REJECTED: Partial = { rejected: 0, sentence: '' };
const ONCE = 'one request is tried once: the loop comes again';
const STOPPED: OtlpAnswer = { kind: 'unreachable', sentence: 'it is being stopped' };

function readPartial(detail: unknown): Partial {
  try {
    const { rejectedSpans, errorMessage } = JSON.parse(String(detail)) as Record<string, unknown>;
    const rejected = Number(rejectedSpans ?? 0);
    return {
      rejected: Number.isSafeInteger(rejected) && rejected > 0 ? rejected : 0,
      sentence: systemWords(String(errorMessage ?? '')),
    };
  } catch {
    return NOTHING_REJECTED;
  }
}

/** What Node and the exporter tell of the request that is open; at most one is. */
function createEar(url: string) {
  const Agent = url.startsWith('https:') ? https.Agent : http.Agent;
  const newAgent = (): http.Agent => new Agent({ keepAlive: true, maxSockets: 1 });
  const silent = (): void => undefined;
  const ear = {
    agent: newAgent(),
    partial: NOTHING_REJECTED,
    heard: undefined as ((exchange: Exchange) => void) | undefined,
    /** Whatever still runs over the old connection ends with it. */
    drop: () => {
      ear.agent.destroy();
      ear.agent = newAgent();
    },
    close: () => {
      RESPONSES.unsubscribe(hear);
      ERRORS.unsubscribe(hear);
      ear.agent.destroy();
    },
  };
  function hear(message: unknown): void {
    const exchange = message as Exchange;
    // Every request of the thread comes by here; ours is the one over our connection.
    if (Reflect.get(exchange.request, 'agent') === ear.agent) ear.heard?.(exchange);
  }
  RESPONSES.subscribe(hear);
  ERRORS.subscribe(hear);
  const warn = (message: string, detail: unknown): void => {
    if (PARTIAL.test(message)) ear.partial = readPartial(detail);
  };
  diag.setLogger(
    { error: silent, info: silent, debug: silent, verbose: silent, warn },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
  return ear;
}

/** The exporter, for one request. */
async function exporterOf({ url, timeoutMs, headers }: OtlpPostOptions, agent: http.Agent) {
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http');
  let asked = false;
  return new OTLPTraceExporter({
    url,
    timeoutMillis: timeoutMs,
    concurrencyLimit: 1,
    compression: 'gzip' as never,
    httpAgentOptions: () => agent,
    // Asked for at each attempt, so the second one ends here.
    headers: () => {
      if (asked) return Promise.reject(new Error(ONCE));
      asked = true;
      return Promise.resolve({ ...headers });
    },
  });
}

function statusAnswer(response: IncomingMessage, text: string, nowMs: number): OtlpAnswer {
  const afterMs = retryAfterMs(response.headers['retry-after'], nowMs);
  const status = response.statusCode ?? 0;
  const sentence = systemWords(text || (response.statusMessage ?? ''));
  return { kind: 'status', status, sentence, ...(afterMs !== undefined && { afterMs }) };
}

export function createOtlpPost(options: OtlpPostOptions): OtlpPost {
  const { url, timeoutMs, timers, nowMs } = options;
  const ear = createEar(url);
  let closed = false;
  /** One after the other: the self-test comes while something is sent. */
  let before: Promise<unknown> = Promise.resolve();
  let abandon: ((answer: OtlpAnswer) => void) | undefined;

  async function once(spans: readonly ReadableSpan[]): Promise<OtlpAnswer> {
    const exporter = await exporterOf(options, ear.agent);
    if (closed) return STOPPED;
    ear.partial = NOTHING_REJECTED;
    return await new Promise<OtlpAnswer>((done) => {
      const resolve = (answer: OtlpAnswer): void => {
        cancel();
        ear.heard = undefined;
        done(answer);
      };
      /** The connection goes with it: a collector in trouble may never end its answer. */
      const giveUp = (answer: OtlpAnswer): void => {
        resolve(answer);
        ear.drop();
      };
      abandon = resolve;
      const sentence = `no whole answer within ${timeoutMs / 1000} s`;
      const cancel = timers.after(timeoutMs, () => giveUp({ kind: 'unreachable', sentence }));
      let last: IncomingMessage | undefined;
      ear.heard = ({ response, error }) => {
        last = response;
        // After these the exporter would try again without a word.
        if (error !== undefined) giveUp({ kind: 'unreachable', sentence: errorWords(error) });
        else if (response?.statusCode === 429 || Number(response?.statusCode) >= 500) {
          giveUp(statusAnswer(response as IncomingMessage, '', nowMs()));
        }
      };
      exporter.export([...spans], ({ code, error }) => {
        if (code === 0) resolve({ kind: 'success', ...ear.partial });
        else if (last === undefined) resolve({ kind: 'unreachable', sentence: errorWords(error) });
        else {
          const { data = '' } = (error ?? {}) as { data?: string };
          resolve(statusAnswer(last, data, nowMs()));
        }
      });
    });
  }

  return {
    send: (spans) => {
      const sent = before
        .then(() => once(spans))
        .catch((error): OtlpAnswer => ({ kind: 'unreachable', sentence: errorWords(error) }));
      before = sent;
      return sent;
    },
    close: () => {
      closed = true;
      abandon?.(STOPPED);
      ear.close();
    },
  };
}
