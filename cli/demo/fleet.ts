// How the demo's fleet comes to trust itself, with the same code and the same routes as a chain's: an authority and a
// first operator are made, the operator signs in, and each till enrols with a token that serves once. Nothing of it is a
// short cut, so what the demo shows is what a chain gets.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { type Client, createClient } from '../client.ts';
import type { Place } from './plan.ts';

/** Everything listens on it and is called so. */
const HOST = '127.0.0.1';
/** Tokens live longer than the slowest start of a demo. */
const TOKEN_MINUTES = 60;
const TOKENS_PER_REQUEST = 500;

export type Founded = {
  readonly config: string;
  readonly dataDir: string;
  /** PEM. */
  readonly authority: string;
  /** The first operator is signed in by it. */
  readonly session: string;
};

/** Authority, keys and the broker's configuration: what `tillwatch broker init` does. */
export async function foundFleet(
  place: Place,
  ports: { readonly mqtt: number; readonly http: number },
): Promise<Result<Founded>> {
  const { initBroker } = await import('../../broker/trust/init.ts');
  const keysDir = join(place.folder, 'keys');
  const made = await initBroker({
    configFile: join(place.folder, 'config', 'broker.yaml'),
    names: [HOST],
    host: HOST,
    dataDir: join(place.folder, 'broker'),
    keysDir,
    mqttPort: ports.mqtt,
    httpPort: ports.http,
  });
  if (!made.ok) return made;
  const { configFile, config, session, authority } = made.value;
  return ok({ config: configFile, dataDir: config.dataDir, authority, session: session.token });
}

/** @returns the first operator, left in a file beside which every verb works in the demo's folder. */
export function signedIn(place: Place, url: string, { authority, session }: Founded): Client {
  const operator = { url, token: session, authority };
  writeFileSync(join(place.folder, 'operator.json'), JSON.stringify(operator), { mode: 0o600 });
  return createClient(operator);
}

export type NewTill = { readonly terminal: string; readonly store: string };
type Tokens = { readonly tokens: readonly { readonly terminal: string; readonly token: string }[] };

/** @returns a token for each, by terminal. */
export async function makeTokens(
  client: Client,
  tills: readonly NewTill[],
): Promise<Result<ReadonlyMap<string, string>>> {
  const made = new Map<string, string>();
  for (let at = 0; at < tills.length; at += TOKENS_PER_REQUEST) {
    const reply = await client.post<Tokens>('/api/v1/tokens', {
      terminals: tills.slice(at, at + TOKENS_PER_REQUEST),
      minutes: TOKEN_MINUTES,
      reason: 'the demo enrols its own tills',
    });
    if (!reply.ok) return fail(`a till got no token: ${reply.sentence}`);
    for (const { terminal, token } of reply.value.tokens) made.set(terminal, token);
  }
  return ok(made);
}

/** Where an agent finds its token at its first start; the agent removes it. */
export function placeToken(identityDir: string, token: string): void {
  mkdirSync(identityDir, { recursive: true, mode: 0o700 });
  writeFileSync(join(identityDir, 'token'), `${token}\n`, { mode: 0o600 });
}

/** As `tillwatch enroll --file` writes it. */
export function writeTokens(file: string, tokens: ReadonlyMap<string, string>): void {
  const rows = [...tokens].map(([terminal, token]) => ({ terminal, token }));
  writeFileSync(file, stringify(rows), { mode: 0o600 });
}
