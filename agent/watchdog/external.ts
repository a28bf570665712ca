// Hands for a component that something else starts: a systemd unit, a kiosk's own script. The state machine is the
// same; what differs is that its pid is asked for, that commands of the configuration start and stop it, and that
// no shim hears of its end, so that a stat of 15 us four times a second does. Whoever started it may start it
// again at once: so after an end it is looked for before anything is started, and there is never a second copy.

import type { ComponentConfig } from '../../configuration/config.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Cancel, Log, Ports } from '../ports.ts';
import type { Adopted } from './adopt.ts';
import type { Life } from './end-watch.ts';
import { runTool } from './external-command.ts';
import { type FoundPid, findPid, type Known } from './external-pid.ts';
import {
  type ExternalRecord,
  identityOf,
  readExternal,
  recordOf,
  writeExternal,
} from './external-record.ts';
import { delay, type SpawnSpec } from './hands.ts';
import { askToEnd, type Identity, isAlive, readStat, UNKNOWN_START } from './identity.ts';
import { type Exit, KILLED, UNKNOWN_EXIT } from './shim.ts';

/** As often as the agent looks at everything else. */
const DEATH_LOOK_MS = 250;
/** So long it is looked for after an end, before it is started: whoever keeps it may be quicker. */
export const TAKE_OVER_MS = 2_000;
/** Between two looks while a start is under way, and while it is waited for whoever starts it. */
const LOOK_MS = 250;
const WAIT_LOOK_MS = 1_000;
/** An agent that begins asks again for so long where it cannot be told; all the others wait for that. */
const ADOPT_MS_MAX = 750;
/** What is left of the grace that the agent before had given it. */
const STOPPING_WAIT_MS_MAX = 3_000;

export type ExternalSetting = {
  readonly config: ComponentConfig;
  readonly external: NonNullable<ComponentConfig['external']>;
  /** The whole environment of its commands. */
  readonly env: Readonly<Record<string, string>>;
  readonly ownerOf: (pid: number) => string | undefined;
};
export type ExternalPorts = {
  readonly ports: Ports;
  readonly log: Log;
  readonly runDir: string;
  readonly killTree: (life: Life) => Promise<{ survivors: number[] }>;
};

type Watching = {
  readonly life: Life;
  readonly stamp: string | undefined;
  readonly onExit: (exit: Exit) => void;
  readonly cancel: Cancel;
  killed: boolean;
  /** By its own command: then whoever keeps it does not start it again. */
  stopped: boolean;
};

/** One component; made once and kept, because what ended last tells a new process from an old pid file. */
export class External {
  readonly #setting: ExternalSetting;
  readonly #o: ExternalPorts;
  readonly #name: string;
  #watching: Watching | undefined;
  #last: Known | undefined;
  /** The last life was not ended by its stop command: whoever keeps it may start it again. */
  #mayReturn = false;
  #spawning = false;
  #abandoned = false;
  #wake: () => void = () => undefined;

  constructor(setting: ExternalSetting, options: ExternalPorts) {
    this.#setting = setting;
    this.#o = options;
    this.#name = setting.config.name;
  }

  #find(): Promise<FoundPid> {
    const { external, config, env, ownerOf } = this.#setting;
    const watched = this.#watching;
    const known = watched && { identity: watched.life.main, stamp: watched.stamp };
    const context = { cwd: config.cwd, env, ownerOf };
    return findPid(this.#o.ports, external.pid, context, known ?? this.#last);
  }

