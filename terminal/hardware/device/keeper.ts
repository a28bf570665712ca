// Keeps one device: holds a port open, asks how the device is, lets the driver work when it is well and
// climbs the recovery ladder when it cannot be talked to. One loop does all of it, so that nothing is ever
// said to a device in the middle of something else. All decisions are in machine.ts; here they are done.

import type { Log } from '../../shared/log.ts';
import { fullJitterMs, type Loop, startLoop } from '../../shared/loops.ts';
import { Conversation } from '../transports/conversation.ts';
import type { Transport } from '../transports/port.ts';
import {
  type Called,
  type Count,
  calledOf,
  type Device,
  type Driver,
  type Facts,
  type Health,
  type Tools,
  type Trouble,
  type Work,
} from './device.ts';
import {
  type Action,
  codeOf,
  type Event,
  initialModel,
  type Look,
  type Model,
  mayWorkBlindly,
  powerOf,
  stateOf,
  step,
} from './machine.ts';
import { reopened } from './reopen.ts';
import { type CheckLevel, type ErrorCode, SENTENCES, type Statistic } from './upos.ts';

const TROUBLE_POLL_MS = 500;
const CHECK_MS = 10_000;
const LASTING_MS = 1_000;
const HOUR_MS = 3_600_000;

type Reached<M> =
  | { readonly talk: Conversation<M>; readonly fresh: boolean }
  | { readonly look: Look };
type Ground<M> = {
  readonly name: string;
  readonly driver: Driver<M>;
  readonly transport: Transport;
  readonly log: Log;
  /** Monotonic. */
  readonly nowMs: () => number;
  readonly onTrouble: (trouble: Trouble | undefined) => void;
  /** The last rung: this process is to be started again by whoever supervises it. */
  readonly onRestart: (reason: string) => void;
};

export class Keeper<M> implements Device {
  readonly #ground: Ground<M>;
  readonly #errors = new Map<ErrorCode, number>();
  readonly #statistics: Partial<Record<Statistic, number>> = {};
  readonly #tools: Tools;
  #model: Model = initialModel;
  #talk: Conversation<M> | undefined;
  #loop: Loop | undefined;
  #waiting: (() => void)[] = [];
  #opens = 0;
  /** Openings given up, which picks the speed: one that works is never changed. */
  #attempt = 0;
  #probeSeconds: number | undefined;
  #poweredMs = 0;
  #lastMs: number | undefined;

