// What an agent answers to somebody who stands at its till and asks over the control socket: the view of `tillwatch
// status`. Here and not in agent/, because the command line reads it and imports nothing of the agent; and checked
// when it is read, because the two may be of different versions. Durations end now, so that no clock matters.

import * as v from 'valibot';
import { CONFIGURATION_STATES } from './event-kinds.ts';
import { CAUSES, COMPONENT_STATES, MODES, RUNGS } from './events.ts';

/** The socket's name in the run directory. */
export const CONTROL_SOCKET = 'control.sock';
export const RUN_DIR_DEFAULT = '/run/tillwatch';

const ms = v.pipe(v.number(), v.minValue(0));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));

export const holdSchema = v.object({
  reason: v.string(),
  by: v.string(),
  leftMs: ms,
  /** Wall clock of the till. */
  untilMs: v.number(),
});

/** Who the terminal is to its broker. */
export const tillIdentitySchema = v.object({
  state: v.picklist(['plain_text', 'none', 'ready', 'wrong']),
  /** A sentence where it is not well. */
  why: v.string(),
  /** Less than 0: it is over. */
  endsInMs: v.optional(v.number()),
  /** Version of what it trusts. */
  trust: v.optional(count),
});

/** The document of the fleet that is in force. */
export const tillConfigurationSchema = v.object({
  state: v.picklist(CONFIGURATION_STATES),
  name: v.optional(v.string()),
  version: v.optional(count),
  sha256: v.optional(v.string()),
  overridden: v.optional(v.boolean()),
  /** How long it has been on trial, by agents of this process's life. */
  triedMs: v.optional(ms),
  /** What became of the last one that was tried and left. */
  left: v.optional(v.object({ name: v.string(), version: count, reason: v.string() })),
});

export const tillComponentSchema = v.object({
  name: v.string(),
  version: v.string(),
  state: v.picklist(COMPONENT_STATES),
  /** How long it has been in this state, and why. */
  forMs: ms,
  reason: v.string(),
  mode: v.picklist(MODES),
  pid: v.optional(count),
  /** Work that forbids planned restarts. */
  busy: v.boolean(),
  /** By an operator, until somebody starts it. */
  stopped: v.optional(v.object({ by: v.string(), reason: v.string() })),
  incident: v.optional(v.object({ id: v.string(), cause: v.picklist(CAUSES), reason: v.string() })),
  /** How often each rung may still be used now. */
  left: v.array(v.object({ rung: v.picklist(RUNGS), times: count, of: count })),
});

export const tillSchema = v.object({
  terminal: v.string(),
  agent: v.string(),
  pid: count,
  upMs: ms,
  /** Not told by agents before 0.6. */
  identity: v.optional(tillIdentitySchema),
  /** How it stands with its broker, what waits to be sent and its clock. */
  link: v.optional(
    v.object({
      connected: v.boolean(),
      connects: count,
      /** Why the last connection ended or was not made; empty while it works. */
      reason: v.string(),
    }),
  ),
  outbox: v.optional(
    v.object({
      /** It is on the disk and not only in memory. */
      durable: v.boolean(),
      bytes: count,
      /** Sealed and not acknowledged. */
      batches: count,
      waiting: count,
      /** Given up since the agent began, of all kinds. */
      dropped: count,
      deadLetters: count,
      damaged: count,
    }),
  ),
  /** `offsetMs`: what is added to its own clock, once the broker's is known. */
  clock: v.optional(v.object({ known: v.boolean(), offsetMs: v.optional(v.number()) })),
  hold: v.optional(holdSchema),
  /** What it runs under; not told by agents before 0.8. */
  configuration: v.optional(tillConfigurationSchema),
  disk: v.string(),
  /** What the recovery plan does at this moment, if anything. */
  operation: v.optional(
    v.object({ component: v.string(), rung: v.picklist(RUNGS), phase: v.string() }),
  ),
  /** A drill that is under way: what is broken is broken on purpose. */
  drill: v.optional(v.object({ fault: v.string(), component: v.string() })),
  components: v.array(tillComponentSchema),
});

export type TillIdentity = v.InferOutput<typeof tillIdentitySchema>;
export type TillComponent = v.InferOutput<typeof tillComponentSchema>;
export type TillAnswer = v.InferOutput<typeof tillSchema>;
