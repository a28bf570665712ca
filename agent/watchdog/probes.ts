// Asks a component from outside whether it still answers: http, tcp, a program, its output (probes-log.ts) or a
// file that it writes (probes-file.ts). One question at a time, each with a hard timeout of its own, and what a
// question started is always put away, because probes that pile up are a fault of their own (kubernetes
// #110070). A probe that could not be asked, or whose timeout fired late because we ourselves stood still, is no
// answer: it is thrown away, not counted against the component.

import type { ClientRequest } from 'node:http';
import { connect } from 'node:net';
import type { Cancel, Log, Ports, RunAs } from '../ports.ts';
import { loadHttp } from '../system/http.ts';
import { execAsk } from './probes-exec.ts';
import { fileAsker } from './probes-file.ts';
import { logAsker, type ReadTail } from './probes-log.ts';

type Rhythm = { readonly everyMs: number; readonly timeoutMs: number };
export type ProbeSpec = Rhythm &
  (
    | { readonly kind: 'http'; readonly url: string }
    | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
    | { readonly kind: 'exec'; readonly command: readonly string[] }
    | {
        readonly kind: 'log';
        readonly path?: string | undefined;
        readonly failOn?: string | undefined;
        readonly expect?: string | undefined;
        readonly silenceMs?: number | undefined;
      }
    | { readonly kind: 'file'; readonly path: string; readonly ageMsMax: number }
  );

export type Probe = {
  /** For when the agent itself stood still: what is being asked now will not be answered in time. */
  readonly dropInFlight: () => void;
  readonly stop: () => void;
};

export type ProbePorts = Pick<Ports, 'clock' | 'timers' | 'files' | 'processes' | 'random'> & {
  readonly log: Log;
};

/**
 * `undefined`: it could not be asked, for a reason on our side; without a reason, there is no answer yet and
 * nothing to say about that.
 */
export type Answer = { readonly ok: boolean | undefined; readonly reason: string };
export type Ask = (answer: (answer: Answer) => void) => Cancel;
/** One probe's way to ask, with what it remembers from question to question. */
export type Asker = {
  readonly ask: Ask;
  /** No answer in time says nothing about the component. */
  readonly lateIsOurs?: boolean;
  /** The agent itself stood still: what lasts too long begins anew. */
  readonly forgive?: () => void;
};

/** A health page of more than this is not read to its end. */
const BODY_BYTES_MAX = 64 * 1024;
/** Each interval is drawn anew, so that the probes of many components do not march in step. */
const JITTER = 0.1;
/** A timeout that fires this much late was not the component's fault. */
const OVERRUN_MS_MIN = 100;
const OVERRUN_SHARE = 0.5;

/** Errors of connect(2) and fork(2) that speak of this machine and not of the component. */
const OURS = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS', 'EAGAIN', 'EADDRNOTAVAIL']);

function errorAnswer(error: Error): Answer {
  const code = 'code' in error ? String(error.code) : error.message;
  return { ok: OURS.has(code) ? undefined : false, reason: code };
}

const askHttp =
  (url: string): Ask =>
  (answer) => {
    let asked: ClientRequest;
    try {
      const headers = { 'user-agent': 'tillwatch-probe' };
      // agent false: a connection of its own each time; a kept one would prove less and hang longer.
      asked = loadHttp().request(url, { agent: false, method: 'GET', headers });
    } catch (error) {
      answer({ ok: undefined, reason: error instanceof Error ? error.message : String(error) });
      return () => undefined;
    }
    asked.on('error', (error) => answer(errorAnswer(error)));
    asked.once('response', (response) => {
      const status = response.statusCode ?? 0;
      const done = () => {
        answer({ ok: status >= 200 && status < 400, reason: `status ${status}` });
        asked.destroy();
      };
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > BODY_BYTES_MAX) done();
      });
      response.once('end', done);
      response.on('error', (error) => answer(errorAnswer(error)));
    });
    asked.end();
    return () => asked.destroy();
  };

const askTcp =
  (host: string, port: number): Ask =>
  (answer) => {
    const socket = connect({ host, port });
    socket.on('error', (error) => answer(errorAnswer(error)));
    socket.once('connect', () => {
      // Where nobody listens, the kernel may have given us the very port that we ask for.
      const isOurs =
        socket.localPort === socket.remotePort && socket.localAddress === socket.remoteAddress;
      if (isOurs) answer({ ok: false, reason: 'nobody listens: it reached itself' });
      else answer({ ok: true, reason: 'connected' });
      // By RST: waiting in TIME_WAIT, it would keep the port from the component.
      if (isOurs) socket.resetAndDestroy();
      else socket.destroy();
    });
    return () => socket.destroy();
  };

