// The sentences in which a connection ends, and what they mean: whether somebody refused this terminal (its certificate,
// its name, at a proxy), or the broker closed what had worked. In one place, because why a terminal was away and how
// long it waits both hang on them. Codes of Node and of OpenSSL become words here; what they say is constant, so that
// equal failures compare equal.

/** Both ends of the connection that worked said nothing else. */
export const CLOSED = 'the connection closed';
/** What a broker does that does not know our certificate's authority, or one that is about to stop. */
export const CLOSED_EARLY = 'the broker closed the connection before it answered';
export const REFUSED_BY_BROKER = 'the broker refused our certificate';
export const REFUSED_BROKER = "the broker's certificate is refused";
export const NO_CERTIFICATE = 'this terminal has no certificate';

/**
 * A CONNACK in the words of mqtt.js, an alert of TLS, a proxy, or our own no to a broker. Not ECONNREFUSED:
 * nobody listens there, and nobody has judged.
 */
const REFUSED =
  /^Connection refused:|refused to subscribe|refused our certificate|is refused:|^the proxy (does not|wants)|has no certificate/;
/** A broker that starts or is full says so by CONNACK 3 [MQTT-3.2.2-4]: it will be there soon. */
const BUSY = /Server unavailable/;

export const isRefusal = (reason: string): boolean => REFUSED.test(reason);

/** The broker judged this terminal, not a proxy and not we it. */
export const isAboutUs = (reason: string): boolean =>
  reason.startsWith(REFUSED_BY_BROKER) || /^Connection refused: Not authorized/.test(reason);

/** Only a person can change it, or a new certificate. */
export const isLasting = (reason: string): boolean => isRefusal(reason) && !BUSY.test(reason);

/** The far side ended it: as a broker that stops does to all terminals at once. */
export const isGone = (reason: string): boolean =>
  reason === CLOSED || /\bE(CONNRESET|PIPE)\b/.test(reason);

const ALERT = /^ERR_SSL_(?:TLSV1|TLSV13|SSLV3)_ALERT_(.+)$/;

/** @returns a sentence for an error of a socket; what is no alert about certificates keeps its own words. */
export function sentenceOf(error: Error): string {
  const code = 'code' in error ? String(error.code) : '';
  const [, alert] = ALERT.exec(code) ?? [];
  if (alert === undefined) return error.message;
  const words = alert.toLowerCase().replaceAll('_', ' ');
  const isAboutUs = /certificate|unknown ca|access denied/.test(words);
  return isAboutUs ? `${REFUSED_BY_BROKER}: ${words}` : `the broker ended the handshake: ${words}`;
}
