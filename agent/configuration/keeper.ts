// The fleet's documents on a running till: performs what the machine of the trial asks for (machine.ts), one deed after
// the other, and tells it what came of each. It begins before everything else in the agent, because it says under
// which text there is an agent at all, and is given the rest of the agent once that is there.

import { type AgentConfig, formatProblem, loadConfig } from '../../configuration/config.ts';
import { patternProblems } from '../../configuration/patterns.ts';
import { CONFIGURATION_READY_MS } from '../../protocol/limits.ts';
import type { Result as Done } from '../../protocol/result.ts';
import type { BootClock } from '../ports.ts';
import { differenceOf, isOtherLaunch } from './difference.ts';
import { Leaving } from './leaving.ts';
import { isFree, step } from './machine.ts';
import { ATTEMPTS_MAX, type Effect, type Event, INITIAL, isOnTrial, type Model } from './model.ts';
import type { Parts } from './parts.ts';
import { isFresh, isToRunAgain, neededOf, unreadyOf } from './readiness.ts';
import type { Store } from './store.ts';
import { tellOutcome, tellRefused, tellTrial } from './telling.ts';
import type { Document, Found, Shelf, Trial, Which } from './types.ts';

/** The till's own file. */
export type OwnFile = { readonly path: string; readonly folder: string; readonly text: string };

export type KeeperOptions = {
  readonly own: OwnFile;
  readonly store: Store;
  readonly clock: Pick<BootClock, 'bootMs' | 'monotonicMs'>;
  /** Said before there is a log. */
  readonly early: string[];
};

type Executors = {
  readonly [K in Effect['kind']]: (effect: Extract<Effect, { kind: K }>) => void;
};
type Received = { readonly text: string; readonly config: AgentConfig };

