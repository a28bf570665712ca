// What the rest of the till sees of any device, in UnifiedPOS terms, and what a driver must bring along.
// The life cycle is the standard's: open, claim, enable, use, disable, release, close; a call out of order
// is refused with the standard's code. Drivers know bytes and nothing of ports, retries or restarts.

import type { Conversation, Reader } from '../transports/conversation.ts';
import type { Look } from './machine.ts';
import type {
  CheckLevel,
  DeviceClass,
  DeviceState,
  ErrorCode,
  PowerState,
  Statistic,
} from './upos.ts';

export type Called = { readonly ok: true } | { readonly ok: false; readonly code: ErrorCode };
export const calledOf = ({ refused }: { readonly refused?: ErrorCode | undefined }): Called =>
  refused === undefined ? { ok: true } : { ok: false, code: refused };
export type Health = {
  readonly level: CheckLevel;
  readonly ok: boolean;
  /** For a person. */
  readonly text: string;
};
/** Where a present trouble comes from; three different people take care of them. */
export type Trouble = {
  readonly code: ErrorCode;
  readonly said: 'by the device' | 'of the connection';
  readonly text: string;
};
export type Facts = {
  readonly name: string;
  readonly class: DeviceClass;
  readonly claimed: boolean;
  readonly enabled: boolean;
  readonly state: DeviceState;
  readonly power: PowerState;
  readonly trouble: Trouble | undefined;
  readonly errors: ReadonlyMap<ErrorCode, number>;
  readonly reopened: number;
  readonly probeSeconds: number | undefined;
  readonly statistics: Readonly<Partial<Record<Statistic, number>>>;
};

export type Device = {
  readonly name: string;
  readonly open: () => Called;
  readonly claim: () => Called;
  readonly enable: () => Called;
  readonly disable: () => Promise<Called>;
  readonly release: () => Promise<Called>;
  readonly close: () => Promise<Called>;
  /** Its connection is closed and made anew; the device is looked at over the new one. */
  readonly reopen: () => Promise<Health>;
  readonly checkHealth: (level: CheckLevel) => Promise<Health>;
  readonly facts: () => Facts;
  /** There is something new to do. */
  readonly wake: () => void;
};

/** `did`: something was done and there may be more. `look`: what was learned of the device on the way. */
export type Work = { readonly did: boolean; readonly look?: Look };

/** Counts by the standard's names; the driver adds to it. */
export type Count = (what: Statistic, by?: number) => void;

export type Tools = {
  readonly count: Count;
  /** The state changed by itself, in the middle of work. */
  readonly report: (look: Look) => void;
};

export type Driver<M> = {
  readonly class: DeviceClass;
  /** A new one for each connection. */
  readonly reader: () => Reader<M>;
  /** Everything that the device says, asked or not. */
  readonly heard: (message: M) => void;
  readonly attached?: (talk: Conversation<M>) => Promise<void>;
  /** At each turn, reachable or not, before anything else. */
  readonly tick?: (talk: Conversation<M> | undefined, tools: Tools) => Promise<void>;
  /** INTERNAL: how the device is. Without side effects. */
  readonly look: (talk: Conversation<M>, tools: Tools) => Promise<Look>;
  /** What the device holds in its buffers goes, also when it hangs in the middle of an image. */
  readonly clear?: (talk: Conversation<M>) => Promise<void>;
  /** @param blindly the device does not answer; what can be done without answers is done. */
  readonly work?: (talk: Conversation<M>, tools: Tools, blindly: boolean) => Promise<Work>;
  /** EXTERNAL: something that a person beside the device notices. @returns what they should see. */
  readonly exercise?: () => Promise<Health>;
  readonly idlePollMs: number;
};
