// Joins the deeds of the watchdog to the rooms of the agent: where events, counters, budgets and answers of commands
// go. Only wiring; it stands apart so that agent.ts reads as the course of one agent's life.

import { join } from 'node:path';
import { socketPath } from '../configuration/config.ts';
import type { Command } from '../protocol/commands.ts';
import type { NewEvent } from '../protocol/events.ts';
import { NO_COUNTS, redactFields } from '../redact/index.ts';
import type { ToComponent } from './channel/messages.ts';
import { type Commands, openCommands } from './commands.ts';
import type { Hands } from './hands.ts';
import { createHooks } from './hooks.ts';
import type { Rooms } from './rooms.ts';
import { emptyOver, writeDurably } from './system/disk.ts';
import { withTrace } from './telemetry/spans.ts';
import { createControls } from './watchdog/controls.ts';

/** What a component inherits of the agent's environment; everything else is configured. */
const INHERITED = ['PATH', 'HOME', 'LANG', 'TZ'] as const;
/** A thousand commands with their reasons fit in this. */
const COMMANDS_BYTES_MAX = 4 * 1024 * 1024;

/** What only the running agent knows. */
export type Wires = Pick<Hands, 'commandDone' | 'changed' | 'remember' | 'started' | 'askStack'> & {
  readonly send: (component: string, message: ToComponent) => boolean;
  /** What was reported of components, for whoever looks on. */
  readonly told: (event: NewEvent) => void;
};

/** What a component says of itself, and its last lines, leave the terminal here. */
export function reporter({ outbox, redactions }: Rooms): (event: NewEvent) => void {
  return (event) => {
    const { value, counts } = redactFields(event.fields);
    if (counts !== NO_COUNTS) redactions.add('event', counts);
    outbox.addEvent({ ...event, fields: value } as NewEvent);
  };
}

/** Of a till whose document was damaged nobody knows what is meant to run: what runs is left alone. */
function sparing({ configuration, log }: Rooms, control: Hands['control']): Hands['control'] {
  if (configuration?.isLess !== true) return control;
  const retireOthers = async (): Promise<void> =>
    log.error('a configuration was damaged: what runs and is not configured is left alone');
  return { ...control, retireOthers };
}

export function handsFor(rooms: Rooms, wires: Wires): Omit<Hands, 'push'> {
  const { config, ports, log, counters, output, environment, ring, spans } = rooms;
  const { runDir, dataDir } = config;
  const { told, ...rest } = wires;
  const report = reporter(rooms);
  const options = { runDir, dataDir, ports, log };
  const inherited = INHERITED.flatMap((name): (readonly [string, string])[] => {
    const value = environment[name];
    return value === undefined ? [] : [[name, value]];
  });
  // Many tills share one document of the fleet's configuration: which of them it is, a component finds here.
  inherited.push(['TILLWATCH_TERMINAL', config.terminal]);
  return {
    ...rest,
    ports,
    log,
    ring,
    control: sparing(rooms, createControls(config, Object.fromEntries(inherited), options)),
    hooks: createHooks({ runDir, ports, log, bound: emptyOver }),
    socketPath: socketPath(runDir),
    inherited: Object.fromEntries(inherited),
    logFileOf: output.fileOf,
    mayClimb: () => rooms.configuration?.isOnTrial !== true,
    lastWords: rooms.intake.words,
    outputTail: (path) => rooms.intake.shadows.over(path),
    report: (event) => {
      report(withTrace(event));
      spans.told(event);
      counters.hear(event);
      told(event);
    },
    countRestart: (component, cause, version) => counters.count(component, cause, version),
    countRecovery: (component, rung, cause) => counters.countLadder(component, 'used', rung, cause),
    countOutcome: (component, rung, held) =>
      counters.countLadder(component, 'outcomes', rung, held ? 'held' : 'failed'),
    countSuppressed: (component, rung, cause) =>
      counters.countLadder(component, 'suppressed', rung, cause),
  };
}

/** @param impossible why a command cannot be obeyed here at all. */
export function commandsFor(
  rooms: Rooms,
  run: (command: Command) => void,
  impossible: (command: Command) => string | undefined = () => undefined,
): Commands {
  const { config, ports, log, outbox, pulls, spans, identity } = rooms;
  const { clock } = ports;
  const { commands, restartsPerHour, rebootsPerHour } = config.bounds;
  const report = reporter(rooms);
  return openCommands({
    path: join(config.dataDir, 'commands.json'),
    terminal: config.terminal,
    keys: () => identity.commandKeys(),
    pastMs: () => identity.notBeforeMs(),
    components: new Set(config.components.map(({ name }) => name)),
    bounds: {
      kinds: new Set(commands),
      perHour: { restarts: restartsPerHour, reboots: rebootsPerHour },
      components: config.components.length,
    },
    uptime: () => ({ bootId: clock.bootId(), bootMs: clock.bootMs() }),
    monotonicMs: clock.monotonicMs,
    wallMs: clock.wallMs,
    nowMs: () => outbox.time.nowMs(),
    isTimeKnown: () => outbox.time.known(),
    read: (path) => ports.files.read(path, COMMANDS_BYTES_MAX),
    write: writeDurably,
    log,
    addResult: (result) => outbox.addResult(result),
    report,
    trace: spans.command,
    resumed: new Set([...pulls.resumed, ...(rooms.configuration?.resumed() ?? [])]),
    impossible,
    run,
  });
}
