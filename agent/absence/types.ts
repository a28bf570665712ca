// The words of an absence: a time without the broker, what was seen of the network during it, and what of it is
// kept on disk so that neither a new agent nor a power cut takes the beginning away.

import type { AwayReason } from '../../protocol/events.ts';

/** How a connection failed, as far as the link itself can tell. */
export type Failure = 'name' | 'refused' | 'network' | 'silent' | 'unreachable';

/** What the machine knows of its network; undefined: cannot be told here. */
export type Look = {
  /** An interface other than loopback has a carrier. */
  readonly carrier: boolean | undefined;
  /** There is a way out: a default route over an interface with a carrier. */
  readonly route: boolean | undefined;
  /** Whether the next machine on the way answers. */
  readonly gateway: 'reached' | 'silent' | 'unknown';
};
export const NO_LOOK: Look = { carrier: undefined, route: undefined, gateway: 'unknown' };

export type Parts = Readonly<Partial<Record<AwayReason, number>>>;

/** Of the agent before this one, where nobody measured. */
export type Gap = 'agent_stopped' | 'power';

/** Times since boot count sleep and belong to one boot; broker time belongs to all of them. */
export type Away = {
  /** When it began: by the broker's time where that was known, and since boot if in this one. */
  readonly fromBrokerMs: number | undefined;
  readonly fromBootMs: number | undefined;
  /** What was measured, up to `reachedBootMs`. */
  readonly parts: Parts;
  readonly reachedBootMs: number;
  /** What nobody measured belongs to it. */
  readonly gap: Gap | undefined;
  readonly reason: AwayReason;
  /** The last sentence that belongs to each reason. */
  readonly sentences: Readonly<Partial<Record<AwayReason, string>>>;
};

/** All that is known between two looks. `contactBootMs`: undefined before the broker was ever reached. */
export type AbsenceModel = {
  readonly isReached: boolean;
  readonly contactBootMs: number | undefined;
  /** A session is open, but the broker has not acknowledged anything in it. */
  readonly upBootMs: number | undefined;
  readonly away: Away | undefined;
  /** The network was needed and there when the broker was reached: only then is it to blame. */
  readonly isNetworked: boolean;
};

/** Now, on the clocks that count. `brokerMs`: undefined while its time is not known. */
export type Now = {
  readonly bootMs: number;
  readonly brokerMs: number | undefined;
};

export type AbsenceEvent =
  /** Subscribed; proves little. */
  | { readonly kind: 'up' }
  /** The broker acknowledged something, and its time is known. */
  | { readonly kind: 'acknowledged'; readonly look: Look }
  | {
      readonly kind: 'down';
      readonly failure: Failure;
      readonly sentence: string;
      readonly look: Look;
    }
  /** Looked again while it is down. */
  | { readonly kind: 'looked'; readonly look: Look }
  /** The machine slept for so long until now. */
  | { readonly kind: 'slept'; readonly ms: number };

/** An absence that is over. */
export type Told = {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly why: AwayReason;
  readonly parts: Parts;
  readonly reason: string;
};
