// A certificate becomes a newer one. The proof is a signature with the key of the old one, and not a handshake with it,
// because no server lets in what has ended: so it works after weeks offline as well, and for nothing but this. Both are
// good until the new one was shown, so that a lost answer locks nobody out.

import { verify } from 'node:crypto';
import type { RenewRequest } from '../../protocol/enrolment.ts';
import type { Result } from '../../protocol/result.ts';
import type { ClientCertificate, Issued } from '../trust/types.ts';
import { BUSY, type Desk, type Told, tell } from './desk.ts';
import { isUnrecorded, judgeRenewal, standingOf } from './machine.ts';
import { writeAudit } from './parts.ts';

const NO_PROOF = 'this certificate is not good here, or the request is not signed with its key';
const DAY_MS = 86_400_000;

/** WebCrypto writes the two numbers of a signature as 64 bytes, everybody else as DER [RFC 3279 2.2.3]. */
export function isSigned(
  { publicKey }: Pick<ClientCertificate, 'publicKey'>,
  text: string,
  signature: string,
): boolean {
  const bytes = Buffer.from(signature, 'base64');
  const dsaEncoding = bytes.length === 64 ? 'ieee-p1363' : 'der';
  try {
    return verify('sha256', Buffer.from(text), { key: publicKey, dsaEncoding }, bytes);
  } catch {
    return false;
  }
}

function keep(
  desk: Desk,
  client: ClientCertificate,
  issued: Issued,
  address: string,
): Result<void> {
  const { terminal, serial: from, notBeforeMs, authority } = client;
  const { serial, notAfterMs } = issued;
  const shown = { serial: from, notBeforeMs, notAfterMs: client.notAfterMs, authority };
  const model = desk.records.get(terminal);
  const isLost = isUnrecorded(model, standingOf(model, from), client);
  const unrecorded = isLost ? { unrecorded: true } : {};
  return desk.fleet.database.transact(() => {
    const certificate = desk.modelOf(issued);
    desk.records.change(terminal, { kind: 'renewed', from: shown, certificate });
    writeAudit(desk, {
      ...{ operator: terminal, action: 'terminal.renew', subject: terminal },
      ...{
        reason: '',
        outcome: 'ok',
        detail: { from, serial, notAfterMs, address, ...unrecorded },
      },
    });
    desk.fleet.database.afterCommit(() => {
      desk.log.info('certificate renewed', { terminal, serial, address, ...unrecorded });
    });
  });
}

export function createRenew(desk: Desk) {
  const { clock, settings, records, failures } = desk;
  const judge = (client: ClientCertificate, machine: string): Result<void> => {
    const times = { nowMs: clock.wallMs(), graceMs: settings.graceDays * DAY_MS };
    return judgeRenewal(records.get(client.terminal), client, machine, times);
  };

  /** Whose key signed; what is odd about it is told to whoever looks at the terminal. */
  function refuseProven(client: ClientCertificate, { machine }: RenewRequest, told: Told): Told {
    const { terminal, serial } = client;
    const model = records.get(terminal);
    if (standingOf(model, serial) === 'older') {
      desk.twin(terminal, 'certificate', 'a renewal with a certificate that was renewed already');
    } else if (model.machine !== undefined && model.machine !== machine) {
      desk.twin(terminal, 'machine', `renewal asked for by machine ${machine}`);
      // Its certificate may be over, so that it never connects: it is this one that a person accepts.
      if (!desk.fleet.isConnected(terminal))
        desk.records.note(terminal, { kind: 'asked', machine });
    }
    return told;
  }

  return async (request: RenewRequest, address: string): Promise<Told> => {
    const { certificate, csr, signature, machine } = request;
    const read = desk.trust.readClient(certificate);
    const terminal = read.ok ? read.value.terminal : '';
    const asked = { action: 'terminal.renew', terminal, address } as const;
    const byAddress = [failures.byAddress, address] as const;
    if (!read.ok) return desk.refuse(asked, read.reason, tell(403, NO_PROOF), byAddress);
    if (!isSigned(read.value, csr, signature)) {
      return desk.refuse(asked, 'not signed with its key', tell(403, NO_PROOF), byAddress);
    }
    const judged = judge(read.value, machine);
    if (!judged.ok) {
      const told = refuseProven(read.value, request, tell(403, judged.reason));
      return desk.refuse(asked, judged.reason, told, byAddress);
    }
    const seconds = failures.renewals.waitSeconds(terminal);
    if (seconds !== undefined) return desk.tooMany(asked, seconds);
    const issued = await desk.issue(terminal, csr);
    if (issued === 'busy') return desk.refuse(asked, 'busy', tell(503, BUSY));
    if (!issued.ok) return desk.refuse(asked, issued.reason, tell(400, issued.reason), byAddress);
    // Judged again: while it was issued it may have been revoked.
    const later = judge(read.value, machine);
    if (!later.ok) return desk.refuse(asked, later.reason, tell(403, later.reason));
    const kept = keep(desk, read.value, issued.value, address);
    if (!kept.ok) return desk.refuse(asked, kept.reason, tell(503, kept.reason));
    failures.renewals.count(terminal);
    desk.count('renewed');
    return desk.welcome(terminal, issued.value.certificate);
  };
}
