// Puts the broker's front together: listener, rules, sessions and ingest around one ledger. Apart from
// broker.ts, so that the front runs and is tested with any registry that answers FleetSessions.

import { ok, type Result } from '../protocol/result.ts';
import type { Clock, Timers } from './clock.ts';
import type { Identities } from './identity/types.ts';
import { createCredits } from './ingest/chunk-lane.ts';
import { createIngest } from './ingest/ingest.ts';
import { createPacer, type Pacer } from './ingest/pacer.ts';
import type { Ledger } from './ledger.ts';
import { limitLog } from './log-limit.ts';
import type { FrontIdentities } from './mqtt/admission.ts';
import { Hooks } from './mqtt/hooks.ts';
import type { MqttLimits } from './mqtt/limits.ts';
import { type MqttSecurity, startMqttServer } from './mqtt/server.ts';
import { createSessions } from './mqtt/sessions.ts';
import { createTerminalRates } from './mqtt/terminal-rates.ts';
import type {
  FleetSessions,
  FrontMetrics,
  Log,
  LogIntake,
  OnRefused,
  RefusedReason,
} from './ports.ts';

/** How long after it was resumed a terminal is asked to send again what was not taken, at most. */
const RESUMED_LOOK_MS = 1_000;

export type FrontOptions = {
  readonly host: string;
  readonly port: number;
  readonly limits: MqttLimits;
  /** For the backlog of all terminals together; pace.ts says what it is otherwise. */
  readonly backlogBytesPerSecond?: number;
  readonly ledger: Ledger;
  readonly fleet: FleetSessions;
  /** Without it nobody is revoked or suspended. */
  readonly identities?: (FrontIdentities & Pick<Identities, 'onCut'>) | undefined;
  /** Without it the port speaks plain text. */
  readonly security?: MqttSecurity | undefined;
  readonly onRefused?: OnRefused | undefined;
  readonly logs?: LogIntake;
  /** A terminal listens for commands from now on. */
  readonly onCommandReady: (terminal: string) => void;
  readonly metrics: FrontMetrics;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
};

export type Front = {
  readonly port: number;
  readonly connections: () => number;
  /** @returns whether it was written to the terminal's connection; nothing is queued here. */
  readonly sendCommand: (terminal: string, bytes: Uint8Array) => boolean;
  /** Closes what this terminal has open, at once. @returns whether it had anything. */
  readonly cut: (terminal: string, reason: RefusedReason, sentence: string) => boolean;
  /** Somebody looks at this terminal: for a minute it is asked to send its samples every 15 s. */
  readonly watch: (terminal: string) => void;
  readonly pace: Pacer['figures'];
  /** Commits and answers what has arrived, then closes every connection. */
  readonly stop: () => Promise<void>;
};

export async function startFront(options: FrontOptions): Promise<Result<Front>> {
  const { ledger, fleet, metrics, clock, timers } = options;
  const log = limitLog(options.log, clock);
  const bytesPerSecondMax = options.backlogBytesPerSecond;
  const pacer = createPacer({ ledger, clock, timers, bytesPerSecondMax });
  const credits = createCredits(clock);
  const sessions = createSessions({
    clock,
    logCredits: credits.each,
    pace: pacer.share,
    generation: ledger.generation,
    onOpened: ({ terminal, connection, openedMs }) => {
      log.info('terminal connected', { terminal, address: connection.address });
      fleet.sessionOpened(terminal, { address: connection.address, openedMs });
    },
    onClosed: ({ terminal }, why) => {
      log.info('terminal disconnected', { terminal, why });
      fleet.sessionClosed(terminal, why);
    },
    onCommandReady: options.onCommandReady,
  });
  const ingest = createIngest({
    ledger,
    logs: options.logs,
    clock,
    timers,
    log,
    metrics,
    onOutcome: sessions.acknowledge,
    onCommitted: pacer.committed,
    onChunk: (pull, last) => (last ? credits.ended(pull) : credits.heard(pull)),
    onNotice: (terminal, sentence) => {
      log.warn('a batch cannot be read', { terminal, sentence });
      sessions.notice(terminal, sentence);
    },
  });
  const { host, port, limits, identities, security, onRefused } = options;
  const rates = createTerminalRates(limits.terminal);
  const outside = { host, port, limits, security, clock, timers, log, metrics, onRefused };
  const { isKnown } = fleet;
  const hooks = new Hooks({ ...outside, sessions, ingest, isKnown, identities, rates });
  const server = await startMqttServer({ ...outside, hooks });
  if (!server.ok) {
    pacer.stop();
    return server;
  }
  const cut: Front['cut'] = (terminal, reason, sentence) => {
    metrics.refused(reason);
    const hadSession = sessions.cut(terminal, sentence);
    const hadSocket = server.value.cut(terminal);
    log.warn('cut off', { terminal, reason, sentence, connected: hadSession || hadSocket });
    return hadSession || hadSocket;
  };
  const undo = [identities?.onCut(cut), timers.every(RESUMED_LOOK_MS, hooks.settleResumed)];
  return ok({
    port: server.value.port,
    connections: server.value.connections,
    cut,
    sendCommand: (terminal, bytes) =>
      identities?.isSuspended(terminal) !== true && sessions.sendCommand(terminal, bytes),
    watch: sessions.watch,
    pace: pacer.figures,
    stop: async () => {
      for (const step of undo) step?.();
      pacer.stop();
      ingest.flush();
      for (const session of sessions.list()) sessions.close(session, 'stopping');
      await server.value.stop();
      // Whatever was parsed between the two must not be left to a timer on a closed ledger.
      ingest.flush();
      ingest.close();
    },
  });
}
