// Identities on a registry of their own, with an authority that writes certificates as JSON: what is decided here needs
// no X.509, and a test of hundreds of enrolments should not wait for it.

import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { openAudit } from '../../broker/audit.ts';
import { type IdentitiesOptions, openIdentities } from '../../broker/identity/identities.ts';
import type { EnrolAnswer, Identities, TokenMade } from '../../broker/identity/types.ts';
import type { ClientCertificate, Trust } from '../../broker/trust/types.ts';
import { type Enrolled, parseToken } from '../../protocol/enrolment.ts';
import { fail, ok } from '../../protocol/result.ts';
import { must, quiet, rig } from './fleet-rig.ts';

export const DAY_MS = 86_400_000;
export const ACT = { operator: 'ann', reason: 'as planned' };
export const MACHINE = 'a'.repeat(16);
export const SETTINGS = { certificateDays: 90, graceDays: 60, tokenMinutes: 60 };

/** Of the command that was pushed as the nth. */
export const commandId = (nth: number): string =>
  `00000000-0000-4000-8000-${String(nth).padStart(12, '0')}`;

type Written = Omit<ClientCertificate, 'publicKey'> & { readonly key: string };

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64');
const decode = (text: string): unknown => JSON.parse(Buffer.from(text, 'base64').toString());

/** A terminal's side: a key, and a request for it. */
export function keyPair() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const csr = encode({ key: publicKey.export({ type: 'spki', format: 'pem' }) });
  return { privateKey, csr };
}

export function fakeTrust(wallMs: () => number) {
  let serials = 0;
  const state = {
    version: 1,
    authority: 'a1'.repeat(32),
    holdMs: undefined as undefined | Promise<void>,
  };
  const trust: Trust = {
    document: () => ({ version: state.version, authorities: ['pem'], commandKeys: ['key'] }),
    onDocument: () => () => {},
    commandKey: () => generateKeyPairSync('ed25519').privateKey,
    auditKey: () => generateKeyPairSync('ed25519').privateKey,
    fingerprint: () => state.authority,
    server: () => ({ cert: '', key: '', authorities: [] }),
    onServer: () => () => {},
    issue: async (terminal, csr, days) => {
      await state.holdMs;
      if (csr === 'bad') return fail('the request is not for a P-256 key');
      serials += 1;
      const { key } = decode(csr) as { key: string };
      const notBeforeMs = wallMs();
      const notAfterMs = notBeforeMs + days * DAY_MS;
      const serial = serials.toString(16).padStart(32, '0');
      const written = {
        terminal,
        serial,
        notBeforeMs,
        notAfterMs,
        authority: state.authority,
        key,
      };
      return ok({ certificate: encode(written), serial, notBeforeMs, notAfterMs });
    },
    readClient: (text) => {
      try {
        const { key, ...read } = decode(String(text)) as Written;
        return ok({ ...read, publicKey: createPublicKey(key) });
      } catch {
        return fail('no certificate of ours');
      }
    },
    expiries: () => [],
    close: () => {},
  };
  return { trust, state };
}

export type Enrolment = {
  readonly certificate: string;
  readonly client: ClientCertificate;
  readonly privateKey: KeyObject;
  readonly csr: string;
};

export function open(more: Partial<IdentitiesOptions> = {}) {
  const back = rig();
  const { time, metrics } = back;
  const { trust, state } = fakeTrust(time.clock.wallMs);
  const counted: string[] = [];
  const pushed: { terminal: string; args: { version: number; renew?: boolean } }[] = [];
  const start = () => {
    const audit = openAudit(back.fleet.database, time.clock, metrics);
    const identities = openIdentities({
      ...{ fleet: back.fleet, trust, settings: SETTINGS, audit, log: quiet, ...time },
      addresses: () => ({ brokers: ['mqtts://a:8883'], urls: ['https://a:8443'] }),
      count: (result) => counted.push(result),
      pushTrust: (terminal, args) => {
        pushed.push({ terminal, args });
        return commandId(pushed.length);
      },
      ...more,
    });
    const cut: string[] = [];
    identities.onCut((terminal, _reason, sentence) => cut.push(`${terminal}: ${sentence}`));
    return { audit, identities, cut };
  };
  let running = start();
  onTestFinished(() => running.identities.close());
  return {
    ...{ back, time, trust, state, counted, pushed },
    get identities(): Identities {
      return running.identities;
    },
    get cut(): readonly string[] {
      return running.cut;
    },
    /** Newest first, `action outcome`. */
    audited: () => running.audit.list(100).map(({ action, outcome }) => `${action} ${outcome}`),
    audit: () => running.audit,
    restart: (): void => {
      running.identities.close();
      back.reopen();
      running = start();
    },
  };
}
export type Opened = ReturnType<typeof open>;

export function token({ identities }: Opened, terminal = 'lane-1', store = 'berlin'): TokenMade {
  const made = identities.makeToken({ terminal, store }, ACT);
  if (!made.ok) throw new Error(made.reason);
  return made;
}

/** What an agent makes of a token. */
export function requestOf(made: TokenMade, csr: string, machine = MACHINE) {
  const { id, secret, terminal } = must(parseToken(made.token));
  return { token: { id, secret }, terminal, csr, machine };
}

export function granted(answer: EnrolAnswer): Enrolled {
  if (!answer.body.ok) throw new Error(`${answer.status}: ${answer.body.reason}`);
  return answer.body.value as Enrolled;
}

export async function enrolled(
  opened: Opened,
  terminal = 'lane-1',
  store = 'berlin',
): Promise<Enrolment> {
  const { privateKey, csr } = keyPair();
  const request = requestOf(token(opened, terminal, store), csr);
  const { certificate } = granted(await opened.identities.enrol(request, '10.0.0.1'));
  return { certificate, client: must(opened.trust.readClient(certificate)), privateKey, csr };
}

export function renewalOf(
  { certificate, privateKey }: Pick<Enrolment, 'certificate' | 'privateKey'>,
  machine = MACHINE,
) {
  const next = keyPair();
  const signature = sign('sha256', Buffer.from(next.csr), privateKey).toString('base64');
  return { request: { certificate, csr: next.csr, signature, machine }, ...next };
}

export async function renewed(opened: Opened, before: Enrolment): Promise<Enrolment> {
  const { request, privateKey, csr } = renewalOf(before);
  const { certificate } = granted(await opened.identities.renew(request, '10.0.0.1'));
  return { certificate, client: must(opened.trust.readClient(certificate)), privateKey, csr };
}

export const admits = (opened: Opened, { client }: Enrolment) =>
  opened.identities.admit(client, opened.time.clock.wallMs());
