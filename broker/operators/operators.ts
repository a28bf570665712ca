// Operators as the rest of the broker sees them: who shows what is somebody with a role, now. A session is looked up at
// each request, so that a role that changed, an operator who was disabled and a session that ended are true at the next
// one. A program that cannot sign in (Prometheus, a job) may show its operator's token itself: it is signed in once
// and its session is used from then on, under the same limits and for the same time.

import { createHash } from 'node:crypto';
import type { Role } from '../../protocol/catalogue.ts';
import { isOperatorName, isSession, parseOperatorToken } from '../../protocol/operators.ts';
import type { Audit } from '../audit.ts';
import type { Cancel, Clock, Timers } from '../clock.ts';
import type { Database } from '../fleet/database.ts';
import type { Actor, Authenticate, NotNow } from '../http/auth.ts';
import type { Metrics } from '../metrics.ts';
import { type Accounts, openAccounts } from './accounts.ts';
import { type Cost, createSecrets } from './secrets.ts';
import { openSessions } from './sessions.ts';
import { byToken, createSignIn, type SignIn } from './sign-in.ts';
import { openOperatorStore } from './store.ts';

/** Tokens that programs show themselves, with their sessions. */
const SHOWN_MAX = 1_000;

export type OperatorOptions = {
  readonly database: Database;
  readonly audit: Pick<Audit, 'write' | 'refuse' | 'page'>;
  readonly metrics: Pick<Metrics, 'signIns'>;
  readonly clock: Clock;
  readonly timers: Pick<Timers, 'every'>;
  /** Of new secrets; tests take a cheap one. */
  readonly cost?: Cost;
};

export type Operators = {
  readonly signIn: SignIn;
  readonly authenticate: Authenticate;
  readonly signOut: (actor: Actor, address: string) => void;
  /** Until when the session of this actor can last. */
  readonly endsMs: (actor: Actor) => number | undefined;
  /** Tells once when this session ends; at once when it has. */
  readonly onSessionEnd: (session: string, tell: () => void) => Cancel;
  /** Now; undefined for who is none, or disabled. */
  readonly roleOf: (name: string) => Role | undefined;
  /** Told when somebody's role is another one, or they are enabled or disabled. @returns an undo. */
  readonly onChange: (listener: () => void) => Cancel;
  readonly list: Accounts['list'];
  readonly add: Accounts['add'];
  readonly change: Accounts['change'];
  readonly newToken: Accounts['newToken'];
  readonly sessions: () => number;
  readonly close: () => void;
};

const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

type FromSession = (token: string) => Actor | undefined;

/** Signs in whoever shows a token instead of a session; the same one at the same time only once. */
function createShown(signIn: SignIn, fromSession: FromSession) {
  const shown = new Map<string, string>();
  const pending = new Map<string, Promise<Actor | NotNow | undefined>>();
  async function enter(key: string, token: string, address: string) {
    const parsed = parseOperatorToken(token);
    if (parsed === undefined) return undefined;
    const entered = await signIn(parsed.name, parsed.secret, address);
    if (!entered.ok) {
      const { kind, reason, retryMs = 0 } = entered;
      if (kind === 'wrong') return undefined;
      return { status: kind === 'paused' ? 429 : 503, reason, retryMs } as const;
    }
    if (shown.size >= SHOWN_MAX) shown.clear();
    shown.set(key, entered.session.token);
    return fromSession(entered.session.token);
  }
  return (token: string, address: string): ReturnType<Authenticate> => {
    if (parseOperatorToken(token) === undefined) return undefined;
    const key = digest(token);
    const session = shown.get(key);
    const actor = session === undefined ? undefined : fromSession(session);
    if (actor !== undefined) return actor;
    shown.delete(key);
    const running = pending.get(key);
    if (running !== undefined) return running;
    const entering = enter(key, token, address).finally(() => pending.delete(key));
    pending.set(key, entering);
    return entering;
  };
}

export function openOperators(options: OperatorOptions): Operators {
  const { database, audit, metrics, clock, timers } = options;
  const store = openOperatorStore(database);
  const secrets = createSecrets(options.cost);
  const sessions = openSessions({ database, store, clock, timers });
  const endSessionsOf = (name: string): void => sessions.endAll(name);
  const accounts = openAccounts({ database, store, secrets, audit, clock, endSessionsOf });
  const signIn = createSignIn({
    ...{ accounts, sessions, database, audit, metrics, clock },
    prove: byToken(accounts, secrets),
  });
  const fromSession: FromSession = (token) => {
    const session = sessions.find(token);
    const row = session && accounts.find(session.operator);
    if (session === undefined || row?.enabled !== true) return undefined;
    return { name: row.name, role: row.role, session: session.id };
  };
  const shown = createShown(signIn, fromSession);
  const listeners = new Set<() => void>();
  const change: Accounts['change'] = (...wish) => {
    const changed = accounts.change(...wish);
    if (changed.ok) for (const listener of listeners) listener();
    return changed;
  };
  return {
    signIn: async (name, secret, address) =>
      await signIn(isOperatorName(name) ? name : 'unknown', secret, address),
    authenticate: (token, address) =>
      isSession(token) ? fromSession(token) : shown(token, address),
    signOut: ({ name, session }, address) => {
      sessions.endOne(session);
      const entry = { operator: name, action: 'operator.sign_out', subject: name, reason: '' };
      audit.write({ ...entry, outcome: 'ok', detail: { address, session } });
    },
    endsMs: ({ session }) => sessions.endsMs(session),
    onSessionEnd: sessions.onEnd,
    roleOf: (name) => {
      const row = accounts.find(name);
      return row?.enabled === true ? row.role : undefined;
    },
    list: accounts.list,
    add: accounts.add,
    change,
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    newToken: accounts.newToken,
    sessions: sessions.count,
    close: sessions.close,
  };
}
