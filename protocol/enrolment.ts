// How a terminal becomes one of the fleet, over HTTPS: a token that serves once, a certificate request, and what comes
// back. The token carries the fingerprint of the fleet's authority, so that whoever stands between a store and its
// broker can neither read the token's secret nor hand out an authority of its own. Renewal needs no client certificate in
// the handshake: it is signed with the key that is being replaced, and so works after its end as well.

import * as v from 'valibot';
import { ID_PATTERN, ID_RULE, isId } from './ids.ts';
import { AUTHORITIES_MAX, COMMAND_KEYS_MAX } from './limits.ts';
import { fail, ok, type Result } from './result.ts';

export const ENROL_PATH = '/enrolment/v1/certificates';
export const RENEW_PATH = '/enrolment/v1/renewals';
/** Offered by ALPN before http/1.1, by whoever pins the fleet's authority: a browser gets the certificate for people. */
export const OWN_PROTOCOL = 'tillwatch-enrolment';
/** Of a request or an answer, in either direction. */
export const ENROLMENT_BYTES_MAX = 32 * 1024;
export const BROKER_ADDRESSES_MAX = 8;

const TOKEN_PREFIX = 'twe1.';
const TOKEN_CHARS_MAX = 2_000;
const hex = (chars: number) => v.pipe(v.string(), v.regex(new RegExp(`^[0-9a-f]{${chars}}$`)));
const id = v.pipe(v.string(), v.regex(ID_PATTERN, ID_RULE));
const pem = v.pipe(v.string(), v.minLength(1), v.maxLength(4_000));

const tokenSchema = v.strictObject({
  /** Which token it is; no secret. */
  id: hex(16),
  secret: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{43}$/)),
  terminal: id,
  /** SHA-256 of the authority's certificate (DER), in hex. */
  authority: hex(64),
  /** Where to enrol, tried in turn: https://HOST:PORT */
  urls: v.pipe(
    v.array(v.pipe(v.string(), v.regex(/^https:\/\/[^/\s]{1,270}$/))),
    v.minLength(1),
    v.maxLength(BROKER_ADDRESSES_MAX),
  ),
});
/** What stands in the text that `tillwatch enroll` prints. */
export type EnrolmentToken = v.InferOutput<typeof tokenSchema>;

export const formatToken = (token: EnrolmentToken): string =>
  TOKEN_PREFIX + Buffer.from(JSON.stringify(token)).toString('base64url');

/** Its secret is in no sentence. */
export function parseToken(text: string): Result<EnrolmentToken> {
  const wrong = 'this is no enrolment token: it begins with twe1. and is one word';
  const trimmed = text.trim();
  if (!trimmed.startsWith(TOKEN_PREFIX) || trimmed.length > TOKEN_CHARS_MAX) return fail(wrong);
  try {
    const json: unknown = JSON.parse(
      Buffer.from(trimmed.slice(TOKEN_PREFIX.length), 'base64url').toString(),
    );
    const read = v.safeParse(tokenSchema, json);
    return read.success ? ok(read.output) : fail(wrong);
  } catch {
    return fail(wrong);
  }
}

/** What a terminal believes, and its broker. `version` only grows. */
export const trustSchema = v.object({
  version: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  /** Certificates in PEM form; a broker's must be issued by one of them. */
  authorities: v.pipe(v.array(pem), v.minLength(1), v.maxLength(AUTHORITIES_MAX)),
  /** As protocol/commands.ts writes public keys. */
  commandKeys: v.pipe(
    v.array(v.pipe(v.string(), v.maxLength(100))),
    v.minLength(1),
    v.maxLength(COMMAND_KEYS_MAX),
  ),
});
export type TrustDocument = v.InferOutput<typeof trustSchema>;

/** POST ENROL_PATH. `machine`: which machine asks, see protocol/hello.ts. */
export const enrolRequestSchema = v.strictObject({
  token: v.strictObject({ id: hex(16), secret: v.pipe(v.string(), v.maxLength(100)) }),
  terminal: id,
  csr: pem,
  machine: hex(16),
});
export type EnrolRequest = v.InferOutput<typeof enrolRequestSchema>;

/** POST RENEW_PATH. `signature`: over the bytes of `csr` with the key of `certificate` (ECDSA, SHA-256), base64. */
export const renewRequestSchema = v.strictObject({
  certificate: pem,
  csr: pem,
  signature: v.pipe(v.string(), v.maxLength(200)),
  machine: hex(16),
});
export type RenewRequest = v.InferOutput<typeof renewRequestSchema>;

/** The answer to both. */
export const enrolledSchema = v.object({
  terminal: v.pipe(v.string(), v.check(isId, ID_RULE)),
  store: v.string(),
  certificate: pem,
  trust: trustSchema,
  /** mqtts://HOST:PORT, tried in turn. */
  brokers: v.pipe(v.array(v.string()), v.minLength(1), v.maxLength(BROKER_ADDRESSES_MAX)),
  /** https://HOST:PORT, where to renew. */
  urls: v.pipe(v.array(v.string()), v.minLength(1), v.maxLength(BROKER_ADDRESSES_MAX)),
});
export type Enrolled = v.InferOutput<typeof enrolledSchema>;