  constructor(ground: Ground<M>) {
    this.#ground = ground;
    this.#tools = {
      count: this.count,
      report: (look) => {
        this.#judge(look);
      },
    };
  }

  get name(): string {
    return this.#ground.name;
  }

  readonly count: Count = (what, by = 1) => {
    this.#statistics[what] = (this.#statistics[what] ?? 0) + by;
  };

  open = (): Called => this.#call('open');
  claim = (): Called => this.#call('claim');
  enable = (): Called => {
    const called = this.#call('enable');
    if (called.ok && this.#loop === undefined) {
      this.#loop = startLoop(this.#ground.log, (signal) => this.#turn(signal));
    }
    return called;
  };
  disable = (): Promise<Called> => this.#end('disable');
  release = (): Promise<Called> => this.#end('release');
  close = (): Promise<Called> => this.#end('close');

  wake = (): void => {
    // In trouble something new changes nothing and must not cut the pause short.
    if (codeOf(this.#model) === undefined) this.#loop?.wake();
  };

  trouble(): Trouble | undefined {
    const { look } = this.#model;
    const code = codeOf(this.#model);
    if (code === undefined || (look.kind !== 'device' && look.kind !== 'probe')) return undefined;
    const said = look.kind === 'device' ? 'by the device' : 'of the connection';
    const detail = look.detail === undefined ? '' : ` (${look.detail})`;
    return { code, said, text: `the ${this.name} ${SENTENCES[code]}${detail}` };
  }

  facts = (): Facts => ({
    name: this.name,
    class: this.#ground.driver.class,
    claimed: this.#model.claimed,
    enabled: this.#model.enabled,
    state: stateOf(this.#model),
    power: powerOf(this.#model),
    trouble: this.trouble(),
    errors: this.#errors,
    reopened: Math.max(0, this.#opens - 1),
    probeSeconds: this.#probeSeconds,
    statistics: { ...this.#statistics, HoursPoweredCount: Math.floor(this.#poweredMs / HOUR_MS) },
  });

  checkHealth = async (level: CheckLevel): Promise<Health> => {
    if (!this.#model.enabled) return { level, ok: false, text: `the ${this.name} is not enabled` };
    if (level === 'EXTERNAL') {
      const { exercise } = this.#ground.driver;
      if (exercise) return await exercise();
      return { level, ok: false, text: `the ${this.name} cannot be exercised from here` };
    }
    await this.#looked();
    const trouble = this.trouble();
    const unknown = this.#model.look.kind === 'unknown';
    const well = unknown ? 'does not say how it is; its port is open' : 'is well';
    return { level, ok: trouble === undefined, text: trouble?.text ?? `the ${this.name} ${well}` };
  };

  reopen = (): Promise<Health> =>
    reopened(this.name, {
      ...{ isEnabled: this.#model.enabled, drop: () => this.#drop(), opens: () => this.#opens },
      ...{ looked: () => this.#looked(), trouble: () => this.trouble() },
    });

  /** @returns when the device was looked at once more, or when that takes too long. */
  #looked(): Promise<void> {
    this.#loop?.wake();
    return new Promise((done) => {
      const timer = setTimeout(done, CHECK_MS);
      this.#waiting.push(() => {
        clearTimeout(timer);
        done();
      });
    });
  }

  #call(kind: 'open' | 'claim' | 'enable'): Called {
    return calledOf(this.#step({ kind }));
  }

  async #end(kind: 'disable' | 'release' | 'close'): Promise<Called> {
    const ended = this.#loop?.stop();
    this.#loop = undefined;
    // Ends every wait for an answer at once.
    this.#talk?.close();
    await ended;
    this.#talk = undefined;
    return calledOf(this.#step({ kind }));
  }

  /** Forgotten first: what we close ourselves is not lost. */
  #drop(): void {
    const talk = this.#talk;
    this.#talk = undefined;
    talk?.close();
  }

  #step(event: Event) {
    const stepped = step(this.#model, event, this.#ground.nowMs());
    this.#model = stepped.model;
    return stepped;
  }

  /** @returns the pause until the next turn. */
  async #turn(signal: AbortSignal): Promise<number> {
    const { driver } = this.#ground;
    this.#clock();
    await driver.tick?.(this.#talk?.open ? this.#talk : undefined, this.#tools);
    const reached = await this.#reach();
    if (signal.aborted) return 0;
    if ('look' in reached) return await this.#judgeAndAct(reached.look);
    const { talk } = reached;
    const startMs = this.#ground.nowMs();
    const look = await driver.look(talk, this.#tools);
    if (signal.aborted) return 0;
    if (look.kind !== 'unknown') this.#probeSeconds = (this.#ground.nowMs() - startMs) / 1_000;
    // The port went in the middle: that says nothing about the device, opening it again will.
    if (!talk.open && !talk.stuck && look.kind === 'probe') {
      if (!reached.fresh) return 0;
      const detail = 'the connection breaks at once';
      return await this.#judgeAndAct({ kind: 'probe', fault: 'absent', detail });
    }
    if (look.kind === 'device') {
      this.#judge(look);
      return TROUBLE_POLL_MS;
    }
    if (look.kind === 'probe') {
      const action = this.#judge(look);
      if (mayWorkBlindly(this.#model)) await this.#work(talk, true);
      return await this.#act(action);
    }
    this.#judge(look);
    const work = await this.#work(talk, false);
    if (work.look) return await this.#judgeAndAct(work.look);
    return work.did ? 0 : driver.idlePollMs;
  }

  #clock(): void {
    const now = this.#ground.nowMs();
    if (powerOf(this.#model) === 'ONLINE') this.#poweredMs += now - (this.#lastMs ?? now);
    this.#lastMs = now;
  }

  async #work(talk: Conversation<M>, blindly: boolean): Promise<Work> {
    const { work } = this.#ground.driver;
    if (work === undefined) return { did: false };
    this.#step({ kind: 'work' });
    const done = await work(talk, this.#tools, blindly);
    this.#step({ kind: 'rest' });
    return done;
  }

  async #reach(): Promise<Reached<M>> {
    const { driver, transport, log } = this.#ground;
    if (this.#talk?.open) return { talk: this.#talk, fresh: false };
    if (this.#talk !== undefined) this.count('CommunicationErrorCount');
    const stuck = this.#talk?.stuck === true;
    this.#talk = undefined;
    if (stuck) return { look: { kind: 'probe', fault: 'stuck' } };
    const sinceMs = this.#ground.nowMs();
    const lost = (): void => {
      // What we closed ourselves is no news; what breaks as soon as it is open is not opened in a hurry.
      const lasted = this.#ground.nowMs() - sinceMs >= LASTING_MS;
      if (opened.ok && this.#talk === opened.talk && lasted) this.#loop?.wake();
    };
    const reader = driver.reader();
    const opened = await Conversation.open(transport, this.#attempt, reader, driver.heard, lost);
    if (!opened.ok) {
      log.debug('cannot open', { place: transport.place, reason: opened.reason });
      return { look: { kind: 'probe', fault: opened.fault, detail: opened.reason } };
    }
    this.#opens += 1;
    this.#talk = opened.talk;
    await driver.attached?.(opened.talk);
    return { talk: opened.talk, fresh: true };
  }

  async #judgeAndAct(look: Look): Promise<number> {
    return await this.#act(this.#judge(look));
  }

  /** Counts and tells a trouble when it begins, not each time that it is seen. */
  #judge(look: Look): Action | undefined {
    const { log, onTrouble, name } = this.#ground;
    const wasOnline = powerOf(this.#model) === 'ONLINE';
    const { changed, action } = this.#step({ kind: 'looked', look });
    if (!wasOnline && powerOf(this.#model) === 'ONLINE') this.count('OnlineTransitionCount');
    if (look.kind === 'probe' && look.fault !== 'wedged') this.count('CommunicationErrorCount');
    for (const tell of this.#waiting.splice(0)) tell();
    if (changed === undefined) return action;
    const trouble = this.trouble();
    if (trouble === undefined) log.info(`the ${name} is well`);
    else {
      this.#errors.set(trouble.code, (this.#errors.get(trouble.code) ?? 0) + 1);
      log.warn(trouble.text, { device: name, code: trouble.code, said: trouble.said });
    }
    onTrouble(trouble);
    return action;
  }

  async #act(action: Action | undefined): Promise<number> {
    if (action === undefined) return TROUBLE_POLL_MS;
    const { driver, log, onRestart, name } = this.#ground;
    const { rung, pauseMs } = action;
    log.debug('recovery', { device: name, rung });
    if (rung === 'clear' && this.#talk?.open) await driver.clear?.(this.#talk);
    if (rung === 'reopen' || rung === 'restart') {
      this.#drop();
      this.#attempt += 1;
    }
    if (rung === 'restart') onRestart(this.trouble()?.text ?? `the ${name} cannot be reached`);
    return pauseMs / 2 + fullJitterMs(pauseMs);
  }
}
