// Where the broker is and who one is there: the context that was named, else the environment, else what a demo in this
// folder or one above has written for its operator, else the context that is in use, else the default address without a
// token. Read once per run.

import { readFileSync, statSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { fail, ok, type Result } from '../protocol/result.ts';
import { readContexts } from './contexts.ts';

export const DEFAULT_URL = 'http://127.0.0.1:8080';
const OPERATOR_FILE = join('.tillwatch', 'operator.json');
const OTHERS_WRITE = 0o022;
const PEM = /-----BEGIN CERTIFICATE-----/;

const operatorSchema = v.object({
  url: v.string(),
  token: v.string(),
  /** PEM of the authority of the broker's certificate. */
  authority: v.optional(v.string()),
});

export type Operator = {
  readonly url: string;
  readonly token: string | undefined;
  /** PEM; undefined: the authorities that this machine knows. */
  readonly authority?: string | undefined;
  /** Its name, where one signed in. */
  readonly context?: string | undefined;
};

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether it is this machine, where nobody is in between. */
export function isLoopback(hostname: string): boolean {
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  const family = isIP(host);
  return family === 0 ? host === 'localhost' : loopback.check(host, family === 6 ? 'ipv6' : 'ipv4');
}

/** Not there, or put there by somebody else, who would be asked what is meant for the fleet. */
function isOurs(path: string): boolean {
  try {
    const { uid, mode } = statSync(path);
    return uid === (process.getuid?.() ?? uid) && (mode & OTHERS_WRITE) === 0;
  } catch {
    return false;
  }
}

/** What a demo writes (mode 0600), so that the verbs work in its folder without any setting. */
function findOperatorFile(folder: string): v.InferOutput<typeof operatorSchema> | undefined {
  for (let at = folder; ; at = dirname(at)) {
    const path = join(at, OPERATOR_FILE);
    if (isOurs(path)) {
      try {
        return v.parse(operatorSchema, JSON.parse(readFileSync(path, 'utf8')));
      } catch {
        return undefined; // half written, or not ours: the defaults do
      }
    }
    if (dirname(at) === at) return undefined;
  }
}

/** @returns it without a slash at its end; undefined for what is no address of a broker. */
export function parseUrl(text: string): string | undefined {
  const parsed = URL.parse(text);
  // A name and password in an address would be asked for nowhere and be shown everywhere.
  if (parsed === null || !/^https?:$/.test(parsed.protocol) || parsed.username !== '') {
    return undefined;
  }
  return text.replace(/\/+$/, '');
}

function findContext(
  env: NodeJS.ProcessEnv,
  wanted: string | undefined,
): Result<Operator | undefined> {
  const contexts = readContexts(env);
  if (!contexts.ok) return contexts;
  const name = wanted ?? contexts.value.current;
  const found = name === undefined ? undefined : contexts.value.contexts[name];
  if (name !== undefined && found !== undefined && Object.hasOwn(contexts.value.contexts, name)) {
    const { url, authority, session } = found;
    return ok({ url, token: session, authority, context: name });
  }
  if (wanted === undefined) return ok(undefined);
  const known =
    Object.keys(contexts.value.contexts).join(', ') || 'none; sign in with tillwatch login';
  return fail(`there is no context ${JSON.stringify(wanted.slice(0, 64))}; there are: ${known}`);
}

/** @param given PEM, or the file that it is in */
function readAuthority(given: string | undefined): Result<string | undefined> {
  if (!given || PEM.test(given)) return ok(given || undefined);
  try {
    const text = readFileSync(given, 'utf8');
    if (PEM.test(text)) return ok(text);
  } catch {
    // Said below.
  }
  return fail(`TILLWATCH_AUTHORITY is "${given}", which is no file with a certificate in PEM`);
}

export function findOperator(env: NodeJS.ProcessEnv, folder: string): Result<Operator> {
  const wanted = env['TILLWATCH_CONTEXT'];
  if (wanted) {
    const context = findContext(env, wanted);
    if (!context.ok || context.value !== undefined) return context as Result<Operator>;
  }
  const file = findOperatorFile(folder);
  if (!env['TILLWATCH_URL'] && file === undefined) {
    const context = findContext(env, undefined);
    if (!context.ok || context.value !== undefined) return context as Result<Operator>;
  }
  const url = parseUrl(env['TILLWATCH_URL'] || file?.url || DEFAULT_URL);
  if (url === undefined) {
    const text = env['TILLWATCH_URL'] || file?.url;
    return fail(`TILLWATCH_URL is "${text}", which is not an http address such as ${DEFAULT_URL}`);
  }
  // What may stand in a header [RFC 6750 2.1]; a copied line end is no reason to be sent away.
  const given = env['TILLWATCH_API_TOKEN']?.trim();
  if (given && !/^[\x21-\x7e]+$/.test(given)) {
    return fail('TILLWATCH_API_TOKEN holds characters that no token has');
  }
  const authority = readAuthority(env['TILLWATCH_AUTHORITY']);
  if (!authority.ok) return authority;
  // A token goes only to the broker that it is of.
  const isOfFile = file !== undefined && parseUrl(file.url) === url;
  const goesToFile = !env['TILLWATCH_URL'] && isOfFile;
  const isHere = isLoopback(new URL(url).hostname);
  const own = goesToFile && !isHere ? undefined : given;
  const token = own || (isOfFile ? file.token : undefined);
  if (token !== undefined && url.startsWith('http:') && !isHere) {
    return fail(`${url} is plain text: a token goes over https only, or to this machine`);
  }
  const believed = authority.value ?? (isOfFile ? file.authority : undefined);
  return ok({ url, token, ...(believed === undefined ? {} : { authority: believed }) });
}
