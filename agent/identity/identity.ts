// The identity of a terminal whose link is encrypted: read from its folder, got with a token, renewed in time. The agent
// is the only one that decides what holds (identity.json); the program that asks the broker offers a new pair beside it
// and is taken over here, at the next start at the latest. Nothing of this stops anything: without an identity the agent
// watches over its components as ever, and connects as soon as it has one.

import { type KeyObject, X509Certificate } from 'node:crypto';
import { parsePublicKey } from '../../protocol/commands.ts';
import type { TrustDocument } from '../../protocol/enrolment.ts';
import type { NewEvent } from '../../protocol/events.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { NO_CERTIFICATE } from '../link/reasons.ts';
import { type Loaded, loadIdentity, takeOver, writeRecord } from '../system/identity-folder.ts';
import { Asking, type AskingOptions } from './asking.ts';
import { keysOf } from './plain.ts';
import type { AgentIdentity, Enrolment, IdentityState } from './types.ts';

export type IdentityOptions = AskingOptions & {
  /** Of the configuration, beside those that are pinned. */
  readonly commandKeys: readonly string[];
  readonly report: (event: NewEvent) => void;
};
type What = 'enrolled' | 'renewed' | 'renewal_failed' | 'trust';

export const NOT_ENROLLED = `${NO_CERTIFICATE}: type tillwatch join here, with a token of tillwatch enroll`;

class Identity implements AgentIdentity {
  readonly #o: IdentityOptions;
  readonly #asking: Asking;
  readonly #listeners: (() => void)[] = [];
  #state: IdentityState = 'none';
  #why = NOT_ENROLLED;
  #loaded: Loaded | undefined;
  #enrolment: Enrolment | undefined;
  #keys: ReadonlyMap<string, KeyObject>;

  constructor(options: IdentityOptions) {
    this.#o = options;
    this.#keys = keysOf(options.commandKeys);
    const taken = takeOver(options.folder);
    if (!taken.ok) options.log.warn('what was got cannot be used', { reason: taken.reason });
    this.#load();
    if (this.#state === 'none') options.log.info(this.#why);
    if (taken.ok && taken.value !== undefined) this.#tell(taken.value, 'taken over at the start');
    this.#asking = new Asking(options, {
      loaded: () => this.#loaded,
      got: (how, url) => this.#got(how, url),
      failed: (how, reason, isNew) => this.#failed(how, reason, isNew),
    });
  }

  state(): IdentityState {
    return this.#state;
  }

  why(): string {
    return this.#why;
  }

  commandKeys(): ReadonlyMap<string, KeyObject> {
    return this.#keys;
  }

  trustVersion(): number {
    return this.#loaded?.record.trust.version ?? 0;
  }

  expiresMs(): number | undefined {
    return this.#loaded?.notAfterMs;
  }

  notBeforeMs(): number {
    return this.#loaded?.notBeforeMs ?? 0;
  }

  enrolment(): Enrolment | undefined {
    return this.#enrolment;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  renew(): void {
    if (this.#loaded !== undefined) this.#asking.renew();
  }

  doubted(): void {
    if (this.#loaded !== undefined) this.#asking.doubted();
  }

  stop(): void {
    this.#asking.stop();
  }

  applyTrust(document: TrustDocument, renew: boolean): Result<void> {
    const loaded = this.#loaded;
    if (loaded === undefined) return fail(this.#why);
    const { version } = loaded.record.trust;
    if (document.version < version) {
      return fail(`version ${document.version} is older than ${version}, which is trusted here`);
    }
    const fault = faultOf(document);
    if (fault !== '') return fail(fault);
    if (document.version > version) {
      const written = writeRecord(this.#o.folder, { ...loaded.record, trust: document });
      if (!written.ok) return written;
      this.#load();
      this.#tell('trust', `version ${document.version} is trusted in place of ${version}`);
      this.#changed();
    }
    if (renew) this.renew();
    return ok(undefined);
  }

  #load(): void {
    const { folder, terminal, commandKeys } = this.#o;
    const loaded = loadIdentity(folder, terminal);
    this.#loaded = loaded.ok ? loaded.value : undefined;
    this.#state = loaded.ok ? (loaded.value === undefined ? 'none' : 'ready') : 'wrong';
    this.#why = loaded.ok ? (loaded.value === undefined ? NOT_ENROLLED : '') : loaded.reason;
    if (this.#loaded === undefined) {
      this.#enrolment = undefined;
      this.#keys = keysOf(commandKeys);
      if (!loaded.ok) this.#o.log.warn(this.#why);
      return;
    }
    const { record, key, certificate } = this.#loaded;
    const { store, brokers, urls, trust } = record;
    const credentials = { key, certificate, authorities: trust.authorities };
    this.#enrolment = { credentials, store, brokers, urls };
    this.#keys = keysOf([...trust.commandKeys, ...commandKeys]);
  }

  #got(how: 'enrol' | 'renew', url: string): Result<void> {
    const taken = takeOver(this.#o.folder);
    if (!taken.ok) return taken;
    this.#load();
    if (this.#loaded === undefined) return fail(this.#why);
    this.#tell(how === 'enrol' ? 'enrolled' : 'renewed', `by ${url}`);
    this.#changed();
    return ok(undefined);
  }

  #failed(how: 'enrol' | 'renew', reason: string, isNew: boolean): void {
    if (how === 'enrol' && this.#state === 'none') this.#why = `${NOT_ENROLLED} (${reason})`;
    if (how === 'renew' && isNew) this.#tell('renewal_failed', reason);
  }

  #tell(what: What, reason: string): void {
    const { report, log, terminal } = this.#o;
    const expiresMs = this.expiresMs();
    const ends = expiresMs === undefined ? {} : { expiresMs };
    const fields = { what, reason, ...ends, trust: this.trustVersion() };
    report({ kind: 'identity', component: '', fields });
    if (what !== 'renewal_failed') log.info(`identity: ${what}`, { terminal, reason, ...ends });
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** A document that came signed can still be of no use: believed, it would end the link for good. */
function faultOf({ authorities, commandKeys }: TrustDocument): string {
  try {
    if (!authorities.every((pem) => new X509Certificate(pem).ca)) return 'one is no authority';
  } catch {
    return 'an authority cannot be read';
  }
  return commandKeys.every((text) => parsePublicKey(text).ok) ? '' : 'a command key cannot be read';
}

export const openIdentity = (options: IdentityOptions): AgentIdentity => new Identity(options);