/** What a probe is asked with. */
export type ProbeContext = {
  /** The whole environment of an exec probe. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** As whom exec probes run: as what they ask. */
  readonly as?: RunAs | undefined;
  /** The output file of the present life, for a log probe that names no other. */
  readonly ownOutput?: string | undefined;
  /** How that is read, where others take it away meanwhile. */
  readonly readOwn?: ((path: string) => ReadTail) | undefined;
};

const ownTail = (
  spec: ProbeSpec & { kind: 'log' },
  { ownOutput, readOwn }: ProbeContext,
): ReadTail | undefined =>
  spec.path === undefined && ownOutput !== undefined ? readOwn?.(ownOutput) : undefined;

function askerOf(spec: ProbeSpec, ports: ProbePorts, context: ProbeContext): Asker {
  switch (spec.kind) {
    case 'http':
      return { ask: askHttp(spec.url) };
    case 'tcp':
      return { ask: askTcp(spec.host, spec.port) };
    case 'exec':
      return {
        ask: execAsk(ports, { command: spec.command, env: context.env ?? {}, as: context.as }),
      };
    case 'log':
      return logAsker(spec, ports, context.ownOutput, ownTail(spec, context));
    case 'file':
      return fileAsker(spec, ports);
  }
}

/** One question now, beside those of a rhythm. @returns the answer; `ok` undefined: it could not be asked. */
export function askOnce(
  spec: ProbeSpec,
  ports: ProbePorts,
  context: ProbeContext = {},
): Promise<Answer> {
  return new Promise((done) => {
    let cancelAsk: Cancel = () => undefined;
    let isOpen = true;
    const end = (answer: Answer): void => {
      if (!isOpen) return;
      isOpen = false;
      cancelTimeout();
      cancelAsk();
      done(answer);
    };
    const reason = `no answer within ${spec.timeoutMs} ms`;
    const cancelTimeout = ports.timers.after(spec.timeoutMs, () => end({ ok: false, reason }));
    cancelAsk = askerOf(spec, ports, context).ask(end);
    if (!isOpen) cancelAsk();
  });
}

/** Asks until stopped; the first time within a tenth of the interval. */
export function startProbe(
  spec: ProbeSpec,
  ports: ProbePorts,
  onResult: (ok: boolean, reason: string) => void,
  context: ProbeContext = {},
): Probe {
  const { clock, timers, random, log } = ports;
  const asker = askerOf(spec, ports, context);
  let cancelNext: Cancel = () => undefined;
  /** Puts away the question in flight without an answer. */
  let drop: (() => void) | undefined;
  let stopped = false;
  let lastTrouble = '';

  function trouble(reason: string): void {
    if (reason === '' || reason === lastTrouble) return;
    log.warn('probe: could not be asked', { probe: spec.kind, reason });
    lastTrouble = reason;
  }

  function once(): void {
    const startMs = clock.monotonicMs();
    let cancelAsk: Cancel = () => undefined;
    let open = true;
    const close = (answer: Answer | undefined) => {
      if (!open) return;
      open = false;
      drop = undefined;
      cancelTimeout();
      cancelAsk();
      schedule(
        spec.everyMs * (1 - JITTER + 2 * JITTER * random()) - (clock.monotonicMs() - startMs),
      );
      if (answer === undefined) return;
      if (answer.ok === undefined) trouble(answer.reason);
      else onResult(answer.ok, answer.reason);
    };
    const timedOut = () => {
      const overrunMs = clock.monotonicMs() - startMs - spec.timeoutMs;
      const late = overrunMs > Math.max(OVERRUN_MS_MIN, spec.timeoutMs * OVERRUN_SHARE);
      const ours = late || asker.lateIsOurs === true;
      close({ ok: ours ? undefined : false, reason: `no answer within ${spec.timeoutMs} ms` });
    };
    const cancelTimeout = timers.after(spec.timeoutMs, timedOut);
    drop = () => close(undefined);
    cancelAsk = asker.ask(close);
    if (!open) cancelAsk(); // answered at once, before there was anything to cancel
  }

  function schedule(ms: number): void {
    if (!stopped) cancelNext = timers.after(Math.max(ms, spec.everyMs * JITTER), once);
  }

  cancelNext = timers.after(spec.everyMs * JITTER * random(), once);
  return {
    dropInFlight: () => {
      asker.forgive?.();
      drop?.();
    },
    stop: () => {
      stopped = true;
      cancelNext();
      drop?.();
    },
  };
}
