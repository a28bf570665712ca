// `tillwatch contexts`, `contexts use NAME`, `contexts remove NAME` and `tillwatch logout`: which fleets one has signed in to,
// which of them the verbs ask, and leaving one. Nothing here shows a session.

import { createClient } from '../client.ts';
import { changeContexts, readContexts } from '../contexts.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { didYouMean } from '../nearest.ts';
import { localClock } from '../when.ts';
import type { LoginContext } from './login.ts';

const NONE = 'there are no contexts: sign in with tillwatch login URL';

const unknown = (name: string, names: readonly string[]): Outcome => {
  if (names.length === 0) return ended(EXIT.usage, NONE);
  const shown = JSON.stringify(name.slice(0, 64));
  const there = names.join(', ');
  return ended(
    EXIT.usage,
    `there is no context ${shown}${didYouMean(name, names)}; there are: ${there}`,
  );
};

const stateOf = (session: string | undefined, endsMs = 0): string => {
  if (session === undefined) return 'signed out';
  return endsMs <= Date.now() ? 'session ended' : `until ${localClock(endsMs).slice(0, 5)}`;
};

export function listContexts({ env, print, json }: LoginContext): Outcome {
  const read = readContexts(env);
  if (!read.ok) return ended(EXIT.usage, read.reason);
  const { current, contexts } = read.value;
  const rows = Object.entries(contexts).map(([name, { url, operator, session, endsMs }]) => ({
    ...{ name, url, operator, isCurrent: name === current },
    state: stateOf(session, endsMs),
  }));
  if (json) print(JSON.stringify({ current: current ?? null, contexts: rows }, undefined, 2));
  else if (rows.length === 0) print(NONE);
  const width = Math.max(0, ...rows.map(({ name }) => name.length));
  for (const { name, url, operator, isCurrent, state } of json ? [] : rows) {
    print(`${isCurrent ? '*' : ' '} ${name.padEnd(width)}  ${url}  ${operator}  ${state}`);
  }
  return done;
}

/** One line, or what it says as a document. */
const tell = ({ print, json }: LoginContext, line: string, value: object): void =>
  void print(json ? JSON.stringify(value, undefined, 2) : line);

export function useContext(context: LoginContext, name: string): Outcome {
  const { env } = context;
  const read = readContexts(env);
  if (!read.ok) return ended(EXIT.usage, read.reason);
  if (!Object.hasOwn(read.value.contexts, name)) {
    return unknown(name, Object.keys(read.value.contexts));
  }
  const saved = changeContexts(env, (before) => ({ ...before, current: name }));
  if (!saved.ok) return ended(EXIT.failed, saved.reason);
  const { url } = read.value.contexts[name] ?? {};
  tell(context, `the verbs now ask ${url}`, { current: name, url });
  return done;
}

/** @param forget also where it is and by which authority */
export async function leaveContext(
  context: LoginContext,
  wanted: string | undefined,
  forget: boolean,
): Promise<Outcome> {
  const { env } = context;
  const read = readContexts(env);
  if (!read.ok) return ended(EXIT.usage, read.reason);
  const { contexts, current } = read.value;
  const name = wanted ?? env['TILLWATCH_CONTEXT'] ?? current;
  if (name === undefined) return ended(EXIT.usage, NONE);
  if (!Object.hasOwn(contexts, name)) return unknown(name, Object.keys(contexts));
  const { url, session: token, authority } = contexts[name] ?? { url: '' };
  const reply =
    token === undefined
      ? undefined
      : await createClient({ url, token, authority }).remove<object>('/api/v1/session');
  const saved = changeContexts(env, (before) => {
    const { [name]: left, ...others } = before.contexts;
    if (left === undefined) return before;
    const { session: _, endsMs: __, ...rest } = left;
    const next = before.current === name ? {} : { current: before.current };
    return forget
      ? { ...next, contexts: others }
      : { ...before, contexts: { ...before.contexts, [name]: rest } };
  });
  if (!saved.ok) return ended(EXIT.failed, saved.reason);
  // Forgotten here in any case; whether it is worth nothing everywhere is for the broker to say.
  if (reply !== undefined && !reply.ok && reply.status !== 401) {
    const left = 'here it is forgotten; there it lives until it is unused for two hours';
    return ended(reply.exit, `the session could not be ended: ${reply.sentence} (${left})`);
  }
  const line = token === undefined ? `${name} was signed out already` : `signed out of ${url}`;
  tell(context, line, { context: name, url, wasSignedIn: token !== undefined });
  return done;
}
