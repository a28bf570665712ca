// The sink for traces: OTLP over HTTP, to a collector, Jaeger, Tempo or whatever else speaks it. At least once, with
// ids that the terminals gave, so that a backend which keeps spans by id keeps each once. What a collector refuses is
// halved until the refused span is alone and buried; what is about the request and not about spans (a wrong path, a
// missing token) waits for a person and buries nothing.

import type { Timers } from '../clock.ts';
import type { LedgerRow } from '../ledger-reader.ts';
import { createOtlpPost, type OtlpAnswer } from './otlp-post.ts';
import { type Outgoing, spansOf } from './otlp-rows.ts';
import type { Buried, SendResult, Sink } from './types.ts';
import { shownUrl } from './words.ts';

export type OtlpOptions = {
  readonly name: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly storeOf: (terminal: string) => string;
  readonly nowMs: () => number;
  readonly timers: Timers;
  /** For tillwatch_sink_requests_total. */
  readonly onRequest: (result: string) => void;
};

/** Collectors take 4 MB by default; a span has 8 KiB at most, and a tenth of that in truth. */
export const SPANS_PER_REQUEST = 256;
/** About the request and not about what is in it [RFC 9110 15.5]. */
const NOT_ABOUT_SPANS: ReadonlySet<number> = new Set([401, 402, 403, 404, 405, 406, 407, 408, 415]);
const PERSON_MS = 5_000;

type Work = {
  readonly rows: readonly LedgerRow[];
  /** What is left to be sent, in order; a refused piece is replaced by its halves. */
  readonly pieces: (readonly Outgoing[])[];
  readonly buried: Map<string, Buried>;
  items: number;
};

type Verdict =
  | { readonly kind: 'taken'; readonly rejected: number; readonly sentence: string }
  | { readonly kind: 'bad'; readonly sentence: string }
  | {
      readonly kind: 'again';
      readonly result: string;
      readonly reason: string;
      readonly afterMs?: number;
    };

/** Total: what an answer means for what was sent. */
export function judgeOtlp(answer: OtlpAnswer, where: string): Verdict {
  if (answer.kind === 'success') return { ...answer, kind: 'taken' };
  if (answer.kind === 'unreachable') {
    const reason = `${where} cannot be reached: ${answer.sentence}`;
    return { kind: 'again', result: 'unreachable', reason };
  }
  const { status, sentence, afterMs } = answer;
  const reason = `${where} answered ${status}: ${sentence}`;
  const later = afterMs === undefined ? {} : { afterMs };
  if (status === 429) return { kind: 'again', result: 'throttled', reason, ...later };
  if (status === 401 || status === 403) {
    return { kind: 'again', result: 'unauthorised', reason, afterMs: PERSON_MS };
  }
  if (status < 400 || NOT_ABOUT_SPANS.has(status)) {
    return { kind: 'again', result: 'no_receiver', reason, afterMs: PERSON_MS };
  }
  if (status >= 500) return { kind: 'again', result: 'unavailable', reason, ...later };
  return { kind: 'bad', sentence: `answered ${status}: ${sentence}` };
}

const RECEIVER =
  'an OpenTelemetry collector needs receivers.otlp.protocols.http, Tempo the same under distributor, ' +
  'Jaeger 1.x the flag --collector.otlp.enabled=true; the port is 4318 and the path /v1/traces';

/** For a person who has just written one line of configuration. */
function adviceFor(verdict: Verdict): readonly string[] {
  if (verdict.kind === 'taken') return [];
  if (verdict.kind === 'bad') return [`a request without spans is refused: ${verdict.sentence}`];
  if (verdict.result === 'unauthorised') {
    return [`${verdict.reason}: set the header that it wants under sinks.traces.headers`];
  }
  return verdict.result === 'no_receiver' || verdict.result === 'unreachable'
    ? [`${verdict.reason}: ${RECEIVER}`]
    : [verdict.reason];
}

const showSpan = ({ span }: Outgoing): string => {
  const { traceId, spanId } = span.spanContext();
  return `${span.name} ${traceId}/${spanId}`;
};

