// The one seam of signing in: whoever can prove to be somebody gets a session. Today the proof is a token of ours; one by
// OpenID Connect would be another `Prove`, and nothing behind this file would notice. Limits, counting and the audit
// log are the same for all. Who fails is told one sentence, after the same work, whether the name exists, is
// disabled or the secret is wrong, so that names cannot be found out.

import type { Role } from '../../protocol/catalogue.ts';
import type { Audit } from '../audit.ts';
import type { Clock } from '../clock.ts';
import type { Database } from '../fleet/database.ts';
import type { Metrics } from '../metrics.ts';
import type { Accounts } from './accounts.ts';
import { type Attempts, isKnown, NO_ATTEMPTS, pauseMs, remember, step } from './attempts.ts';
import type { Secrets } from './secrets.ts';
import type { Session, Sessions } from './sessions.ts';

export type SignInResult = 'ok' | 'wrong' | 'paused' | 'busy' | 'failed';
export type SignedIn =
  | {
      readonly ok: true;
      readonly session: Session;
      readonly name: string;
      readonly role: Role;
    }
  | {
      readonly ok: false;
      readonly kind: Exclude<SignInResult, 'ok'>;
      readonly reason: string;
      /** When it is worth trying again. */
      readonly retryMs?: number;
    };

/**
 * @param isKnown whether this name signed in from there before: whoever attacks others must not keep them out
 * @returns whether it is really them; undefined when that cannot be looked at now.
 */
export type Prove = (
  name: string,
  secret: string,
  address: string,
  isKnown?: boolean,
) => Promise<boolean | undefined>;
export type SignIn = (name: string, secret: string, address: string) => Promise<SignedIn>;

export type SignInOptions = {
  readonly prove: Prove;
  readonly accounts: Pick<Accounts, 'find' | 'signedIn'>;
  readonly sessions: Pick<Sessions, 'begin'>;
  readonly database: Pick<Database, 'transact'>;
  readonly audit: Pick<Audit, 'write' | 'refuse' | 'page'>;
  readonly metrics: Pick<Metrics, 'signIns'>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
};

const WRONG = 'this token is not valid: nobody was signed in';
const BUSY = 'too many are signing in; try again in a moment';
const BUSY_MS = 2_000;

/** The proof by a token of ours. */
export const byToken =
  (accounts: Pick<Accounts, 'find'>, secrets: Pick<Secrets, 'fits'>): Prove =>
  async (name, secret, address, known = false) => {
    const before = accounts.find(name);
    const fits = await secrets.fits(secret, before?.secret, address, known ? name : undefined);
    if (fits !== true) return fits;
    // A new token or a disabling may have come in between.
    const after = accounts.find(name);
    return after?.enabled === true && after.secret === before?.secret;
  };

const pausedFor = (ms: number): string =>
  `too many attempts have failed; try again in ${Math.ceil(ms / 1_000)} s`;

/** Pages of the audit log in which is looked for who was where, once at the start: some 10 ms each. */
const PAGES_MAX = 30;
const SIGN_INS_EACH_PAGE = 500;

/** Who is known stays so when the broker is started again, which an attacker could wait for. */
function rememberFrom(audit: Pick<Audit, 'page'>, attempts: Attempts): void {
  const found: { name: string; address: string }[] = [];
  const filter = { action: 'operator.sign_in', outcome: 'ok' };
  let before: number | undefined;
  for (let pages = 0; pages < PAGES_MAX; pages += 1) {
    const { entries, next } = audit.page(filter, before, SIGN_INS_EACH_PAGE);
    for (const { operator: name, detail } of entries) {
      const { address } = detail as { address?: unknown };
      if (typeof address === 'string') found.push({ name, address });
    }
    before = next;
    if (next === undefined) break;
  }
  // The newest last, because the oldest go first.
  for (const who of found.reverse()) remember(attempts, who);
}

export function createSignIn(options: SignInOptions): SignIn {
  const { prove, accounts, sessions, database, audit, metrics, clock } = options;
  const attempts: Attempts = NO_ATTEMPTS();
  rememberFrom(audit, attempts);
  const refuse = (
    kind: Exclude<SignInResult, 'ok'>,
    who: { name: string; address: string },
    reason: string,
    retryMs?: number,
  ): SignedIn => {
    metrics.signIns(kind);
    const { name, address } = who;
    audit.refuse({
      ...{ operator: 'unknown', action: 'operator.sign_in', subject: name, reason: '' },
      ...{ outcome: `refused: ${kind}`, detail: { address } },
    });
    return { ok: false, kind, reason, ...(retryMs === undefined ? {} : { retryMs }) };
  };
  return async (name, secret, address) => {
    const who = { name, address };
    const waitMs = pauseMs(attempts, who, clock.monotonicMs());
    if (waitMs > 0) return refuse('paused', who, pausedFor(waitMs), waitMs);
    step(attempts, { kind: 'began', ...who }, clock.monotonicMs());
    const proven = await prove(name, secret, address, isKnown(attempts, who));
    if (proven === undefined) {
      step(attempts, { kind: 'undone', ...who }, clock.monotonicMs());
      return refuse('busy', who, BUSY, BUSY_MS);
    }
    if (!proven) return refuse('wrong', who, WRONG);
    step(attempts, { kind: 'succeeded', ...who }, clock.monotonicMs());
    const begun = database.transact(() => {
      const session = sessions.begin(name, address);
      const role = accounts.find(name)?.role ?? 'viewer';
      const detail = { address, session: session.id, role };
      const entry = { operator: name, action: 'operator.sign_in', subject: name, reason: '' };
      const written = audit.write({ ...entry, outcome: 'ok', detail });
      if (!written.ok) throw new Error(written.reason);
      return { session, role };
    });
    if (!begun.ok) return refuse('failed', who, begun.reason);
    accounts.signedIn(name);
    metrics.signIns('ok');
    return { ok: true, ...begun.value, name };
  };
}
