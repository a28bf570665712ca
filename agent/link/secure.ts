// TLS 1.3 with both sides' certificates, over a connection that stands already or is made here. No session is ever used
// again: every connection proves anew who both are, so that another identity never inherits one, and what was revoked is
// noticed. node:tls is loaded with the first connection, because an agent in plain text never needs it.

import { X509Certificate } from 'node:crypto';
import { isIP, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Credentials } from '../identity/types.ts';
import { faultOf, type KnownTime } from './judge.ts';
import { REFUSED_BROKER, sentenceOf } from './reasons.ts';
import type { Address } from './types.ts';

/** One listener for MQTT and HTTPS tells them apart by it [RFC 7301]. */
const ALPN = ['mqtt'];
/** What OpenSSL says of a clock, ours or the certificate's: judge.ts knows better. */
const OF_TIME = new Set(['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED']);

export type SecureOptions = {
  readonly address: Address;
  readonly credentials: Credentials;
  readonly time: KnownTime;
  /** Through a proxy; a connection of its own when not given. */
  readonly over: Socket | undefined;
  readonly keep: (socket: Socket) => void;
};

function judge(socket: TLSSocket, { address, credentials, time }: SecureOptions): string {
  const error = socket.authorizationError as unknown;
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error ?? '');
  const peer = socket.getPeerX509Certificate();
  if (peer === undefined) return 'there is none';
  const authorities = credentials.authorities.map((pem) => new X509Certificate(pem));
  const fault = faultOf(peer, authorities, address.host, time);
  if (fault !== '') return fault;
  // Ours is not laxer than OpenSSL's but about time; whatever else it found is believed.
  return socket.authorized || OF_TIME.has(code) ? '' : `OpenSSL says ${code}`;
}

/** @returns a connection to a broker of this fleet, or a sentence; never rejects. */
export async function secure(options: SecureOptions): Promise<Result<Socket>> {
  const { address, credentials, over, keep } = options;
  const { connect } = await import('node:tls');
  return new Promise((resolve) => {
    let socket: TLSSocket;
    try {
      socket = connect({
        ...(over === undefined ? { host: address.host, port: address.port } : { socket: over }),
        key: credentials.key,
        cert: credentials.certificate,
        ca: [...credentials.authorities],
        // What is pinned need not be a root: a company's own may stand above the fleet's.
        allowPartialTrustChain: true,
        minVersion: 'TLSv1.3',
        maxVersion: 'TLSv1.3',
        ALPNProtocols: ALPN,
        // An address is no server name [RFC 6066 3].
        servername: isIP(address.host) === 0 ? address.host : '',
        checkServerIdentity: () => undefined,
        // Judged below before a byte is sent: rejecting here could not tell a wrong clock from a wrong broker.
        rejectUnauthorized: false,
      });
    } catch (error) {
      over?.destroy();
      resolve(fail(`our certificate cannot be used: ${(error as Error).message}`));
      return;
    }
    keep(socket);
    const finish = (result: Result<Socket>): void => {
      socket.removeListener('close', closed);
      if (!result.ok) socket.destroy();
      resolve(result);
    };
    const closed = (): void => finish(fail('the connection closed during the handshake'));
    // Stays for ever: an error that nobody hears ends the agent.
    socket.on('error', (error) => finish(fail(sentenceOf(error))));
    socket.on('close', closed);
    socket.once('secureConnect', () => {
      const fault = judge(socket, options);
      finish(fault === '' ? ok(socket) : fail(`${REFUSED_BROKER}: ${fault}`));
    });
    socket.setNoDelay(true);
  });
}
