// Why a broker could not be asked, in a sentence that says what to do: nobody can work with
// "UNABLE_TO_VERIFY_LEAF_SIGNATURE". Nothing here offers to go on without looking at the certificate.

import { EXIT, type ExitCode } from './exit.ts';
import type { Operator } from './operator.ts';

export type Unreachable = { readonly exit: ExitCode; readonly sentence: string };

const NOT_BELIEVED = [
  ...['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'CERT_SIGNATURE_FAILURE'],
  ...['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UNABLE_TO_GET_ISSUER_CERT', 'CERT_UNTRUSTED'],
  ...['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'INVALID_CA', 'INVALID_PURPOSE', 'CERT_REJECTED'],
];

/** The handshake ended, before anything was sent, because the authority is another. */
export const isNotBelieved = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && NOT_BELIEVED.includes(String(error.code));

type Coded = Error & {
  readonly code?: string;
  readonly cert?: { readonly subjectaltname?: string };
};

const plainNames = (text: string | undefined): string =>
  (text ?? '')
    .replaceAll(/(DNS|IP Address):/g, '')
    // It is not known yet who wrote this.
    .replaceAll(/[^\x20-\x7e]/g, '')
    .slice(0, 200);

function aboutCertificate(error: Coded, { url, authority }: Operator): string | undefined {
  const { code = '' } = error;
  const host = URL.parse(url)?.hostname ?? url;
  if (NOT_BELIEVED.includes(code)) {
    if (authority === undefined) {
      return (
        `the certificate of ${url} is of no authority that this machine knows: sign in with ` +
        `"tillwatch login ${url}", which keeps the fleet's own`
      );
    }
    return (
      `the certificate of ${url} is not of the authority that was kept for it: nothing was sent. Either ` +
      'the fleet has a new one (ask an admin for its fingerprint, then ' +
      `tillwatch login ${url} --authority FINGERPRINT), or somebody stands in between`
    );
  }
  if (code === 'CERT_HAS_EXPIRED') {
    return (
      `the certificate of ${url} is over: a broker renews its own, so look at its clock, at the clock of ` +
      'this machine, and at http.certificate if it was given one'
    );
  }
  if (code === 'CERT_NOT_YET_VALID') {
    return `the certificate of ${url} is not valid yet: look at the clock of this machine`;
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return (
      `the certificate of ${url} is for ${plainNames(error.cert?.subjectaltname) || 'others'} and not for ` +
      `${host}: use such a name, or add this one to "names" in the broker's configuration`
    );
  }
  return undefined;
}

const NO_TLS = ['EPROTO', 'ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG'];

function whyOf(error: Coded, url: string): string {
  const { code = '', name } = error;
  if (name === 'TimeoutError' || name === 'AbortError') return 'no answer in time';
  if (code === 'ECONNREFUSED') return 'connection refused';
  if (code === 'ENOTFOUND') return 'there is no such name';
  if (NO_TLS.includes(code) || code.startsWith('ERR_SSL_')) {
    return 'it does not speak TLS as we do: is the port right, and is it https?';
  }
  if (code === 'ECONNRESET' || code === 'HPE_INVALID_CONSTANT') {
    return url.startsWith('http:') ? 'it hung up: does it want https?' : 'it hung up';
  }
  return code || 'connection failed';
}

export function whyUnreachable(error: unknown, operator: Operator): Unreachable {
  const coded = (error instanceof AggregateError ? error.errors[0] : error) as Coded;
  const { url } = operator;
  const certificate = aboutCertificate(coded, operator);
  if (certificate !== undefined) return { exit: EXIT.unavailable, sentence: certificate };
  const what =
    operator.context === undefined
      ? 'start one with "tillwatch demo" or "tillwatch broker --config FILE", or set TILLWATCH_URL'
      : `it is the broker of the context ${operator.context}; tillwatch contexts shows the others`;
  return {
    exit: EXIT.unavailable,
    sentence: `the broker at ${url} does not answer (${whyOf(coded, url)}): ${what}`,
  };
}
