// What the rest of the broker knows of trust: whom the fleet believes, who signs, and how a terminal's certificate is
// issued and read. A closed type, so that transport, identities and commands are written and tested with small fakes,
// and only this folder ever holds a private key of the authority.

import type { KeyObject } from 'node:crypto';
import type { TrustDocument } from '../../protocol/enrolment.ts';
import type { Result } from '../../protocol/result.ts';
import type { Cancel, Clock, Timers } from '../clock.ts';
import type { Log } from '../ports.ts';

/** A certificate that was issued just now. */
export type Issued = {
  /** PEM, the terminal's alone. */
  readonly certificate: string;
  /** 128 random bits in lower-case hex, without leading zeros cut. */
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
};

/** What a certificate of one of our authorities says; whether it is over or revoked is not judged here. */
export type ClientCertificate = {
  readonly terminal: string;
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly publicKey: KeyObject;
  /** Which authority issued it, as `Trust.fingerprint` writes it: another one than that means "renew". */
  readonly authority: string;
};

/** What the broker shows of itself, in PEM. */
export type ServerIdentity = {
  readonly cert: string;
  readonly key: string;
  /**
   * Whose terminals are let in: `ca` of a TLS context. One may itself be issued by a company's root that is not ours
   * to trust, so contexts also need `allowPartialTrustChain: true`, at the broker and at terminals.
   */
  readonly authorities: readonly string[];
};

export type CertificateUse = 'authority' | 'server' | 'http';
export type Expiry = { readonly use: CertificateUse; readonly atMs: number };

export type Trust = {
  /** What terminals believe; its version grows with each change. */
  readonly document: () => TrustDocument;
  /** Also told of changes that another process made (`tillwatch broker rotate`). @returns undo */
  readonly onDocument: (listener: (document: TrustDocument) => void) => Cancel;
  /** Ed25519, private: what signs commands now. Ask for each command, it may change. */
  readonly commandKey: () => KeyObject;
  /** Ed25519, private: what signs the heads of the audit log. */
  readonly auditKey: () => KeyObject;
  /** SHA-256 of the issuing authority's certificate (DER), lower-case hex. */
  readonly fingerprint: () => string;
  readonly server: () => ServerIdentity;
  /** After a renewal and when authorities changed. @returns undo */
  readonly onServer: (listener: (server: ServerIdentity) => void) => Cancel;
  /**
   * A certificate for `terminal` from a request in PEM form: P-256 only, signed by its own key; what the request calls
   * itself is ignored. The reason of a failure is fit to be told to whoever asked.
   */
  readonly issue: (terminal: string, csrPem: string, days: number) => Promise<Result<Issued>>;
  /** Synchronous, for the first packet of a connection: issued by one of our authorities, for clients, P-256. */
  readonly readClient: (pemOrDer: string | Buffer) => Result<ClientCertificate>;
  /** When what is used now ends; the soonest authority. */
  readonly expiries: () => readonly Expiry[];
  readonly close: () => void;
};

export type TrustOptions = {
  readonly keysDir: string;
  /** Host names and addresses for the server certificate, beside localhost and the loopback addresses. */
  readonly names: readonly string[];
  readonly passphrase?: string | undefined;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly timers: Timers;
  readonly log: Log;
};

/** @returns one sentence when there is no authority, a key cannot be read or a file may be read by others. */
export type OpenTrust = (options: TrustOptions) => Promise<Result<Trust>>;
