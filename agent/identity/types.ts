// What the agent knows of who it is: its key and certificate, whom it believes, and how long that holds. The rest of the
// agent asks for it here and never reads the files, because they are exchanged while it runs. Without certificates
// (plainText) there is nothing to have but the command keys of the configuration.

import type { KeyObject } from 'node:crypto';
import type { TrustDocument } from '../../protocol/enrolment.ts';
import type { Result } from '../../protocol/result.ts';

/** `wrong`: there is one and it cannot be used, such as a key that others may read. */
export type IdentityState = 'none' | 'ready' | 'wrong';

/** What a TLS connection needs; texts in PEM form. */
export type Credentials = {
  readonly key: string;
  readonly certificate: string;
  /** Only what is issued by one of these is a broker. */
  readonly authorities: readonly string[];
};

/** As its files say it: where to connect and to renew, beside who it is. */
export type Enrolment = {
  readonly credentials: Credentials;
  readonly store: string;
  /** mqtts://HOST:PORT, tried in turn. */
  readonly brokers: readonly string[];
  /** https://HOST:PORT, where to renew. */
  readonly urls: readonly string[];
};

export type AgentIdentity = {
  readonly state: () => IdentityState;
  /** A sentence about the state; empty when all is well. */
  readonly why: () => string;
  /** By key id. Another map when they change; asked for at each use. */
  readonly commandKeys: () => ReadonlyMap<string, KeyObject>;
  /** 0: it has no trust document. */
  readonly trustVersion: () => number;
  /** On disk when it answers. A version that is not newer is none: the same is done already, an older one refused. */
  readonly applyTrust: (document: TrustDocument, renew: boolean) => Result<void>;
  /** Of its own certificate; undefined without one. */
  readonly expiresMs: () => number | undefined;
  /** When its certificate began: it was no earlier than that when it got it. 0 without one. */
  readonly notBeforeMs: () => number;
  /** undefined without one, and in plain text. */
  readonly enrolment: () => Enrolment | undefined;
  /** A new certificate soon, whatever the old one's age. */
  readonly renew: () => void;
  /** A broker refused what looks good here: it may have ended by a clock that is right. */
  readonly doubted: () => void;
  /** Called after something of the above has changed. */
  readonly onChange: (listener: () => void) => void;
  readonly stop: () => void;
};
