// `tillwatch login URL`: proves once who one is and keeps the session. Before the token leaves this machine it is settled
// whom it goes to: the authority that was kept for this broker, one whose fingerprint was given or looked at by a
// person, or one that this machine knows anyway. The token itself is not kept: it is what a stolen laptop must not have.

import { parseOperatorToken } from '../../protocol/operators.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { createClient } from '../client.ts';
import { changeContexts, parseContextName, readContexts } from '../contexts.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { isLoopback, parseUrl } from '../operator.ts';
import { isFingerprint, lookAt, plainFingerprint, type Shown } from '../pin.ts';
import type { Person } from '../prompt.ts';

export type LoginContext = {
  readonly print: (line: string) => unknown;
  readonly env: NodeJS.ProcessEnv;
  readonly person: Person;
  readonly json: boolean;
};
export type LoginWish = {
  readonly url: string;
  /** Whose token it is to be. */
  readonly as?: string | undefined;
  readonly authority?: string | undefined;
};

type Entered = {
  readonly session: string;
  readonly name: string;
  readonly role: string;
  readonly endsMs: number;
  /** PEM, of all authorities that the broker's certificate may be of: more than one while one replaces the other. */
  readonly authorities?: readonly string[];
};

/** Two lines of groups of eight, as `broker init` prints it. */
const halvesOf = (fingerprint: string): readonly string[] =>
  [fingerprint.slice(0, 32), fingerprint.slice(32)].map((half) =>
    (half.match(/.{8}/g) ?? []).join(' '),
  );

/** @returns PEM of the authority to believe; undefined: those that this machine knows. */
async function settleAuthority(
  url: URL,
  { authority: given }: LoginWish,
  kept: string | undefined,
  person: Person,
): Promise<Result<string | undefined>> {
  if (given === undefined && kept !== undefined) return ok(kept);
  const shown = await lookAt(url);
  if (!shown.ok) return fail(`the broker at ${url.origin} cannot be asked: ${shown.reason}`);
  if (given !== undefined) return byFingerprint(shown.value, given, url);
  if (shown.value.isKnown) return ok(undefined);
  const { last } = shown.value;
  if (last === undefined) return fail(`${url.origin} shows no authority that could be kept`);
  if (!person.isThere) {
    return fail(
      `the authority of ${url.origin} is not known here: say which it is, ` +
        '--authority FINGERPRINT (tillwatch broker init prints it)',
    );
  }
  person.tell(`The authority of ${url.origin} is not known here. Its fingerprint is`);
  for (const half of halvesOf(last.fingerprint)) person.tell(`  ${half}`);
  person.tell('Compare it with what "tillwatch broker init" printed, or ask an admin.');
  const yes = await person.confirm('Is it the same? [y/N] ');
  return yes ? ok(last.pem) : fail('nothing was sent, and nothing is kept');
}

function byFingerprint(shown: Shown, given: string, url: URL): Result<string> {
  const wanted = plainFingerprint(given);
  const found = shown.authorities.find(({ fingerprint }) => fingerprint === wanted);
  if (found !== undefined) return ok(found.pem);
  return fail(
    `${url.origin} does not show the authority with this fingerprint: it is another broker, or ` +
      'somebody stands in between. Nothing was sent',
  );
}

/** What is wrong with the command line, before anybody is asked for anything. */
function readWish(
  { url: text, authority }: LoginWish,
  context: string | undefined,
): Result<{ url: URL; name: string }> {
  const address = parseUrl(/^[a-z]+:\/\//i.test(text) ? text : `https://${text}`);
  if (address === undefined) return fail(`"${text}" is not an address such as https://broker:8443`);
  const url = new URL(address);
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    return fail(`${address} is plain text: a token goes over https only, or to this machine`);
  }
  const fingerprint = authority === undefined ? undefined : plainFingerprint(authority);
  if (fingerprint !== undefined && !isFingerprint(fingerprint)) {
    return fail('--authority is a SHA-256 in hex: 64 of 0-9 and a-f');
  }
  const name = parseContextName(context || url.host.replaceAll(/[[\]]/g, ''));
  return name.ok ? ok({ url, name: name.value }) : name;
}

async function askToken(person: Person, as: string | undefined): Promise<Result<string>> {
  const token = await person.secret('Token: ');
  if (!token.ok) return token;
  if (token.value === '') return fail('there was no token on standard input');
  const parsed = parseOperatorToken(token.value);
  if (parsed !== undefined) {
    const isTheirs = as === undefined || parsed.name === as;
    return isTheirs ? token : fail(`this is the token of ${parsed.name} and not of ${as}`);
  }
  return fail('this is no token of an operator, which looks like two1.NAME.SECRET');
}

export async function runLogin(context: LoginContext, wish: LoginWish): Promise<Outcome> {
  const { env, person, print, json } = context;
  const read = readWish(wish, env['TILLWATCH_CONTEXT']);
  if (!read.ok) return ended(EXIT.usage, read.reason);
  const { url, name } = read.value;
  const contexts = readContexts(env);
  if (!contexts.ok) return ended(EXIT.usage, contexts.reason);
  const known = Object.values(contexts.value.contexts).find((one) => one.url === url.origin);
  const settled =
    url.protocol === 'http:'
      ? ok(undefined)
      : await settleAuthority(url, wish, known?.authority, person);
  if (!settled.ok) return ended(EXIT.denied, settled.reason);
  const authority = settled.value;
  const token = await askToken(person, wish.as);
  if (!token.ok) return ended(EXIT.usage, token.reason);
  const client = createClient({ url: url.origin, token: undefined, authority });
  const reply = await client.post<Entered>('/api/v1/session', { token: token.value });
  if (!reply.ok) {
    const isWrong = reply.status === 401;
    return ended(reply.exit, isWrong ? `${url.origin} does not accept this token` : reply.sentence);
  }
  const { session, name: operator, role, endsMs, authorities = [] } = reply.value;
  // While an authority is replaced, the next one is told as well: nobody has to sign in by hand for it.
  const believed =
    authority === undefined || authorities.length === 0 ? authority : authorities.join('');
  const saved = changeContexts(env, (before) => ({
    current: name,
    contexts: {
      ...before.contexts,
      [name]: { url: url.origin, authority: believed, operator, session, endsMs },
    },
  }));
  if (!saved.ok) return ended(EXIT.failed, saved.reason);
  if (json) print(JSON.stringify({ context: name, url: url.origin, operator, role, endsMs }));
  else print(`signed in to ${url.origin} as ${operator} (${role}); context ${name}`);
  return done;
}
