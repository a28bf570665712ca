// One agent: takes the run directory for itself, takes over what still runs, starts the rest, and reports.
// Everything is opened in an order in which nothing can be lost: lock, log, outbox, channel, adoption, then
// starts; and closed in the opposite one. Components are left running unless the configuration or the
// caller says otherwise, because an agent that ends is no reason to stop selling.

import { type AgentConfig, socketPath } from '../configuration/config.ts';
import type { NewEvent } from '../protocol/events.ts';
import { ok, type Result } from '../protocol/result.ts';
import type { TillAnswer } from '../protocol/till.ts';
import { type Alive, createAlive } from './alive.ts';
import { AtTill } from './at-till.ts';
import { type ChannelServer, openChannel } from './channel/server.ts';
import type { Commands } from './commands.ts';
import { DeedOffice } from './deeds/office.ts';
import type { DrillDesk } from './drill/desk.ts';
import { drillsAtTill, openDrills } from './drill/open.ts';
import type { Hold } from './hold.ts';
import { openHold } from './holding.ts';
import { Introduction } from './introduction.ts';
import { type Overrides, openRooms, type Rooms, takeFolders } from './rooms.ts';
import { Supervisor } from './supervisor.ts';
import { channelFiles } from './system/disk.ts';
import { realPorts } from './system.ts';
import { tillFacts } from './till-facts.ts';
import { statusLine, tillView } from './till-view.ts';
import { openUplink, type Uplink } from './uplink.ts';
import { AGENT_VERSION } from './version.ts';
import { commandsFor, handsFor, reporter, type Wires } from './wiring.ts';
import { within } from './within.ts';

export type Agent = {
  /** Ends it; `components` is what the configuration says unless given. Safe to call twice. */
  readonly stop: (reason: string, components?: AgentConfig['onExit']) => Promise<void>;
  /** Resolves with the reason when it has ended, whoever wanted that. */
  readonly ended: Promise<string>;
  /** Whether the process is to begin anew, under another configuration. */
  readonly again: () => boolean;
};

/** The agent does not wait longer for its disk when it ends. */
const KEPT_MS_MAX = 2_000;
/** Once a second: what the disk has to know, and what it must not be filled with. */
const KEEP_EVERY_SWEEPS = 4;

class RunningAgent implements Agent {
  readonly ended: Promise<string>;
  readonly #rooms: Rooms;
  readonly #supervisor: Supervisor;
  readonly #introduction: Introduction;
  readonly #drills: DrillDesk;
  readonly #commands: Commands;
  readonly #deeds: DeedOffice;
  readonly #alive: Alive;
  readonly #hold: Hold;
  readonly #atTill: AtTill;
  readonly #begunAt: number;
  readonly #parentPid = process.ppid;
  #channel: ChannelServer | undefined;
  #uplink: Uplink | undefined;
  #ending: Promise<void> | undefined;
  #resolveEnded: (reason: string) => void = () => undefined;
  #sweeps = 0;
  #isAgain = false;

