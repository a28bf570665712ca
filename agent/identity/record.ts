// What identity.json says: who this terminal is, which pair of files its key and certificate are in, whom it believes and
// where its broker is. One file that is renamed into place decides everything at one moment: a new pair is written under
// the other names first, so whoever is killed anywhere leaves one that works. Pure.

import * as v from 'valibot';
import { enrolledSchema, type TrustDocument, trustSchema } from '../../protocol/enrolment.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';

export const FILES = {
  record: 'identity.json',
  /** What a child has got and the agent has not taken over yet. */
  next: 'identity.next.json',
  /** The key and request that wait for an answer: asked again, they are the same. */
  request: 'request.json',
  token: 'token',
} as const;
export type PairNumber = 1 | 2;
export const pairFiles = (pair: PairNumber) =>
  pair === 1
    ? { key: 'key.pem', certificate: 'certificate.pem' }
    : { key: 'key-2.pem', certificate: 'certificate-2.pem' };
export const otherPair = (pair: PairNumber): PairNumber => (pair === 1 ? 2 : 1);

const { terminal, store, brokers, urls } = enrolledSchema.entries;
const recordSchema = v.object({
  v: v.literal(1),
  ...{ terminal, store, brokers, urls, trust: trustSchema },
  pair: v.picklist([1, 2]),
  /** The id of the token that it was enrolled with: the same token again means nothing. */
  token: v.string(),
  how: v.picklist(['enrolled', 'renewed']),
});
export type IdentityRecord = v.InferOutput<typeof recordSchema>;

export const RECORD_BYTES_MAX = 48 * 1024;

export const formatRecord = (record: IdentityRecord): string => `${JSON.stringify(record)}\n`;

export function parseRecord(text: string, path: string): Result<IdentityRecord> {
  try {
    const read = v.safeParse(recordSchema, JSON.parse(text));
    if (read.success) return ok(read.output);
  } catch {
    // No JSON at all says the same.
  }
  return fail(`${path} cannot be read: enrol this terminal anew`);
}

const sameFleet = (a: TrustDocument, b: TrustDocument): boolean =>
  a.authorities.some((one) => b.authorities.some((other) => one.trim() === other.trim()));

/**
 * What holds when a child's record is taken over. A renewal never changes whom a terminal believes: only a signed command
 * does, or somebody with a new token at the till. And within a fleet the version never goes back.
 */
export function merge(now: IdentityRecord | undefined, next: IdentityRecord): IdentityRecord {
  if (now === undefined) return next;
  const isOlder = sameFleet(now.trust, next.trust) && next.trust.version < now.trust.version;
  return next.how === 'renewed' || isOlder ? { ...next, trust: now.trust } : next;
}
