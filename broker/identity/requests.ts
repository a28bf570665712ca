// The two requests of a terminal that has no session: enrol with a token (enrol.ts), renew with the certificate that goes
// (renew.ts). Both are open to anybody who reaches the port, so the order is: the shape, the secret or the
// signature, and only then anything that costs. Whoever proves nothing is told one sentence, whatever was wrong (or to
// wait, when an address does so often); the audit log has the cause.

import * as v from 'valibot';
import {
  type EnrolRequest,
  enrolRequestSchema,
  type RenewRequest,
  renewRequestSchema,
} from '../../protocol/enrolment.ts';
import { type Asked, openDesk, type Told, tell } from './desk.ts';
import { createEnrol } from './enrol.ts';
import type { Parts } from './parts.ts';
import { createRenew } from './renew.ts';
import type { EnrolAnswer } from './types.ts';

const NO_REQUEST = 'this is no enrolment request that this broker understands';
const NO_TRUST = 'this broker enrols nobody: it runs in plain text';

type Handle<R> = (request: R, address: string) => Promise<Told>;

export function createRequests(parts: Parts) {
  const { trust } = parts;
  const desk = trust && openDesk(parts, trust);
  const door =
    <R>(schema: v.GenericSchema<unknown, R>, action: Asked['action'], handle: Handle<R>) =>
    async (body: unknown, address: string): Promise<EnrolAnswer> => {
      if (desk === undefined) return tell(403, NO_TRUST);
      const asked = { action, terminal: '', address };
      const { byAddress } = desk.failures;
      const request = v.safeParse(schema, body);
      if (request.success) return await handle(request.output, address);
      return desk.refuse(asked, 'malformed', tell(400, NO_REQUEST), [byAddress, address]);
    };
  const nobody = async (): Promise<Told> => await Promise.resolve(tell(403, NO_TRUST));
  const enrol: Handle<EnrolRequest> = desk === undefined ? nobody : createEnrol(desk);
  const renew: Handle<RenewRequest> = desk === undefined ? nobody : createRenew(desk);
  return {
    enrol: door(enrolRequestSchema, 'terminal.enrol', enrol),
    renew: door(renewRequestSchema, 'terminal.renew', renew),
  };
}