function chunks(all: readonly Outgoing[]): (readonly Outgoing[])[] {
  const pieces: (readonly Outgoing[])[] = [];
  for (let at = 0; at < all.length; at += SPANS_PER_REQUEST) {
    pieces.push(all.slice(at, at + SPANS_PER_REQUEST));
  }
  return pieces;
}

/** One line for each terminal and reason, however many spans. */
function burier(buried: Map<string, Buried>): (one: Buried) => void {
  return (one) => {
    const key = `${one.terminal}\0${one.reason}`;
    const known = buried.get(key);
    buried.set(key, known === undefined ? one : { ...known, count: known.count + one.count });
  };
}

export function createOtlp(options: OtlpOptions): Sink {
  const { name, url, storeOf, onRequest } = options;
  const where = shownUrl(url);
  const post = createOtlpPost(options);
  let work: Work | undefined;

  async function open(rows: readonly LedgerRow[]): Promise<Work> {
    const { resourceFromAttributes: makeResource } = await import('@opentelemetry/resources');
    const buried = new Map<string, Buried>();
    const all = spansOf(rows, { storeOf, makeResource, bury: burier(buried) });
    return { rows, pieces: chunks(all), buried, items: 0 };
  }

  async function ask(piece: readonly Outgoing[]): Promise<Verdict> {
    const verdict = judgeOtlp(await post.send(piece.map(({ span }) => span)), where);
    onRequest(verdict.kind === 'again' ? verdict.result : verdict.kind);
    return verdict;
  }

  function take({ pieces, buried }: Work, piece: readonly Outgoing[], verdict: Verdict): number {
    pieces.shift();
    const [first] = piece;
    if (verdict.kind !== 'taken' || verdict.rejected === 0 || first === undefined) {
      return piece.length;
    }
    // Which ones it refused a collector does not say.
    const count = Math.min(verdict.rejected, piece.length);
    const whose = new Set(piece.map(({ terminal }) => terminal));
    const terminal = whose.size === 1 ? first.terminal : '';
    const sentence = `partly refused: ${verdict.sentence || 'without a reason'}`;
    burier(buried)({ terminal, reason: 'refused', sentence, count, sample: showSpan(first) });
    return piece.length - count;
  }

  /** @returns why the rest must wait. */
  async function refuse(
    { pieces, buried }: Work,
    piece: readonly Outgoing[],
    sentence: string,
  ): Promise<Extract<Verdict, { kind: 'again' }> | undefined> {
    const [one] = piece;
    if (piece.length > 1) {
      const half = Math.ceil(piece.length / 2);
      pieces.splice(0, 1, piece.slice(0, half), piece.slice(half));
      return undefined;
    }
    // Whoever refuses nothing at all, too, would have everything buried for a proxy's sake.
    const empty = await ask([]);
    if (empty.kind === 'again') return empty;
    if (empty.kind === 'bad') {
      const reason = `${where} refuses even a request without spans: ${sentence}`;
      return { kind: 'again', result: 'unavailable', reason };
    }
    pieces.shift();
    if (one === undefined) return undefined;
    const { terminal } = one;
    burier(buried)({ terminal, reason: 'refused', sentence, count: 1, sample: showSpan(one) });
    return undefined;
  }

  async function send(rows: readonly LedgerRow[]): Promise<SendResult> {
    // The same rows again: what is settled of them stays settled.
    const current = work?.rows === rows ? work : await open(rows);
    work = current;
    for (let [piece] = current.pieces; piece !== undefined; [piece] = current.pieces) {
      const verdict = await ask(piece);
      const again =
        verdict.kind === 'bad' ? await refuse(current, piece, verdict.sentence) : verdict;
      if (again?.kind === 'again') {
        const { reason, afterMs } = again;
        return { kind: 'again', reason, ...(afterMs !== undefined && { afterMs }) };
      }
      if (verdict.kind === 'taken') current.items += take(current, piece, verdict);
    }
    work = undefined;
    return { kind: 'taken', items: current.items, buried: [...current.buried.values()] };
  }

  return {
    name,
    streams: ['traces'],
    send,
    check: async () => adviceFor(judgeOtlp(await post.send([]), where)),
    close: post.close,
  };
}
