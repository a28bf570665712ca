// Puts the broker's front together: listener, rules, sessions and ingest around one ledger. Apart from
// broker.ts, so that the front runs and is tested with any registry that answers FleetSessions.

import { ok, type Result } from '../protocol/result.ts';
import type { Clock, Timers } from './clock.ts';
import { createIngest } from './ingest/ingest.ts';
import { createPacer, type Pacer } from './ingest/pacer.ts';
import type { Ledger } from './ledger.ts';
import { limitLog } from './log-limit.ts';
import { Hooks } from './mqtt/hooks.ts';
import type { MqttLimits } from './mqtt/limits.ts';
import { startMqttServer } from './mqtt/server.ts';
import { createSessions } from './mqtt/sessions.ts';
import type { FleetSessions, FrontMetrics, Log, LogIntake } from './ports.ts';

export type FrontOptions = {
  readonly host: string;
  readonly port: number;
  readonly limits: MqttLimits;
  /** For the backlog of all terminals together; pace.ts says what it is otherwise. */
  readonly backlogBytesPerSecond?: number;
  readonly ledger: Ledger;
  readonly fleet: FleetSessions;
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
  const sessions = createSessions({
    clock,
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
    onNotice: (terminal, sentence) => {
      log.warn('a batch cannot be read', { terminal, sentence });
      sessions.notice(terminal, sentence);
    },
  });
  const hooks = new Hooks({ sessions, ingest, isKnown: fleet.isKnown, metrics, log });
  const { host, port, limits } = options;
  const outside = { host, port, limits, clock, timers, log, metrics };
  const server = await startMqttServer({ ...outside, hooks });
  if (!server.ok) {
    pacer.stop();
    return server;
  }
  return ok({
    port: server.value.port,
    connections: server.value.connections,
    sendCommand: sessions.sendCommand,
    watch: sessions.watch,
    pace: pacer.figures,
    stop: async () => {
      pacer.stop();
      ingest.flush();
      for (const session of sessions.list()) sessions.close(session, 'stopping');
      await server.value.stop();
      // Whatever was parsed between the two must not be left to a timer on a closed ledger.
      ingest.flush();
    },
  });
}