  async spawn(spec: SpawnSpec, onExit: (exit: Exit) => void): Promise<Result<Life>> {
    if (this.#watching !== undefined) {
      return fail(`a copy of it already runs as pid ${this.#watching.life.pid}`);
    }
    if (this.#spawning) return fail('a copy of it is already starting');
    this.#spawning = true;
    this.#abandoned = false;
    try {
      return await this.#begin(spec, onExit);
    } finally {
      this.#spawning = false;
    }
  }

  async #begin(spec: SpawnSpec, onExit: (exit: Exit) => void): Promise<Result<Life>> {
    const { external, config } = this.#setting;
    const { timeoutMs } = config.start;
    const born = (found: Extract<FoundPid, { kind: 'found' }>, logFile: string): Result<Life> =>
      ok(this.#watch(found.identity, found.stamp, { ...spec, logFile }, onExit));
    const startsItself = external.start === undefined;
    const graceMs = this.#mayReturn ? TAKE_OVER_MS : 0;
    const lookMs = startsItself ? Number.POSITIVE_INFINITY : graceMs;
    const first = await this.#await(lookMs, timeoutMs);
    if (first.kind === 'found') return born(first, '');
    if (first.kind === 'unknown') return fail(`cannot tell whether it runs: ${first.reason}`);
    if (external.start === undefined || this.#abandoned) return fail('it did not appear');
    await spec.beforeStart?.();
    const { ports, log } = this.#o;
    const { cwd } = config;
    const { command, timeoutMs: toolMs } = external.start;
    const tool = await runTool(
      ports,
      { what: 'start', command, cwd, env: this.#setting.env, timeoutMs: toolMs },
      spec.logFile,
    );
    if (!tool.ok) return tool;
    const second = await this.#await(timeoutMs, timeoutMs, () => tool.value.failed());
    if (second.kind === 'found') {
      tool.value.release();
      return born(second, spec.logFile);
    }
    tool.value.end();
    const why = tool.value.failed() ?? `no process of it was there within ${timeoutMs} ms`;
    log.warn(`${this.#name}: ${why}`, { component: this.#name });
    return fail(second.kind === 'unknown' ? second.reason : why);
  }

  /**
   * Looks until it is found, `forMs` are over, it is abandoned or `failed` says why it will not come.
   * @param unknownMs how long it may be unknown before that is the answer.
   */
  async #await(
    forMs: number,
    unknownMs: number,
    failed: () => string | undefined = () => undefined,
  ): Promise<FoundPid> {
    const { ports } = this.#o;
    const startMs = ports.clock.monotonicMs();
    const lookMs = forMs === Number.POSITIVE_INFINITY ? WAIT_LOOK_MS : LOOK_MS;
    for (;;) {
      const hasFailed = failed() !== undefined; // before the look: what it did at last must be seen
      const found = await this.#find();
      const passedMs = ports.clock.monotonicMs() - startMs;
      if (found.kind === 'found' || this.#abandoned || hasFailed) return found;
      if (passedMs >= (found.kind === 'unknown' ? Math.max(forMs, unknownMs) : forMs)) return found;
      await new Promise<void>((resolve) => {
        const cancel = ports.timers.after(lookMs, resolve);
        this.#wake = () => {
          cancel();
          resolve();
        };
      });
    }
  }

  #watch(
    main: Identity,
    stamp: string | undefined,
    spec: Pick<SpawnSpec, 'instance' | 'token' | 'logFile' | 'version'> & { startedMs?: number },
    onExit: (exit: Exit) => void,
    wasReady = false,
  ): Life {
    const { ports } = this.#o;
    const shim = { bootId: main.bootId, pid: 0, startTicks: UNKNOWN_START };
    const { instance, token, logFile, version } = spec;
    const startedMs = spec.startedMs ?? ports.clock.wallMs();
    const life: Life = {
      ...{ component: this.#name, instance, token, logFile, version, startedMs },
      ...{ main, shim, pid: main.pid, shimPid: 0 },
    };
    const cancel = ports.timers.every(DEATH_LOOK_MS, () => this.#look());
    this.#watching = { life, stamp, onExit, cancel, killed: false, stopped: false };
    this.#note({ phase: 'running', ready: wasReady, asked: false });
    return life;
  }

  #look(): void {
    const watching = this.#watching;
    if (watching === undefined || isAlive(this.#o.ports, watching.life.main)) return;
    watching.cancel();
    this.#watching = undefined;
    this.#last = { identity: watching.life.main, stamp: watching.stamp };
    this.#mayReturn = !watching.stopped;
    watching.onExit(watching.killed ? KILLED : UNKNOWN_EXIT);
    this.#note({ phase: 'ended' }, watching);
  }

  /** Of what is watched now, or of what was: a late word of an old life does not hide a new one. */
  #note(change: Partial<ExternalRecord>, watching = this.#watching): void {
    if (watching === undefined) return;
    if (this.#watching !== undefined && this.#watching !== watching) return;
    const { ports, runDir, log } = this.#o;
    const { life, stamp } = watching;
    const before = readExternal(ports.files, runDir, this.#name, life.main.bootId);
    const record = { ...recordOf(life, stamp, before), ...change };
    const written = writeExternal(ports.files, runDir, this.#name, record);
    if (!written.ok) log.error(`control: ${written.reason}`, { component: this.#name });
  }

  /** What runs now, whoever started it. `exited`: it was watched by the agent before and is gone. */
  async adopt(
    instance: string,
    onExit: (exit: Exit) => void,
  ): Promise<Adopted | { readonly exited: Exit } | undefined> {
    const { ports, runDir, log } = this.#o;
    const record = readExternal(ports.files, runDir, this.#name, ports.clock.bootId());
    if (record !== undefined) this.#last = { identity: identityOf(record), stamp: record.stamp };
    const untilMs = ports.clock.monotonicMs() + ADOPT_MS_MAX;
    let found = await this.#find();
    while (found.kind === 'unknown' && ports.clock.monotonicMs() < untilMs) {
      await delay(ports, LOOK_MS);
      found = await this.#find();
    }
    if (found.kind === 'unknown') {
      const fields = { component: this.#name };
      log.warn(`cannot tell whether ${this.#name} runs: ${found.reason}`, fields);
    }
    const ran = record?.phase === 'running' ? record : undefined;
    if (found.kind !== 'found') {
      // Not where that cannot be told: it may run, and its end would be a tale.
      if (ran === undefined || ran.asked || found.kind === 'unknown') return undefined;
      writeExternal(ports.files, runDir, this.#name, { ...ran, phase: 'ended' });
      this.#mayReturn = true;
      return { exited: UNKNOWN_EXIT };
    }
    const { identity, stamp } = found;
    const isSame = ran?.pid === identity.pid && ran.startTicks === identity.startTicks;
    const spec = isSame ? { ...ran, token: '' } : { instance, token: '', logFile: '' };
    const wasReady = isSame && ran.ready;
    const life = this.#watch(identity, stamp, spec, onExit, wasReady);
    if (!isSame || !ran.asked) return { life, wasReady };
    await this.#finishStop(life);
    return undefined;
  }

  /** The agent before asked it to stop and did not live to see it: a new life begins only after that. */
  async #finishStop(life: Life): Promise<void> {
    const { ports } = this.#o;
    const untilMs = ports.clock.monotonicMs() + STOPPING_WAIT_MS_MAX;
    while (isAlive(ports, life.main) && ports.clock.monotonicMs() < untilMs) {
      await delay(ports, LOOK_MS);
    }
    await this.killTree(life);
    this.#look();
    this.#watching?.cancel();
    this.#watching = undefined;
  }

  record(life: Life, ready: boolean): void {
    if (this.#watching?.life.instance === life.instance) this.#note({ ready });
  }

  /** By its own command where it has one: a unit that is only killed is started again by whoever keeps it. */
  terminate(life: Life): void {
    const { ports, log } = this.#o;
    const { external, config, env } = this.#setting;
    const watching = this.#watching;
    if (watching?.life.instance !== life.instance) return;
    this.#note({ asked: true });
    if (external.stop === undefined) {
      askToEnd(ports, life);
      return;
    }
    watching.stopped = true;
    const { command, timeoutMs } = external.stop;
    const told = { component: this.#name };
    const failed = (reason: string): void => log.warn(`${this.#name}: ${reason}`, told);
    const spec = { what: 'stop', command, cwd: config.cwd, env, timeoutMs } as const;
    void runTool(ports, spec, undefined, failed).then((tool) => {
      if (tool.ok) return;
      failed(tool.reason);
      watching.stopped = false;
      askToEnd(ports, life);
    });
  }

  /** Its session and group too where it leads them; else they are those of whoever started it. */
  async killTree(life: Life): Promise<{ survivors: number[] }> {
    const { ports } = this.#o;
    const watching = this.#watching;
    if (watching?.life.instance === life.instance) watching.killed = true;
    const stat = readStat(ports.files, life.pid);
    const leads = stat?.startTicks === life.main.startTicks && stat.group === life.pid;
    const left = await this.#o.killTree(leads ? { ...life, shim: life.main } : life);
    this.#look(); // not only at the next look: whoever waits for the end waits for a till
    return left;
  }

  /** Nobody waits any longer for a start that is under way. */
  abandon(): void {
    this.#abandoned = true;
    this.#wake();
  }
}
