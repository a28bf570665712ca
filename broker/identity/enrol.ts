// A token becomes a certificate. The token's use, the serial, the terminal's place in the fleet and the audit entry are one
// transaction, so that a token serves once however many ask at the same time. Whoever lost the answer and asks again
// with the very same request, while the token is good, gets the same certificate: a store's line is bad.

import { createHash } from 'node:crypto';
import type { EnrolRequest } from '../../protocol/enrolment.ts';
import type { Result } from '../../protocol/result.ts';
import type { Issued } from '../trust/types.ts';
import { BUSY, type Desk, type Told, tell } from './desk.ts';
import { judgeState, standingOf } from './machine.ts';
import { writeAudit } from './parts.ts';
import type { TokenRow } from './store.ts';
import { isSecret } from './tokens.ts';

const NO_TOKEN =
  'this token is not good: it was used, is too old or is not of this terminal; ' +
  'have a new one made with tillwatch enroll';

const hashOf = (csr: string): Buffer => createHash('sha256').update(csr).digest();

/** @returns why the token does not serve; undefined when it does, or did for the very same request. */
function judgeToken(
  { clock, records }: Desk,
  row: TokenRow | undefined,
  request: EnrolRequest,
): string | undefined {
  if (!isSecret(request.token.secret, row?.secret) || row === undefined) {
    return row === undefined ? 'unknown token' : 'wrong secret';
  }
  if (row.terminal !== request.terminal) return `token of ${row.terminal}`;
  if (row.expiresMs <= clock.wallMs()) return 'token too old';
  if (row.use === undefined) return undefined;
  if (!hashOf(request.csr).equals(row.use.request)) return 'token used already';
  const model = records.get(row.terminal);
  const isGood = standingOf(model, row.use.serial) === 'current' && judgeState(model).ok;
  return isGood ? undefined : 'its certificate is over';
}

/** @returns false when the token was used or taken back meanwhile. */
function keep(
  desk: Desk,
  row: TokenRow,
  { terminal, machine, csr }: EnrolRequest,
  issued: Issued,
  address: string,
): Result<boolean> {
  const { fleet, records, store, log } = desk;
  const { serial, certificate, notAfterMs } = issued;
  return fleet.database.transact((): boolean => {
    if (!store.useToken(row.id, { request: hashOf(csr), serial, certificate })) return false;
    const old = records.get(terminal).current;
    const act = { operator: row.madeBy, reason: `enrolled with token ${row.id}` };
    const one = desk.modelOf(issued);
    records.change(terminal, { kind: 'enrolled', certificate: one, machine, act });
    if (fleet.planner.storeOf(terminal) === undefined) fleet.planner.plan(terminal, row.store);
    const detail = { token: row.id, madeBy: row.madeBy, serial, notAfterMs, address, machine };
    writeAudit(desk, {
      ...{ operator: terminal, action: 'terminal.enrol', subject: terminal },
      ...{ reason: '', outcome: 'ok', detail },
    });
    fleet.database.afterCommit(() => {
      log.info('terminal enrolled', { terminal, serial, address });
      if (old !== undefined) desk.cut(terminal, 'revoked', `${terminal} was enrolled anew`);
    });
    return true;
  });
}

export function createEnrol(desk: Desk) {
  const { store, failures } = desk;
  return async function enrol(request: EnrolRequest, address: string): Promise<Told> {
    const { terminal, token, csr } = request;
    const asked = { action: 'terminal.enrol', terminal, address } as const;
    const byAddress = [failures.byAddress, address] as const;
    const seconds = failures.byToken.waitSeconds(token.id);
    if (seconds !== undefined) return desk.tooMany(asked, seconds);
    const row = store.tokenOf(token.id);
    const cause = judgeToken(desk, row, request);
    if (cause !== undefined || row === undefined) {
      const limits = [byAddress, [failures.byToken, token.id] as const];
      return desk.refuse(asked, cause ?? '', tell(403, NO_TOKEN), ...limits);
    }
    if (row.use !== undefined) {
      desk.count('repeated');
      return desk.welcome(terminal, row.use.certificate);
    }
    const issued = await desk.issue(terminal, csr);
    if (issued === 'busy') return desk.refuse(asked, 'busy', tell(503, BUSY));
    if (!issued.ok) return desk.refuse(asked, issued.reason, tell(400, issued.reason), byAddress);
    const kept = keep(desk, row, request, issued.value, address);
    if (!kept.ok) return desk.refuse(asked, kept.reason, tell(503, kept.reason));
    // Taken back or used while it was issued: judged again.
    if (!kept.value) return await enrol(request, address);
    desk.count('enrolled');
    return desk.welcome(terminal, issued.value.certificate);
  };
}
