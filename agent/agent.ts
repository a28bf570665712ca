// One agent: takes the run directory for itself, takes over what still runs, starts the rest, and reports.
// Everything is opened in an order in which nothing can be lost: lock, log, outbox, channel, adoption, then
// starts; and closed in the opposite one. Components are left running unless the configuration or the
// caller says otherwise, because an agent that ends is no reason to stop selling.

import { hostname, release, type as systemName } from 'node:os';
import { join } from 'node:path';
import { keyIdOf, parsePublicKey } from '../protocol/commands.ts';
import type { NewEvent } from '../protocol/events.ts';
import { ok, type Result } from '../protocol/result.ts';
import type { Hands } from './act.ts';
import { type Alive, createAlive } from './alive.ts';
import { type ChannelServer, openChannel } from './channel/server.ts';
import { type Commands, openCommands } from './commands.ts';
import { type AgentConfig, socketPath } from './config.ts';
import { NO_COUNTS, redactFields } from './logs/redact/index.ts';
import { type Overrides, openRooms, type Rooms, takeFolders } from './rooms.ts';
import { Supervisor } from './supervisor.ts';
import { socketFiles, writeDurably } from './system/disk.ts';
import { realPorts } from './system.ts';
import { openUplink, type Uplink } from './uplink.ts';
import { AGENT_VERSION } from './version.ts';
import { createControl } from './watchdog/control.ts';

export type Agent = {
  /** Ends it; `components` is what the configuration says unless given. Safe to call twice. */
  readonly stop: (reason: string, components?: AgentConfig['onExit']) => Promise<void>;
  /** Resolves with the reason when it has ended, whoever wanted that. */
  readonly ended: Promise<string>;
};

/** What a component inherits of the agent's environment; everything else is configured. */
const INHERITED = ['PATH', 'HOME', 'LANG', 'TZ'] as const;
/** Once a second: what the disk has to know, and what it must not be filled with. */
const KEEP_EVERY_SWEEPS = 4;
/** A thousand commands with their reasons fit in this. */
const COMMANDS_BYTES_MAX = 2 * 1024 * 1024;

class RunningAgent implements Agent {
  readonly ended: Promise<string>;
  readonly #rooms: Rooms;
  readonly #supervisor: Supervisor;
  readonly #commands: Commands;
  readonly #alive: Alive;
  readonly #parentPid = process.ppid;
  #channel: ChannelServer | undefined;
  #uplink: Uplink | undefined;
  #ending: Promise<void> | undefined;
  #resolveEnded: (reason: string) => void = () => undefined;
  #sweeps = 0;

