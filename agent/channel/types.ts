// What the agent's end of the component channel takes and gives, apart from the socket work in server.ts: what a
// component said or did, what the socket needs of the file system, and what may be asked of it.

import type { Result } from '../../protocol/result.ts';
import type { Log, Timers } from '../ports.ts';
import type { Expected, Said } from './admission.ts';
import type { StackAnswer } from './ask.ts';
import type { ToComponent } from './messages.ts';

export type ChannelEvent =
  | { readonly kind: 'connected'; readonly component: string; readonly instance: string }
  | { readonly kind: 'disconnected'; readonly component: string; readonly instance: string }
  /** Its words have waited in its socket, because it speaks too fast. */
  | { readonly kind: 'delayed'; readonly component: string; readonly instance: string }
  | {
      readonly kind: 'said';
      readonly component: string;
      readonly instance: string;
      readonly message: Said;
    };

/** What the socket needs of the file system; system.ts has the real one. */
export type SocketFiles = {
  /** Takes away a socket that nobody listens on. @returns why not, when something else is there. */
  readonly removeSocket: (path: string) => Result<void>;
  readonly isSocket: (path: string) => boolean;
  /** Mode 0600, or as wide as components that are users of their own need it. */
  readonly ownerOnly: (path: string) => void;
};

export type ChannelOptions = {
  readonly path: string;
  readonly timers: Timers;
  readonly files: SocketFiles;
  readonly log: Log;
  readonly expected: (component: string) => Expected | undefined;
  readonly onEvent: (event: ChannelEvent) => void;
};

export type ChannelServer = {
  /** To the main connection of the component's present instance. @returns whether there is one. */
  readonly send: (component: string, message: ToComponent) => boolean;
  /**
   * What the main thread is doing, by the witness of its process; undefined: there is none, or it says nothing
   * within WITNESS_WAIT_MS_MAX. One question at a time: who asks meanwhile gets the same answer.
   */
  readonly askStack: (component: string) => Promise<StackAnswer | undefined>;
  readonly rejected: () => Readonly<Record<string, number>>;
  /** Listens anew if somebody has removed the socket: who cleans /run must not make the agent deaf. */
  readonly keep: () => void;
  readonly close: () => Promise<void>;
};
