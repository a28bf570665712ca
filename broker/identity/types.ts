// Who the terminals are, as the rest of the broker sees it: which certificate is admitted, which terminal may say
// nothing but that it lives, who is cut off, and what operators do about it. The answer to "may it?" is synchronous
// and out of memory, because it is asked in the middle of a handshake; every change is a transaction with its audit
// entry, and whoever has to act on it is told once that is on disk.

import type { Hello } from '../../protocol/hello.ts';
import type { Result } from '../../protocol/result.ts';
import type { RefusedReason } from '../ports.ts';
import type { ClientCertificate } from '../trust/types.ts';

/**
 * `new`: planned, no certificate yet (or all taken back by `replace`). `suspended`: may connect and be seen, its data is
 * not taken and it gets no commands. `revoked` and `retired` are over; a retired one is no part of the fleet any more.
 */
export const IDENTITY_STATES = ['new', 'enrolled', 'suspended', 'revoked', 'retired'] as const;
export type IdentityState = (typeof IDENTITY_STATES)[number];

export type Admission =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: RefusedReason; readonly sentence: string };

/** Two machines that use one identity, or one that was copied; a person has to look at it. */
export type Twin = {
  /**
   * `instances`: two agents take turns. `machine`: another machine than the one that enrolled. `certificate`: one that
   * was renewed away came back.
   */
  readonly sign: 'instances' | 'machine' | 'certificate';
  readonly sinceMs: number;
  readonly sentence: string;
};

export type IdentityView = {
  readonly state: IdentityState;
  /** When and why it came to that, and by whom; empty before anybody did anything. */
  readonly sinceMs: number | undefined;
  readonly by: string;
  readonly reason: string;
  /** Of its newest certificate. */
  readonly serial: string | undefined;
  readonly expiresMs: number | undefined;
  /** The trust document that it said it has; 0: it did not say. */
  readonly trust: number;
  readonly twin: Twin | undefined;
};

export type CutListener = (terminal: string, reason: RefusedReason, sentence: string) => void;

/** Who does it, from the session, and why. */
export type Act = { readonly operator: string; readonly reason: string };

export type EnrolRefusal = {
  readonly ok: false;
  readonly kind: 'invalid' | 'unknown_terminal' | 'conflict' | 'unavailable' | 'too_many';
  readonly reason: string;
};
export type TokenMade = {
  readonly ok: true;
  /** As protocol/enrolment.ts writes it: the only time that its secret is outside of the till. */
  readonly token: string;
  readonly id: string;
  readonly terminal: string;
  readonly store: string;
  readonly expiresMs: number;
};
export type TokenWish = {
  readonly terminal: string;
  readonly store: string;
  readonly minutes?: number | undefined;
  /** It has a certificate: that one goes with the first use of the new token. */
  readonly again?: boolean | undefined;
};
export type Done = { readonly ok: true } | EnrolRefusal;

/** What operators do with a terminal's identity; routes call it (http/identity-routes.ts). */
export type Lifecycle = {
  readonly makeToken: (wish: TokenWish, act: Act) => TokenMade | EnrolRefusal;
  /** All or none; the problems of all rows at once. */
  readonly makeTokens: (
    wishes: readonly TokenWish[],
    act: Act,
  ) => { readonly ok: true; readonly tokens: readonly TokenMade[] } | EnrolRefusal;
  /** Old certificates are taken back at once; same id, new token. */
  readonly replace: (terminal: string, act: Act, minutes?: number) => TokenMade | EnrolRefusal;
  readonly suspend: (terminal: string, act: Act) => Done;
  readonly resume: (terminal: string, act: Act) => Done;
  readonly revoke: (terminal: string, act: Act) => Done;
  readonly retire: (terminal: string, act: Act) => Done;
  readonly move: (terminal: string, store: string, act: Act) => Done;
  /** The machine that it is on now is the right one; ends what is shown as a twin. */
  readonly acceptMachine: (terminal: string, act: Act) => Done;
};

export type Identities = Lifecycle & {
  /** @param client that proved its key in a handshake; its time is judged here. */
  readonly admit: (client: ClientCertificate, nowMs: number) => Admission;
  /** The same where there are no certificates (plainText): refused when it is revoked or retired. */
  readonly mayConnect: (terminal: string) => Admission;
  /** It may connect; its batches are neither committed nor acknowledged, and it gets no commands. */
  readonly isSuspended: (terminal: string) => boolean;
  /** A session of it was admitted: what it says of itself, and where it came from. */
  readonly greeted: (terminal: string, hello: Hello | undefined, address: string) => void;
  /** Told after the commit: its live session has to end now. @returns an undo. */
  readonly onCut: (listener: CutListener) => () => void;
  readonly stateOf: (terminal: string) => IdentityState;
  readonly viewOf: (terminal: string) => IdentityView | undefined;
  readonly counts: () => Readonly<Record<IdentityState, number>>;
  readonly twins: () => number;
  /** Enrolled terminals that did not say yet that they have this trust document. */
  readonly lacking: (version: number) => readonly string[];
  /** Enrolled terminals whose newest certificate is of another authority (fingerprint) than this. */
  readonly issuedByOthers: (authority: string) => readonly string[];
  readonly enrol: (request: unknown, address: string) => Promise<EnrolAnswer>;
  readonly renew: (request: unknown, address: string) => Promise<EnrolAnswer>;
  readonly close: () => void;
};

/** Status and body of an answer over HTTP. */
export type EnrolAnswer = {
  readonly status: 200 | 400 | 403 | 409 | 429 | 503;
  readonly body: Result<object>;
};