  constructor(rooms: Rooms) {
    this.#rooms = rooms;
    this.ended = new Promise((done) => {
      this.#resolveEnded = done;
    });
    const { config, budgets, counters } = rooms;
    this.#supervisor = new Supervisor({
      config,
      hands: this.#hands(),
      remembered: (name) => ({
        seed: Math.floor(rooms.ports.random() * 2 ** 31),
        restarts: budgets.restored(name),
        rested: budgets.rested(name),
      }),
      restarts: (name) => counters.restarts(name),
      onSweep: () => this.#onSweep(),
      onSwept: () => this.#alive.swept(),
    });
    this.#alive = createAlive({
      ...{ ...rooms.ports, environment: rooms.environment, log: rooms.log },
      ...{ runDir: config.runDir, watchdogDevice: config.watchdogDevice },
      status: () => this.#status(),
    });
    this.#commands = this.#openCommands();
    rooms.pulls.start((...end) => this.#commands.done(...end));
  }

  #hands(): Omit<Hands, 'push'> {
    const { config, ports, log, counters, output, environment, outbox, redactions } = this.#rooms;
    const inherited = INHERITED.flatMap((name) => {
      const value = environment[name];
      return value === undefined ? [] : [[name, value] as const];
    });
    return {
      ports,
      log,
      control: createControl({ runDir: config.runDir, ports, log }),
      socketPath: socketPath(config.runDir),
      inherited: Object.fromEntries(inherited),
      logFileOf: output.fileOf,
      send: (component, message) => this.#channel?.send(component, message) ?? false,
      report: (event) => {
        // What a component says of itself, and its last lines, leave the terminal here.
        const { value, counts } = redactFields(event.fields);
        if (counts !== NO_COUNTS) redactions.add('event', counts);
        outbox.addEvent({ ...event, fields: value } as NewEvent);
      },
      countRestart: (component, cause) => counters.count(component, cause),
      commandDone: (command, succeeded, reason) => this.#commands.done(command, succeeded, reason),
      changed: () => this.#saveBudgets(),
      started: ({ name, life }) => output.tidy(name, life?.logFile),
    };
  }

  #openCommands(): Commands {
    const { config, ports, log, outbox, pulls } = this.#rooms;
    const keys = config.trust.commandKeys.flatMap((text) => {
      const parsed = parsePublicKey(text);
      return parsed.ok ? [[keyIdOf(text), parsed.value.key] as const] : [];
    });
    return openCommands({
      path: join(config.dataDir, 'commands.json'),
      terminal: config.terminal,
      keys: new Map(keys),
      components: new Set(config.components.map(({ name }) => name)),
      nowMs: () => outbox.time.nowMs(),
      isTimeKnown: () => outbox.time.known(),
      read: (path) => ports.files.read(path, COMMANDS_BYTES_MAX),
      write: writeDurably,
      log,
      addResult: (result) => outbox.addResult(result),
      resumed: pulls.resumed,
      run: (command) => {
        if (command.kind === 'logs') {
          pulls.begin(command);
          return;
        }
        if (command.kind === 'drill') {
          this.#commands.done(command.id, false, 'drills are not run by this version yet');
          return;
        }
        const reason = `${command.operator} asked for it: ${command.reason}`;
        this.#supervisor.restart(command.arguments.component, reason, command.id);
      },
    });
  }

  async begin(): Promise<Result<Agent>> {
    const { config, log, ports } = this.#rooms;
    const adopted = await this.#supervisor.adoptAll();
    const channel = await openChannel({
      path: socketPath(config.runDir),
      timers: ports.timers,
      files: socketFiles,
      log,
      expected: (component) => this.#supervisor.expected(component),
      onEvent: (event) => this.#supervisor.hear(event),
    });
    if (!channel.ok) {
      await this.#close();
      return channel;
    }
    this.#channel = channel.value;
    this.#introduce(adopted);
    this.#supervisor.begin();
    this.#uplink = openUplink(this.#rooms, {
      readComponents: () => this.#supervisor.readings(),
      loopStats: () => this.#supervisor.loopStats(),
      channelRejected: () => this.#channel?.rejected() ?? {},
      commandCounts: () => this.#commands.counts(),
      onCommand: (bytes) => this.#commands.receive(bytes),
    });
    this.#alive.begun();
    return ok(this);
  }

  /** For `systemctl status`. */
  #status(): string {
    const all = this.#supervisor.readings();
    const ready = all.filter(({ state }) => state === 'ready').length;
    return `${ready} of ${all.length} components ready`;
  }

  /** Who is here now; what was left running is named, so that nobody takes this for a restart of it. */
  #introduce(adopted: readonly string[]): void {
    const { config, log, ports } = this.#rooms;
    const node = process.versions.node;
    const bootId = ports.clock.bootId();
    log.info('agent started', { version: AGENT_VERSION, node, pid: process.pid, adopted });
    this.#report('agent_started', { version: AGENT_VERSION, node, bootId, adopted: [...adopted] });
    this.#report('inventory', {
      agent: AGENT_VERSION,
      os: `${systemName()} ${release()}`,
      hostname: hostname(),
      components: config.components.map(({ name, version }) => ({ name, version })),
    });
  }

  #report<K extends NewEvent['kind']>(
    kind: K,
    fields: Extract<NewEvent, { kind: K }>['fields'],
  ): void {
    this.#rooms.outbox.addEvent({ kind, component: '', fields } as NewEvent);
  }

  #onSweep(): void {
    const { config } = this.#rooms;
    this.#sweeps += 1;
    this.#commands.judgeWaiting();
    if (this.#sweeps % KEEP_EVERY_SWEEPS === 0) this.#keepHouse();
    // Whoever wanted the components to end with the agent wants them to end with what started it too.
    if (config.onExit === 'stop' && process.ppid !== this.#parentPid) {
      void this.stop('its parent process is gone');
    }
  }

  #keepHouse(): void {
    const { config, counters, output, ports } = this.#rooms;
    counters.save();
    for (const { name } of config.components) {
      output.tidy(name, this.#supervisor.openOutput(name));
    }
    ports.files.makeDirectory(config.runDir, 0o700);
    this.#channel?.keep();
  }

  #saveBudgets(): void {
    this.#rooms.budgets.save(this.#supervisor.remains());
  }

  stop(reason: string, components = this.#rooms.config.onExit): Promise<void> {
    this.#ending ??= this.#end(reason, components);
    return this.#ending;
  }

  async #end(reason: string, components: AgentConfig['onExit']): Promise<void> {
    const { log } = this.#rooms;
    log.info(`agent ends: ${reason}`, { components });
    this.#alive.stopping();
    if (components === 'stop') {
      const left = await this.#supervisor.stopAll(`the agent ends: ${reason}`);
      if (left.length > 0) log.error('components that did not end', { components: left });
    }
    this.#report('agent_stopping', { reason, left: this.#supervisor.alive() });
    await this.#close();
    this.#resolveEnded(reason);
  }

  async #close(): Promise<void> {
    const { counters, outbox, log, locks, pulls } = this.#rooms;
    await this.#uplink?.stop();
    pulls.stop();
    this.#supervisor.end();
    await this.#channel?.close();
    counters.save();
    this.#saveBudgets();
    outbox.close();
    // Last of all: until here a hang of the agent is still the machine's watchdog's to end.
    this.#alive.ended();
    await log.end();
    for (const release of locks) release();
  }
}

/**
 * @param config as loadConfig made it.
 * @returns the running agent, or a sentence: the folders are taken or cannot be used.
 */
export async function startAgent(
  config: AgentConfig,
  overrides: Overrides = {},
): Promise<Result<Agent>> {
  const locks = await takeFolders(config, overrides.ports ?? realPorts());
  if (!locks.ok) return locks;
  return new RunningAgent(openRooms(config, locks.value, overrides)).begin();
}
