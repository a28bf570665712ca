// May this terminal have a session? Put together in one place from what several say: the packet itself (rules.ts),
// the certificate of its connection, the registry of identities, and how often it came. The certificate was judged
// when the handshake ended; between that and CONNECT the terminal may have been revoked, so it is asked again.

import type { Identities } from '../identity/types.ts';
import type { FleetSessions } from '../ports.ts';
import type { Guard } from './guard.ts';
import * as rules from './rules.ts';
import type { TerminalRates } from './terminal-rates.ts';

/** What the front asks of the registry of identities; in a front without one everybody known may. */
export type FrontIdentities = Pick<Identities, 'mayConnect' | 'isSuspended' | 'greeted'>;

export type AdmissionOptions = {
  readonly isKnown: FleetSessions['isKnown'];
  readonly identities?: FrontIdentities | undefined;
  readonly rates: TerminalRates;
};

const refused = (
  reason: rules.Refused['reason'],
  sentence: string,
  returnCode: rules.ReturnCode,
): rules.ConnectAnswer => ({ kind: 'refused', reason, sentence, returnCode });

export function judgeTerminal(
  { isKnown, identities, rates }: AdmissionOptions,
  connect: rules.Connect,
  guard: Pick<Guard, 'terminal'>,
  nowMs: number,
): rules.ConnectAnswer {
  const { clientId } = connect;
  const { terminal } = guard;
  const said = rules.judgeConnect(connect, isKnown);
  if (terminal !== undefined && clientId !== terminal) {
    // The certificate says who it is [MQTT-3.1.3-9: an identifier may be rejected].
    const sentence = `the certificate is that of ${terminal}, the client id says something else`;
    return refused('client_id', sentence, 2);
  }
  if (said.kind === 'refused') return said;
  const may = identities?.mayConnect(clientId);
  if (may?.ok === false) return refused(may.reason, may.sentence, 5);
  const pauseMs = rates.connect(clientId, nowMs);
  if (pauseMs === 0) return said;
  const seconds = Math.ceil(pauseMs / 1_000);
  const sentence = `${clientId} connects too often, and may again in ${seconds} s`;
  return refused('terminal_rate', sentence, 3);
}
