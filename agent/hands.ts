// What the deeds are done with: everything that act.ts, launch.ts and recover.ts need of the world, in one type, so
// that a test can bring its own. Made in agent.ts.

import type { Cause, NewEvent, Rung } from '../protocol/events.ts';
import type { StackAnswer } from './channel/ask.ts';
import type { ToComponent } from './channel/messages.ts';
import type { Component } from './component.ts';
import type { Ring } from './evidence/ring.ts';
import type { Hooks } from './hooks.ts';
import type { Log, Ports } from './ports.ts';
import type { Control } from './watchdog/control.ts';
import type { ComponentEvent } from './watchdog/model.ts';
import type { ReadTail } from './watchdog/probes-log.ts';

export type Hands = {
  readonly ports: Ports;
  readonly log: Log;
  readonly control: Control;
  readonly hooks: Hooks;
  readonly socketPath: string;
  /** PATH, HOME, LANG and TZ of the agent: all that a component inherits. */
  readonly inherited: Readonly<Record<string, string>>;
  readonly logFileOf: (component: string, instance: string) => string;
  /** The newest lines that were printed there, wherever they lie by now; `now` waits for no disk. */
  readonly lastWords?: {
    readonly now: (component: string, path: string) => readonly string[];
    readonly soon: (component: string, path: string) => Promise<readonly string[]>;
  };
  /** As a probe reads output that is taken away behind it. */
  readonly outputTail?: (path: string) => ReadTail;
  readonly send: (component: string, message: ToComponent) => boolean;
  /** Of the main thread, from the component's witness. */
  readonly askStack: (component: string) => Promise<StackAnswer | undefined>;
  /** Where bundles of evidence stay. */
  readonly ring: Ring;
  /** Asked each time: whether what fails may take others along. */
  readonly mayClimb: () => boolean;
  readonly push: (component: string, event: ComponentEvent) => void;
  readonly report: (event: NewEvent) => void;
  /** @param version of what was restarted. */
  readonly countRestart: (component: string, cause: Cause, version: string) => void;
  readonly countRecovery: (component: string, rung: Rung, cause: Cause) => void;
  readonly countOutcome: (component: string, rung: Rung, held: boolean) => void;
  readonly countSuppressed: (component: string, rung: Rung, cause: Cause) => void;
  readonly commandDone: (command: string, ok: boolean, reason: string) => void;
  /** The model changed in what the next agent of this boot should know. */
  readonly changed: (component: string) => void;
  /** The uses of rungs changed: what any later agent should know. */
  readonly remember: (component: string) => void;
  readonly started: (component: Component) => void;
};

export const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
