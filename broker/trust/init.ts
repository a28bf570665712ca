// `tillwatch broker init`: from an empty machine to a broker that starts: keys, configuration, first operator, in this
// order and each durable before the next, so that an interrupted run is repeated and one that was whole is refused.
// A function of its own, because the demo makes its fleet with the same code as a chain does.

import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { systemClock } from '../clock.ts';
import type { BrokerConfig } from '../config.ts';
import { lockFile, PUBLIC_MODE, writeWhole } from '../files.ts';
import type { Session } from '../operators/sessions.ts';
import { checkConfig, configText } from './init-config.ts';
import { type GivenAuthority, makeTrust, openKeysDir, takeAuthority } from './make.ts';
import { checkNewPassphrase } from './passphrase.ts';
import { hasState, lockPath } from './state.ts';

export const FIRST_OPERATOR = 'admin';

export type InitOptions = {
  /** Written; must not be there yet. */
  readonly configFile: string;
  readonly names: readonly string[];
  readonly dataDir: string;
  readonly keysDir: string;
  readonly mqttPort?: number | undefined;
  readonly httpPort?: number | undefined;
  readonly host?: string | undefined;
  /** An existing one, instead of a new one. */
  readonly authority?: GivenAuthority | undefined;
  /** The keys are encrypted with it. */
  readonly passphrase?: string | undefined;
  /** Further settings, as YAML, behind the others. */
  readonly settings?: string | undefined;
};

export type Initialised = {
  readonly configFile: string;
  readonly config: BrokerConfig;
  /** SHA-256 of the authority's certificate, lower-case hex. */
  readonly fingerprint: string;
  readonly operator: string;
  /** The first operator's, told only now. */
  readonly token: string;
  /** The first operator is signed in by it. */
  readonly session: Session;
  /** The authority's certificate, PEM. */
  readonly authority: string;
};

/** The configuration to be written, or the one that an interrupted run wrote already. */
function settleConfig(options: InitOptions): Result<{ text: string; config: BrokerConfig }> {
  const file = resolve(options.configFile);
  const text = configText(options) + (options.settings ?? '');
  const wanted = checkConfig(text, file);
  if (!wanted.ok) return wanted;
  if (existsSync(file) && readFileSync(file, 'utf8') !== text) {
    return fail(`${file} is there already and says something else: nothing was changed`);
  }
  return ok({ text, config: wanted.value });
}

async function make(options: InitOptions): Promise<Result<Initialised>> {
  const configFile = resolve(options.configFile);
  const { passphrase, authority } = options;
  const settled = settleConfig(options);
  if (!settled.ok) return settled;
  const { config, text } = settled.value;
  const strong = hasState(config.keysDir) ? ok(undefined) : checkNewPassphrase(passphrase);
  if (!strong.ok) return strong;
  const nowMs = systemClock.wallMs();
  // Before any folder is made: a wrong file leaves nothing behind.
  const given = authority && takeAuthority(authority, passphrase, nowMs);
  if (given?.ok === false) return given;
  const folder = openKeysDir(config.keysDir);
  if (!folder.ok) return folder;
  const busy = `another "tillwatch broker" is at work in ${config.keysDir}`;
  const lock = lockFile(lockPath(config.keysDir), busy);
  if (!lock.ok) return lock;
  try {
    const trust = await makeTrust({ keysDir: config.keysDir, passphrase, nowMs }, authority);
    if (!trust.ok) return trust;
    const { fingerprint, authority: pem } = trust.value;
    mkdirSync(dirname(configFile), { recursive: true });
    if (!existsSync(configFile)) writeWhole(configFile, text, PUBLIC_MODE);
    // Last, because its token is seen once: whoever repeats this must find everything else done.
    const { addFirstOperator, openFirstSession } = await import('../operators/first.ts');
    const token = addFirstOperator(config.dataDir, FIRST_OPERATOR);
    if (!token.ok) return fail(`${configFile} is there already: ${token.reason}`);
    const operator = FIRST_OPERATOR;
    const session = openFirstSession(config.dataDir, operator);
    if (!session.ok) return session;
    const told = { token: token.value, session: session.value };
    return ok({ configFile, config, fingerprint, operator, ...told, authority: pem });
  } finally {
    lock.value();
  }
}

/** @returns one sentence when it cannot be done; what was made until then is used by the next try. */
export async function initBroker(options: InitOptions): Promise<Result<Initialised>> {
  try {
    return await make(options);
  } catch (cause) {
    const { code, path, message } = cause as NodeJS.ErrnoException;
    if (code === undefined || path === undefined) return fail(message);
    return fail(
      `${path} cannot be written (${code}): choose other places, or run it as another user`,
    );
  }
}
