// Programs that a till's owner configured for one rung of the ladder: heal, reset and reboot. Each runs in a session
// and group of its own with its output on a file, never on a pipe, so that a hook outlives a killed agent
// unharmed; with a time-out, after which its whole tree is ended; and one at a time for each component. What
// it printed goes to the agent's own log, its last lines only. How it ended comes back as a value, once.

import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import * as v from 'valibot';
import { redactString } from '../redact/index.ts';
import type { Cancel, Log, Ports, RunAs } from './ports.ts';
import { identify } from './watchdog/identity.ts';
import { killTree, type Target } from './watchdog/tree.ts';

export type HookKind = 'heal' | 'reset' | 'reboot';

export type HookSpec = {
  readonly kind: HookKind;
  /** Empty for what is the whole till's. */
  readonly component: string;
  readonly command: readonly string[];
  readonly timeoutMs: number;
  readonly cwd?: string | undefined;
  /** Whose work it does; without it the agent's, which may ask the helper (deploy/tillwatch-helper). */
  readonly as?: RunAs | undefined;
  /** What it inherits and what it is told; the mark of the run itself is added here. */
  readonly env: Readonly<Record<string, string>>;
};

/** `ok`: exit code 0. The reason is constant for equal ends, so that they compare equal. */
export type HookEnd = { readonly ok: boolean; readonly reason: string };

export type HooksOptions = {
  readonly runDir: string;
  readonly ports: Ports;
  readonly log: Log;
  /** Empties a file that its writer appends to, once it is larger. */
  readonly bound: (path: string, bytesMax: number) => void;
};

export type Hooks = {
  /** `done` is called once, and never before this returns. */
  readonly run: (spec: HookSpec, done: (end: HookEnd) => void) => void;
  /** Its reason to run is gone: ended with its tree, and `done` says so. */
  readonly cancel: (component: string, reason: string) => void;
  /** What an agent before left running; a reboot that is under way is left alone. */
  readonly endLeftovers: () => Promise<void>;
};

/** Of what it prints, between two looks; it is emptied above. */
export const OUTPUT_BYTES_MAX = 1024 * 1024;
/** What the agent's log keeps of it. */
export const TOLD_BYTES_MAX = 4 * 1024;
export const TOLD_LINES_MAX = 20;
const LOOK_MS = 1_000;

const recordSchema = v.object({
  kind: v.picklist(['heal', 'reset', 'reboot']),
  component: v.string(),
  instance: v.string(),
  bootId: v.string(),
  pid: v.pipe(v.number(), v.integer(), v.minValue(2)),
  startTicks: v.number(),
});

type Run = {
  readonly spec: HookSpec;
  readonly target: Target;
  readonly end: (end: HookEnd) => void;
  /** It is being ended by us: its end is told with the reason for that, once its whole tree is gone. */
  doomed: boolean;
};

const endOf = (kind: HookKind, code: number | undefined, signal: string | undefined): HookEnd => {
  if (code === 0) return { ok: true, reason: `the ${kind} hook did its work` };
  const how = signal === undefined ? `with exit code ${code}` : `by signal ${signal}`;
  return { ok: false, reason: `the ${kind} hook ended ${how}` };
};

class HookRunner implements Hooks {
  readonly #options: HooksOptions;
  readonly #folder: string;
  /** By component: being started, or running. */
  readonly #taken = new Set<string>();
  readonly #runs = new Map<string, Run>();
  /** Asked to end before it had begun. */
  readonly #cancelled = new Map<string, string>();

  constructor(options: HooksOptions) {
    this.#options = options;
    this.#folder = join(options.runDir, 'hooks');
  }

