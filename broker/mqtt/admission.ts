// May this terminal have a session? Put together in one place from what several say: the packet itself (rules.ts),
// the certificate of its connection, the registry of identities, and how often it came. The certificate was judged
// when the handshake ended; between that and CONNECT the terminal may have been revoked, or have renewed elsewhere and
// shown its new one, so the whole question is asked again.

import type { Clock } from '../clock.ts';
import type { Admission, Identities } from '../identity/types.ts';
import type { FleetSessions } from '../ports.ts';
import type { Guard } from './guard.ts';
import * as rules from './rules.ts';
import type { TerminalRates } from './terminal-rates.ts';

/** What the front asks of the registry of identities; in a front without one everybody known may. */
export type FrontIdentities = Pick<Identities, 'admit' | 'mayConnect' | 'isSuspended' | 'greeted'>;

export type AdmissionOptions = {
  readonly isKnown: FleetSessions['isKnown'];
  readonly identities?: FrontIdentities | undefined;
  readonly rates: TerminalRates;
  readonly clock: Clock;
};
type Shown = Pick<Guard, 'certificate'>;

/** By its certificate, where it has one. */
export function admits(
  { identities, clock }: Pick<AdmissionOptions, 'identities' | 'clock'>,
  terminal: string,
  { certificate }: Shown,
): Admission {
  if (identities === undefined) return { ok: true };
  if (certificate === undefined) return identities.mayConnect(terminal);
  return identities.admit(certificate, clock.wallMs());
}

const refused = (
  reason: rules.Refused['reason'],
  sentence: string,
  returnCode: rules.ReturnCode,
): rules.ConnectAnswer => ({ kind: 'refused', reason, sentence, returnCode });

export function judgeTerminal(
  options: AdmissionOptions,
  connect: rules.Connect,
  guard: Shown,
): rules.ConnectAnswer {
  const { isKnown, rates, clock } = options;
  const { clientId } = connect;
  const terminal = guard.certificate?.terminal;
  const said = rules.judgeConnect(connect, isKnown);
  if (terminal !== undefined && clientId !== terminal) {
    // The certificate says who it is [MQTT-3.1.3-9: an identifier may be rejected].
    const sentence = `the certificate is that of ${terminal}, the client id says something else`;
    return refused('client_id', sentence, 2);
  }
  if (said.kind === 'refused') return said;
  const may = admits(options, clientId, guard);
  if (!may.ok) return refused(may.reason, may.sentence, 5);
  const pauseMs = rates.connect(clientId, clock.monotonicMs());
  if (pauseMs === 0) return said;
  const seconds = Math.ceil(pauseMs / 1_000);
  const sentence = `${clientId} connects too often, and may again in ${seconds} s`;
  return refused('terminal_rate', sentence, 3);
}
