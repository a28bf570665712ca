// How the broker speaks TLS. For terminals: 1.3 only, a client certificate asked for, MQTT by ALPN, and no session is
// ever resumed: a resumed one would skip the proof of the key, and a revoked terminal could live on its ticket. For
// people: 1.3 as well, no client certificate, because browsers would ask their users for one.

import { constants } from 'node:crypto';
import type { SecureContextOptions, TlsOptions } from 'node:tls';
import type { ServerIdentity } from '../trust/types.ts';

export const MQTT_PROTOCOL = 'mqtt';
const HTTP_PROTOCOL = 'http/1.1';

const COMMON = {
  minVersion: 'TLSv1.3',
  // With this OpenSSL keeps sessions in a cache instead of in tickets, and Node gives it none.
  secureOptions: constants.SSL_OP_NO_TICKET,
} as const satisfies SecureContextOptions;

/** What changes when certificates do: for `setSecureContext`, too. */
export const mqttContext = ({ cert, key, authorities }: ServerIdentity): SecureContextOptions => ({
  ...COMMON,
  cert,
  key,
  ca: [...authorities],
  allowPartialTrustChain: true,
});

export const mqttOptions = (server: ServerIdentity, handshakeMsMax: number): TlsOptions => ({
  ...mqttContext(server),
  requestCert: true,
  // Everybody is let through the handshake and nobody behind it: peer.ts judges, counts and says who it was.
  rejectUnauthorized: false,
  ALPNProtocols: [MQTT_PROTOCOL],
  handshakeTimeout: handshakeMsMax,
  sessionIdContext: 'tillwatch',
});

export type Shown = { readonly cert: string; readonly key: string };

export const httpsContext = ({ cert, key }: Shown): SecureContextOptions => ({
  ...COMMON,
  cert,
  key,
});

export const httpsOptions = (shown: Shown, handshakeMsMax: number): TlsOptions => ({
  ...httpsContext(shown),
  requestCert: false,
  ALPNProtocols: [HTTP_PROTOCOL],
  handshakeTimeout: handshakeMsMax,
});