  run(spec: HookSpec, done: (end: HookEnd) => void): void {
    const { timers } = this.#options.ports;
    const later = (end: HookEnd): void => void timers.after(0, () => done(end));
    if (this.#taken.has(spec.component)) {
      later({ ok: false, reason: 'another hook of it still runs' });
      return;
    }
    this.#taken.add(spec.component);
    this.#start(spec, (end) => {
      this.#taken.delete(spec.component);
      this.#runs.delete(spec.component);
      this.#cancelled.delete(spec.component);
      this.#options.ports.files.remove(this.#pathOf(spec.component, 'json'));
      later(end);
    });
  }

  #pathOf(component: string, ending: 'json' | 'out'): string {
    return join(this.#folder, `${component === '' ? '.till' : component}.${ending}`);
  }

  #start(spec: HookSpec, done: (end: HookEnd) => void): void {
    const { ports, log } = this.#options;
    const { kind, component, command, cwd, env, as } = spec;
    const instance = randomUUID();
    const output = this.#pathOf(component, 'out');
    ports.files.makeDirectory(this.#folder, 0o700);
    ports.files.remove(output);
    let settled = false;
    let stopWatching: Cancel = () => undefined;
    const end = (how: HookEnd): void => {
      if (settled) return;
      settled = true;
      stopWatching();
      this.#tell(spec, how, output);
      done(how);
    };
    log.info(`the ${kind} hook is started`, { component, hook: kind, program: command[0] });
    // Whoever reads the environment of a process sees what it is, and its tree is found by the mark.
    const marked = { ...env, TILLWATCH_HOOK: kind, TILLWATCH_INSTANCE: instance };
    ports.processes
      .start({ command, cwd, as, env: marked, logFile: output }, (code, signal) => {
        if (this.#runs.get(component)?.doomed !== true) end(endOf(kind, code, signal));
      })
      .then(
        (started) => {
          if (!started.ok) end({ ok: false, reason: started.reason });
          else if (!settled) {
            stopWatching = this.#watch(spec, instance, started.value.pid, output, end);
          }
        },
        (error: unknown) => end({ ok: false, reason: String(error) }),
      );
  }

  #watch(
    spec: HookSpec,
    instance: string,
    pid: number,
    output: string,
    end: (end: HookEnd) => void,
  ): Cancel {
    const { ports, bound } = this.#options;
    const { kind, component, timeoutMs } = spec;
    const leader = identify(ports, pid);
    const target = { instance, main: leader, shim: leader };
    const run: Run = { spec, target, end, doomed: false };
    this.#runs.set(component, run);
    const record = { kind, component, instance, ...leader };
    ports.files.replace(this.#pathOf(component, 'json'), JSON.stringify(record), 0o600);
    const early = this.#cancelled.get(component);
    if (early !== undefined) this.#put(run, early);
    const cancelTimeout = ports.timers.after(timeoutMs, () =>
      this.#put(run, `the ${kind} hook took longer than ${timeoutMs} ms and was ended`),
    );
    const cancelLooks = ports.timers.every(LOOK_MS, () => bound(output, OUTPUT_BYTES_MAX));
    return () => {
      cancelTimeout();
      cancelLooks();
    };
  }

  /** Away with it and with all that it has started; told only when they are gone. */
  #put(run: Run, reason: string): void {
    const { ports, log } = this.#options;
    const { component } = run.spec;
    if (run.doomed) return;
    run.doomed = true;
    const told = (): void => run.end({ ok: false, reason });
    killTree(ports, run.target).then(
      ({ survivors }) => {
        if (survivors.length > 0) log.error('a hook left processes', { component, survivors });
        told();
      },
      (error: unknown) => {
        log.error('a hook could not be ended', { component, cause: error });
        told();
      },
    );
  }

  cancel(component: string, reason: string): void {
    const run = this.#runs.get(component);
    if (run !== undefined) this.#put(run, reason);
    else if (this.#taken.has(component)) this.#cancelled.set(component, reason);
  }

  #tell({ kind, component }: HookSpec, { ok, reason }: HookEnd, output: string): void {
    const { log, ports } = this.#options;
    const text = ports.files.readEnd(output, TOLD_BYTES_MAX) ?? '';
    // It began within a line: what is left of that could be half a card number.
    const whole = text.length >= TOLD_BYTES_MAX ? text.replace(/^[^\n]*\n?/, '') : text;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
    const clean = whole.replace(/[\u0000-\u0009\u000b-\u001f\u007f]+/g, ' ');
    const lines = redactString(clean).value.split('\n');
    const printed = lines.filter((line) => line.trim() !== '').slice(-TOLD_LINES_MAX);
    const fields = { component, hook: kind, printed };
    if (ok) log.info(reason, fields);
    else log.warn(reason, fields);
  }

  async endLeftovers(): Promise<void> {
    const { ports, log } = this.#options;
    for (const name of ports.files.list(this.#folder)) {
      if (!name.endsWith('.json')) continue;
      const path = join(this.#folder, name);
      const record = readRecord(ports.files.read(path, 4_096));
      ports.files.remove(path);
      // A machine that is on its way down is not called back.
      if (record === undefined || record.kind === 'reboot') continue;
      const { component, instance, bootId, pid, startTicks } = record;
      if (bootId !== ports.clock.bootId()) continue;
      const leader = { bootId, pid, startTicks };
      const { survivors } = await killTree(ports, { instance, main: leader, shim: leader });
      log.warn('a hook that an agent before had begun is ended', { component, survivors });
    }
  }
}

function readRecord(text: string | undefined): v.InferOutput<typeof recordSchema> | undefined {
  try {
    const read = v.safeParse(recordSchema, JSON.parse(text ?? ''));
    return read.success ? read.output : undefined;
  } catch {
    return undefined;
  }
}

export const createHooks = (options: HooksOptions): Hooks => new HookRunner(options);