  constructor(rooms: Rooms) {
    this.#rooms = rooms;
    this.#begunAt = rooms.ports.clock.monotonicMs();
    this.ended = new Promise((done) => {
      this.#resolveEnded = done;
    });
    const { config, budgets, counters, ladder } = rooms;
    const hands = handsFor(rooms, this.#wires());
    this.#supervisor = new Supervisor({
      config,
      hands,
      remembered: (name) => ({
        seed: Math.floor(rooms.ports.random() * 2 ** 31),
        restarts: rooms.configuration?.isFresh(name) ? [] : budgets.restored(name),
        rested: rooms.configuration?.isToRunAgain(name) ? undefined : budgets.rested(name),
        uses: ladder.restored(name),
      }),
      counted: (name, version) => counters.counted(name, version),
      ledger: ladder,
      isStopped: rooms.stopped.has,
      onSweep: () => this.#onSweep(),
      onSwept: () => this.#alive.swept(),
      onStep: (component, event, effects, ...rest) => {
        this.#drills?.step(component, event, effects);
        rooms.spans.step(component, event, effects, ...rest);
      },
    });
    rooms.spans.listen(this.#supervisor.components());
    this.#introduction = new Introduction(rooms, () => this.#supervisor.components());
    this.#alive = createAlive({
      ...{ ...rooms.ports, environment: rooms.environment, log: rooms.log },
      ...{ runDir: config.runDir, watchdogDevice: config.watchdogDevice },
      status: () => statusLine(this.#supervisor.components()),
    });
    this.#hold = openHold(rooms, () => this.#supervisor);
    this.#atTill = new AtTill({
      ...{ runDir: config.runDir, timers: rooms.ports.timers, log: rooms.log, hold: this.#hold },
      view: () => this.#view(),
    });
    this.#drills = openDrills(rooms, {
      ...{ hands, supervisor: this.#supervisor, commands: () => this.#commands },
      isHeld: () => this.#hold.active(),
    });
    drillsAtTill(this.#atTill, this.#drills);
    this.#deeds = new DeedOffice(rooms, {
      ...{ supervisor: this.#supervisor, control: hands.control, hold: this.#hold },
      ...{ drills: this.#drills, send: hands.send, commands: () => this.#commands },
      uplink: () => this.#uplink,
    });
    const { impossible } = this.#deeds;
    this.#commands = commandsFor(rooms, (command) => this.#deeds.obey(command), impossible);
    for (const it of [rooms.pulls, rooms.tails]) it.start((...end) => this.#commands.done(...end));
    rooms.configuration?.attach({
      ...{ log: rooms.log, supervisor: this.#supervisor, report: reporter(rooms) },
      ...{ isStopped: rooms.stopped.has, isHeld: () => this.#hold.active() },
      done: (...end) => this.#commands.done(...end),
      anew: (reason) => {
        this.#isAgain = true;
        void this.stop(reason, 'leave');
      },
    });
  }

  #wires(): Wires {
    const { ladder, output } = this.#rooms;
    return {
      send: (component, message) => this.#channel?.send(component, message) ?? false,
      askStack: (component) => this.#channel?.askStack(component) ?? Promise.resolve(undefined),
      commandDone: (...end) => this.#deeds.ended(...end),
      changed: () => this.#saveBudgets(),
      remember: () => ladder.remember(this.#supervisor.uses()),
      started: ({ name, life }) => {
        output.tidy(name, life?.logFile);
        this.#introduction.tell();
      },
      told: (event) => this.#drills?.told(event),
    };
  }

  async begin(): Promise<Result<Agent>> {
    const { config, log, ports } = this.#rooms;
    const adopted = await this.#supervisor.adoptAll();
    const channel = await openChannel({
      path: socketPath(config.runDir),
      timers: ports.timers,
      files: channelFiles(config.components),
      log,
      expected: (component) => this.#supervisor.expected(component),
      onEvent: this.#deeds.hear,
    });
    if (!channel.ok) {
      await this.#close();
      return channel;
    }
    this.#channel = channel.value;
    this.#introduction.begin(adopted);
    await this.#drills.recall();
    // Before anything is judged: what a technician works on is not acted on by a new agent either.
    if (this.#hold.active()) this.#supervisor.hold(true);
    this.#supervisor.begin();
    this.#deeds.begun();
    this.#rooms.configuration?.begun();
    await this.#atTill.open();
    this.#uplink = openUplink(this.#rooms, {
      readComponents: () => this.#supervisor.readings(),
      loopStats: () => this.#supervisor.loopStats(),
      evidenceStats: () => this.#rooms.ring.stats(),
      channelRejected: () => this.#channel?.rejected() ?? {},
      commandCounts: () => this.#commands.counts(),
      isHeld: () => this.#hold.active(),
      signFailures: () => this.#alive.failures(),
      onCommand: (bytes) => this.#commands.receive(bytes),
    });
    this.#alive.begun();
    return ok(this);
  }

  #view(): TillAnswer {
    const { config, ports } = this.#rooms;
    const now = ports.clock.monotonicMs();
    const hold = this.#hold.view();
    const { operation } = this.#supervisor;
    const facts = {
      ...{ terminal: config.terminal, agent: AGENT_VERSION, pid: process.pid },
      ...{ upMs: Math.round(now - this.#begunAt), disk: this.#rooms.disk.level() },
      ...tillFacts(this.#rooms, this.#uplink?.linkStats()),
      ...(hold === undefined ? {} : { hold }),
      ...(operation === undefined ? {} : { operation }),
      ...(this.#drills.isRunning ? { drill: this.#drills.what } : {}),
    };
    return tillView(facts, this.#supervisor.components(), now, this.#rooms.stopped.of);
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
    this.#deeds.look();
    this.#rooms.configuration?.look();
    if (this.#sweeps % KEEP_EVERY_SWEEPS === 0) this.#keepHouse();
    // Whoever wanted the components to end with the agent wants them to end with what started it too.
    if (config.onExit === 'stop' && process.ppid !== this.#parentPid) {
      void this.stop('its parent process is gone');
    }
  }

  #keepHouse(): void {
    const { config, counters, intake, ladder, output, ports } = this.#rooms;
    counters.keep(this.#supervisor.components(), ports.clock.monotonicMs());
    this.#introduction.tell();
    ladder.keep();
    this.#hold.look();
    for (const { name } of config.components) {
      output.tidy(name, this.#supervisor.openOutput(name));
    }
    intake.lookAtOwn();
    ports.files.makeDirectory(config.runDir, 0o700);
    this.#channel?.keep();
    this.#atTill.keep();
  }

  #saveBudgets(): void {
    this.#rooms.budgets.save(this.#supervisor.remains());
  }

  readonly again = (): boolean => this.#isAgain;

  stop(reason: string, components = this.#rooms.config.onExit): Promise<void> {
    this.#ending ??= this.#end(reason, components);
    return this.#ending;
  }

  async #end(reason: string, components: AgentConfig['onExit']): Promise<void> {
    const { log, ports } = this.#rooms;
    log.info(`agent ends: ${reason}`, { components });
    // For systemd nothing ends when the process goes on as another agent.
    const said = this.#isAgain ? undefined : this.#alive.stopping();
    await this.#drills.end(`the agent ends: ${reason}`);
    if (components === 'stop') {
      const left = await this.#supervisor.stopAll(`the agent ends: ${reason}`);
      if (left.length > 0) log.error('components that did not end', { components: left });
    }
    this.#report('agent_stopping', { reason, left: this.#supervisor.alive() });
    await within(ports.timers, KEPT_MS_MAX, Promise.all([said, this.#uplink?.ending(reason)]));
    await this.#close();
    this.#resolveEnded(reason);
  }

  async #close(): Promise<void> {
    const { counters, disk, errorKinds, intake, ladder, locks, log } = this.#rooms;
    const { outbox, output, pulls, spans } = this.#rooms;
    await this.#atTill.close();
    await this.#uplink?.stop();
    for (const it of [this.#rooms.tails, pulls]) it.stop();
    disk.stop();
    await intake.end(KEPT_MS_MAX);
    output.stop();
    this.#supervisor.end();
    await this.#channel?.close();
    ladder.keep(true);
    this.#saveBudgets();
    const kept = [counters.saveAll(), ladder.settled(), spans.settled(), errorKinds.stop()];
    await within(this.#rooms.ports.timers, KEPT_MS_MAX, Promise.all(kept));
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
  const { locks } = overrides;
  const taken = locks ? ok(locks) : await takeFolders(config, overrides.ports ?? realPorts());
  if (!taken.ok) return taken;
  return new RunningAgent(openRooms(config, taken.value, overrides)).begin();
}
