// What both requests of a terminal without a session need: how often somebody may fail, how a refusal is written down
// (the audit log has the cause, whoever asked gets one sentence), and issuing with a bound.

import type { Enrolled } from '../../protocol/enrolment.ts';
import { fail, type Result } from '../../protocol/result.ts';
import { addressKey } from '../addresses.ts';
import { masked } from '../masked.ts';
import type { Issued, Trust } from '../trust/types.ts';
import { type Attempts, createAttempts } from './attempts.ts';
import type { CertificateModel } from './machine.ts';
import type { Parts } from './parts.ts';
import type { EnrolAnswer } from './types.ts';

/** Failed ones in a minute. */
export const FAILURES_PER_ADDRESS_MAX = 20;
export const FAILURES_PER_TOKEN_MAX = 5;
/** Of one terminal in an hour: a healthy one renews every few weeks. */
export const RENEWALS_PER_HOUR_MAX = 12;
/** At once: each takes some milliseconds of a processor. */
const ISSUING_MAX = 8;

export const BUSY = 'too many terminals enrol at once: try again in a few seconds';

export type Told = { readonly status: EnrolAnswer['status']; readonly body: Result<Enrolled> };
export const tell = (status: EnrolAnswer['status'], reason: string): Told => ({
  status,
  body: fail(reason),
});

/** Who asks for what; `cause` is for the audit log alone. */
export type Asked = {
  readonly action: 'terminal.enrol' | 'terminal.renew';
  readonly terminal: string;
  readonly address: string;
};
type Limit = readonly [Attempts, string];

export type Desk = Parts & {
  readonly trust: Trust;
  readonly addresses: () => {
    readonly brokers: readonly string[];
    readonly urls: readonly string[];
  };
  readonly failures: {
    readonly byAddress: Attempts;
    readonly byToken: Attempts;
    readonly renewals: Attempts;
  };
  /**
   * Counts, logs and audits; `limits` are those that this failure counts against, and whoever is over one hears that.
   * Whoever proves itself is not asked for them: a neighbour behind the same address must not lock it out.
   */
  readonly refuse: (asked: Asked, cause: string, told: Told, ...limits: readonly Limit[]) => Told;
  readonly tooMany: (asked: Asked, seconds: number) => Told;
  readonly issue: (terminal: string, csr: string) => Promise<Result<Issued> | 'busy'>;
  readonly welcome: (terminal: string, certificate: string) => Told;
  readonly modelOf: (issued: Issued) => CertificateModel;
};

const ofAddresses = ({ waitSeconds, count }: Attempts): Attempts => ({
  waitSeconds: (address) => waitSeconds(addressKey(address)),
  count: (address) => count(addressKey(address)),
});

function createRefusals(parts: Parts): Pick<Desk, 'refuse' | 'tooMany'> {
  const refuse: Desk['refuse'] = (asked, cause, told, ...limits) => {
    const waits = limits.flatMap(([attempts, key]) => attempts.waitSeconds(key) ?? []);
    if (waits.length > 0) return tooMany(asked, Math.max(...waits));
    const { action, terminal, address } = asked;
    for (const [attempts, key] of limits) attempts.count(key);
    parts.count(told.status === 503 ? 'failed' : 'refused');
    parts.log.warn('enrolment refused', masked({ terminal, address, cause }));
    parts.audit.refuse({
      ...{ operator: 'unknown', action, subject: terminal, reason: '' },
      ...{ outcome: `refused ${told.status}`, detail: { address, cause } },
    });
    return told;
  };
  const tooMany: Desk['tooMany'] = (asked, seconds) =>
    refuse(asked, 'too many attempts', tell(429, `too many attempts: try again in ${seconds} s`));
  return { refuse, tooMany };
}

export function openDesk(parts: Parts, trust: Trust): Desk {
  const { clock, settings, fleet } = parts;
  let issuing = 0;
  return {
    ...{ ...parts, trust, ...createRefusals(parts) },
    failures: {
      byAddress: ofAddresses(createAttempts(clock, FAILURES_PER_ADDRESS_MAX)),
      byToken: createAttempts(clock, FAILURES_PER_TOKEN_MAX),
      renewals: createAttempts(clock, RENEWALS_PER_HOUR_MAX, 3_600_000),
    },
    issue: async (terminal, csr) => {
      if (issuing >= ISSUING_MAX) return 'busy';
      issuing += 1;
      try {
        return await trust.issue(terminal, csr, settings.certificateDays);
      } finally {
        issuing -= 1;
      }
    },
    welcome: (terminal, certificate) => {
      const { brokers, urls } = parts.addresses();
      const known = { terminal, store: fleet.storeOf(terminal), certificate };
      const value = { ...known, trust: trust.document(), brokers: [...brokers], urls: [...urls] };
      return { status: 200, body: { ok: true, value } };
    },
    modelOf: ({ certificate, serial, notBeforeMs, notAfterMs }) => {
      const read = trust.readClient(certificate);
      // Which authority it was, also when another one issues by now.
      const authority = read.ok ? read.value.authority : '';
      return { serial, notBeforeMs, notAfterMs, authority };
    },
  };
}
