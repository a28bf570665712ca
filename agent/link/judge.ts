// Whether who answers is a broker of this fleet: issued by one of the pinned authorities and by nobody else, for serving,
// for the very host that was asked for, and not over. Pure. OpenSSL judges the same; this stands beside it because of
// time. A till's clock may say 1970, and it learns the right time from its broker alone: so the end of a certificate is
// judged by a time on which both agree (knownTime), and its beginning not at all (a certificate of our authority that
// begins later proves only that our clock is wrong). Everything else holds without a clock.

import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { BrokerTime } from '../telemetry/time.ts';

/** What is known of the time. */
export type KnownTime = {
  /** The broker's, since this boot, as far as the till's own clock does not say that it is earlier. */
  readonly nowMs: number | undefined;
  /** It is later than this for certain. */
  readonly floorMs: number;
};

/**
 * The earlier of two clocks that do not know of each other, but never before what is past for certain: a broker that is
 * ahead for a minute would else make all brokers' certificates look expired, and none could ever tell the till better.
 */
export function knownTime(
  time: Pick<BrokerTime, 'known' | 'nowMs'>,
  ownMs: number,
  floorMs: number,
): KnownTime {
  if (!time.known()) return { nowMs: undefined, floorMs };
  return { nowMs: Math.max(floorMs, Math.min(time.nowMs(), ownMs)), floorMs };
}

/** id-kp-serverAuth [RFC 5280 4.2.1.12]: a terminal's certificate is for clients only. */
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';

const isIssuedBy = (peer: X509Certificate, authority: X509Certificate): boolean => {
  try {
    return authority.ca && peer.checkIssued(authority) && peer.verify(authority.publicKey);
  } catch {
    return false; // another kind of key
  }
};

/** Names of subjects count nowhere: only what was put into the certificate as a name [RFC 9525 2]. */
const isFor = (peer: X509Certificate, host: string): boolean =>
  isIP(host) === 0
    ? peer.checkHost(host, { subject: 'never' }) !== undefined
    : peer.checkIP(host) !== undefined;

/** @returns why it is no broker of ours; empty when it is one. */
export function faultOf(
  peer: X509Certificate,
  authorities: readonly X509Certificate[],
  host: string,
  { nowMs, floorMs }: KnownTime,
): string {
  const issuer = authorities.find((authority) => isIssuedBy(peer, authority));
  if (issuer === undefined) return "it is not issued by this fleet's authority";
  // Node calls the extended usages `keyUsage`.
  if (!(peer.keyUsage ?? []).includes(SERVER_AUTH)) return 'it is not made for a broker';
  if (!isFor(peer, host)) return `it is not made for ${host}`;
  const timeMs = nowMs ?? floorMs;
  if (peer.validToDate.getTime() < timeMs) return 'it has expired';
  if (issuer.validToDate.getTime() < timeMs) return 'its authority has expired';
  return '';
}