export class Keeper {
  readonly #options: KeeperOptions;
  readonly #executors: Executors;
  #model: Model = INITIAL;
  #config: AgentConfig | undefined;
  #parts: Parts | undefined;
  #received: Received | undefined;
  #leaving: Leaving | undefined;
  /** Whether a document ever came here: without, nothing is otherwise than it always was. */
  #isUsed = false;
  #running = false;
  readonly #queue: Event[] = [];
  #chosen: (config: AgentConfig) => void = () => undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#executors = this.#deeds();
  }

  get own(): OwnFile {
    return this.#options.own;
  }

  /** Once, with the folders locked. @param own as the till's own file has it. */
  async choose(own: AgentConfig, found: Found): Promise<AgentConfig> {
    this.#config = own;
    this.#isUsed = [found.notes, found.good, found.trial].some((one) => one !== undefined);
    const chosen = new Promise<AgentConfig>((done) => {
      this.#chosen = done;
    });
    this.#tell({ kind: 'found', found });
    return await chosen;
  }

  /** Commands that an agent before had begun and that this one ends. */
  resumed(): string[] {
    const { trial, outcome } = this.#model.notes;
    return [trial, outcome].flatMap((one) => (one === undefined ? [] : [one.command]));
  }

  /** What is not configured may still be meant to run, as a document was damaged. */
  get isLess(): boolean {
    return this.#model.isLess;
  }

  attach(parts: Parts): void {
    this.#parts = parts;
    for (const reason of this.#options.early.splice(0)) parts.log.error(reason);
  }

  /** The agent has adopted what runs, and starts the rest. */
  begun(): void {
    const parts = this.#parts;
    if (parts === undefined) return;
    this.#putRight(parts);
    const { phase, notes } = this.#model;
    if (phase.kind === 'trying' && notes.trial !== undefined) tellTrial(parts, notes.trial);
    const { outcome } = notes;
    if (phase.kind !== 'calm' || outcome === undefined || outcome.isTold) return;
    this.#perform({ kind: 'tell', outcome });
  }

  /** An agent before may have been killed between the end of a component and its new start. */
  #putRight({ supervisor, log }: Parts): void {
    if (!this.#isUsed) return;
    for (const { name, config, life } of supervisor.components()) {
      if (life === undefined || !isOtherLaunch(life.launch, config)) continue;
      const reason = 'it runs as another configuration had it';
      log.warn(`${name}: ${reason}`, { component: name });
      const how = { command: undefined, force: false, cause: 'upgrade' } as const;
      supervisor.tell(name, { kind: 'restart', reason, ...how });
    }
  }

  /** With every sweep. */
  look(): void {
    const parts = this.#parts;
    const { phase, notes } = this.#model;
    if (parts === undefined || phase.kind === 'calm') return;
    if (phase.kind === 'leaving') this.#leaving?.look(this.#options.clock.monotonicMs());
    if (phase.kind !== 'trying' && phase.kind !== 'noting') return;
    const { supervisor, isStopped, isHeld } = parts;
    const needed = notes.trial?.needed ?? [];
    const unready = unreadyOf(supervisor.components(), needed, isStopped);
    this.#tell({
      kind: 'look',
      unready: unready.map(({ name }) => name),
      quarantined: unready
        .filter(({ model }) => model.state === 'quarantined')
        .map(({ name }) => name),
      held: isHeld(),
    });
  }

  /** A document that was read here and fits. */
  receive(
    document: Document,
    command: string,
    received: Received,
    readyMs: number | undefined,
  ): void {
    const { config } = this;
    const parts = this.#parts;
    if (parts === undefined) return;
    if (isFree(this.#model)) this.#received = received;
    const { changed } = differenceOf(config, received.config);
    const trial: Trial = {
      ...{ document, command, attempts: 0, readyMs: readyMs ?? CONFIGURATION_READY_MS },
      needed: neededOf(parts.supervisor.components(), received.config),
      restarted: [...changed],
    };
    this.#tell({ kind: 'received', trial });
  }

  refuse(document: Document, command: string, reason: string): void {
    this.#tell({ kind: 'refused', document, command, reason });
  }

  get isOnTrial(): boolean {
    return isOnTrial(this.#model);
  }

  isFresh(component: string): boolean {
    return isFresh(this.#model.notes, component);
  }

  isToRunAgain(component: string): boolean {
    return isToRunAgain(this.#model.notes, component);
  }

  get config(): AgentConfig {
    if (this.#config === undefined) throw new Error('nothing was chosen yet');
    return this.#config;
  }

  get model(): Pick<Model, 'notes' | 'running' | 'phase'> {
    return this.#model;
  }

  /** One at a time: a deed may be answered at once. */
  #tell(event: Event): void {
    this.#queue.push(event);
    if (this.#running) return;
    this.#running = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const { model, effects } = step(this.#model, next, this.#options.clock.bootMs());
      this.#model = model;
      for (const effect of effects) this.#perform(effect);
    }
    this.#running = false;
  }

  #answered(kind: 'written' | 'noted' | 'promoted', deed: Promise<Done<void>>): void {
    const told = (ok: boolean, reason: string): void => this.#tell({ kind, ok, reason });
    deed.then(
      (done) => told(done.ok, done.ok ? '' : done.reason),
      (error: unknown) => told(false, String(error)),
    );
  }

  #perform(effect: Effect): void {
    // The table's type ties each line to its effect; a look-up by a union loses that tie.
    const execute = this.#executors[effect.kind] as (effect: Effect) => void;
    execute(effect);
  }

  #deeds(): Executors {
    const { store, early } = this.#options;
    const write = (shelf: Shelf, document: Document): void =>
      this.#answered('written', store.write(shelf, document, this.#received?.text ?? ''));
    return {
      write: ({ document }) => write('trial', document),
      rename: ({ document }) => write('good', document),
      note: ({ notes }) => this.#answered('noted', store.note(notes)),
      promote: () => this.#answered('promoted', store.promote()),
      drop: () => store.drop(),
      use: ({ which }) => void this.#use(which),
      stop: (effect) => this.#leave(effect),
      anew: ({ reason }) => this.#parts?.anew(reason),
      tell: ({ outcome }) => {
        // An agent that just begins tells it once there is one.
        if (this.#parts === undefined) return;
        tellOutcome(this.#parts, outcome);
        this.#tell({ kind: 'told' });
      },
      answer: ({ command, ok, reason, document }) =>
        this.#parts?.done(command, ok, reason, ok ? { ...document } : undefined),
      tell_refused: (effect) => {
        if (this.#parts !== undefined) tellRefused(this.#parts, effect);
      },
      say: ({ reason }) => {
        if (this.#parts === undefined) early.push(reason);
        else this.#parts.log.error(reason);
      },
    };
  }

  async #read(which: Which): Promise<{ document?: Document; config: AgentConfig } | string> {
    const { own, store } = this.#options;
    const text = which === 'own' ? undefined : store.read(which);
    if (text === 'damaged' || (text === undefined && which !== 'own')) {
      return `the ${which} configuration is damaged or gone`;
    }
    const loaded = loadConfig(own.text, own.folder, text?.text);
    if (!loaded.ok) return loaded.problems.map(formatProblem).join('; ');
    const patterns = text === undefined ? [] : await patternProblems(loaded.config);
    if (patterns.length > 0) return patterns.map(formatProblem).join('; ');
    return { config: loaded.config, ...(text && { document: text.document }) };
  }

  async #use(which: Which): Promise<void> {
    const read = await this.#read(which);
    if (typeof read === 'string') {
      const reason = `the configuration of the fleet does not fit: ${read}`;
      this.#tell({ kind: 'unfit', which, reason: which === 'trial' ? read : reason });
      return;
    }
    this.#config = read.config;
    this.#tell({ kind: 'fits', which, document: read.document });
    this.#chosen(read.config);
  }

  /** To the text that came, or back to the first that can be read. */
  #leave({ why, reason }: Extract<Effect, { kind: 'stop' }>): void {
    const target = why === 'trial' ? Promise.resolve(this.#received?.config) : this.#before();
    void target.then((after) => {
      const parts = this.#parts;
      if (parts === undefined || after === undefined) return;
      const { config } = this;
      const { changed, removed } = differenceOf(config, after);
      const { monotonicMs } = this.#options.clock;
      const names = [...changed, ...removed];
      const options = {
        ...{ names, config, supervisor: parts.supervisor, reason, mayGiveUp: why === 'trial' },
        stopped: () => this.#tell({ kind: 'stopped' }),
        stuck: (sentence: string) => this.#tell({ kind: 'stuck', reason: sentence }),
      };
      parts.log.warn(reason, { components: names, attemptsMax: ATTEMPTS_MAX });
      this.#leaving = new Leaving(options, monotonicMs());
      this.#leaving.look(monotonicMs());
    });
  }

  async #before(): Promise<AgentConfig | undefined> {
    for (const which of ['good', 'previous', 'own'] as const) {
      const read = await this.#read(which);
      if (typeof read !== 'string') return read.config;
    }
    return undefined;
  }
}
