// Who is at the other end of a handshake that has just ended, before a byte of MQTT is read. Two judge, and both must
// agree: OpenSSL looked at the chain, the time and the use of the certificate, and we read it again, look whose it is
// and ask the registry of identities. Nothing that either refuses is let through, and a resumed session neither.

import type { TLSSocket } from 'node:tls';
import type { Identities } from '../identity/types.ts';
import type { RefusedReason } from '../ports.ts';
import type { ClientCertificate, Trust } from '../trust/types.ts';
import { MQTT_PROTOCOL } from './contexts.ts';

export type Judges = {
  readonly readClient: Trust['readClient'];
  readonly admit: Identities['admit'];
  readonly nowMs: () => number;
};

export type Peer =
  | {
      readonly kind: 'terminal';
      readonly terminal: string;
      /** What it showed. */
      readonly certificate: ClientCertificate;
    }
  | {
      readonly kind: 'refused';
      readonly reason: RefusedReason;
      readonly sentence: string;
      /** Whose certificate it is, where one of our authorities says so. */
      readonly terminal?: string | undefined;
    };

type Handshake = Pick<
  TLSSocket,
  | 'getPeerX509Certificate'
  | 'isSessionReused'
  | 'authorized'
  | 'authorizationError'
  | 'alpnProtocol'
>;

const refused = (sentence: string, terminal?: string): Peer => ({
  kind: 'refused',
  reason: 'certificate',
  sentence,
  terminal,
});

/** Node types it as an error and gives OpenSSL's code. */
const codeOf = ({ authorizationError }: Handshake): string =>
  String((authorizationError as unknown as { code?: string })?.code ?? authorizationError);

export function judgePeer(handshake: Handshake, { readClient, admit, nowMs }: Judges): Peer {
  // Another one was refused by OpenSSL; whoever names none may believe to speak with something else.
  if (handshake.alpnProtocol !== MQTT_PROTOCOL) {
    return { kind: 'refused', reason: 'handshake', sentence: 'it did not ask for MQTT (ALPN)' };
  }
  const certificate = handshake.getPeerX509Certificate();
  if (certificate === undefined) return refused('it showed no certificate');
  const client = readClient(certificate.raw);
  if (!client.ok) return refused(client.reason);
  const { terminal } = client.value;
  if (handshake.isSessionReused()) return refused('it came with an old session', terminal);
  const admission = admit(client.value, nowMs());
  if (!admission.ok) {
    const { reason, sentence } = admission;
    return { kind: 'refused', reason, sentence, terminal };
  }
  if (!handshake.authorized) {
    return refused(`the certificate of ${terminal} is not valid: ${codeOf(handshake)}`, terminal);
  }
  return { kind: 'terminal', terminal, certificate: client.value };
}
