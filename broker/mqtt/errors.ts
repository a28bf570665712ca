// Tells from an error that aedes reports for a connection why the broker closed it, as a word that can
// be counted. What ended by itself (a reset, a silent line) is `lost` and no refusal; what was counted
// where it was decided comes back marked, so that nothing is counted twice.

import type { RefusedReason } from '../ports.ts';

/** Made by our own rules, and counted there. */
export class RefusedError extends Error {
  /** CONNACK return code where the answer is a CONNACK. */
  readonly returnCode: number;
  constructor(sentence: string, returnCode = 0) {
    super(sentence);
    this.returnCode = returnCode;
  }
}

/** Something threw while a packet was handled: our bug or a library's, and one client's end. */
export class HandlingError extends Error {}

/** A packet that is none, found by ourselves. */
export class MalformedError extends Error {}

/** Errors that aedes makes by itself, by the text it gives them [aedes 1.2 lib/client.js]. */
const BY_MESSAGE: Readonly<Record<string, RefusedReason | 'lost'>> = {
  'connect did not arrive in time': 'connect_timeout',
  'drain timeout': 'slow_reader',
  'keep alive timeout': 'lost',
  'connection closed': 'lost',
};

/** CONNACK return codes that aedes gives before it asks us; 6 is its own [aedes handlers/connect.js]. */
const BY_RETURN_CODE: Readonly<Record<number, RefusedReason>> = {
  1: 'protocol_version',
  6: 'keepalive',
};

/** @returns why the broker closed it, or `lost` when it was the other side or was counted before. */
export function reasonOf(error: Error): RefusedReason | 'lost' {
  if (error instanceof RefusedError) return 'lost';
  if (error instanceof HandlingError) return 'internal';
  if (error instanceof MalformedError) return 'malformed';
  const { code, errorCode } = error as { code?: unknown; errorCode?: unknown };
  if (typeof errorCode === 'number') return BY_RETURN_CODE[errorCode] ?? 'lost';
  // System errors and those of streams have a code, those of the packet parser have none.
  return BY_MESSAGE[error.message] ?? (typeof code === 'string' ? 'lost' : 'malformed');
}
