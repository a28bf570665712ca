// Counters that must not go back with the agent: of each component its restarts and failures by cause and the time
// that it was ready, and the rungs of the ladder that were used. All but the rungs belong to the version that ran when
// they were counted: after an upgrade the old version keeps what it had and the new one begins at nothing. One small
// file, written at most once a second for what was counted and once a minute for time that passed (flash wears). What
// is told is what the disk has, never what is only in memory: an agent that is killed, or a power cut, can then take
// back nothing that was told, and whoever sees a counter fall would count everything in it once more.

import * as v from 'valibot';
import type { Cause, NewEvent } from '../protocol/events.ts';
import type { Result } from '../protocol/result.ts';
import type { Log } from './ports.ts';

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const ms = v.pipe(v.number(), v.minValue(0));
const RUNG_COUNTS_MAX = 200;
/** Of each component; what was not run for longest is forgotten. A till goes back by one or two at most. */
export const VERSIONS_MAX = 4;
/** With no failure for so long a component counts as stable. */
export const STABLE_AFTER_MS = 60 * 60_000;
/** Time passes all the time: it is worth a write only so often. */
export const TIME_WRITTEN_EVERY_MS = 60_000;
/** Looked at each second: what nobody watched (the agent was stopped) is not claimed as time that it ran. */
const WATCHED_MS_MAX = 5_000;

/** Keys are label values joined by a blank: none of them holds one. */
const counts = v.record(v.string(), count);
const ladderSchema = v.object({ used: counts, outcomes: counts, suppressed: counts });
const versionSchema = v.object({
  version: v.string(),
  restarts: counts,
  failures: counts,
  operationalMs: ms,
  stableMs: ms,
  /** Until it counts as stable again. */
  unstableMs: ms,
});
const empty = (version: string): v.InferOutput<typeof versionSchema> => ({
  ...{ version, restarts: {}, failures: {} },
  ...{ operationalMs: 0, stableMs: 0, unstableMs: 0 },
});
/** As agents wrote it that knew one version. */
const oldSchema = v.pipe(
  v.object({ version: v.string(), restarts: counts, ladder: v.optional(ladderSchema) }),
  v.transform(({ version, restarts, ladder }) => ({
    versions: [{ ...empty(version), restarts }],
    ladder,
  })),
);
const componentSchema = v.object({
  versions: v.pipe(v.array(versionSchema), v.maxLength(VERSIONS_MAX)),
  ladder: v.optional(ladderSchema),
});
const schema = v.object({
  components: v.record(v.string(), v.union([componentSchema, oldSchema])),
});
type State = v.InferOutput<typeof schema>;
type Version = v.InferOutput<typeof versionSchema>;
type Ladder = v.InferOutput<typeof ladderSchema>;

export type RungCount = { readonly rung: string; readonly count: number };
export type LadderCounts = {
  readonly used: readonly (RungCount & { readonly cause: string })[];
  readonly outcomes: readonly (RungCount & { readonly outcome: string })[];
  readonly suppressed: readonly (RungCount & { readonly cause: string })[];
};
/** What was counted of one version of a component, by cause and in milliseconds. */
export type VersionCounts = {
  readonly version: string;
  readonly restarts: Readonly<Partial<Record<string, number>>>;
  readonly failures: Readonly<Partial<Record<string, number>>>;
  readonly operationalMs: number;
  readonly stableMs: number;
};
export type Counted = {
  readonly counts: readonly VersionCounts[];
  readonly ladder: LadderCounts;
};
/** What is watched now. */
export type Running = {
  readonly name: string;
  readonly version: string;
  readonly model: { readonly state: string };
};

export type CountersOptions = {
  readonly path: string;
  readonly read: (path: string, bytesMax: number) => string | undefined;
  /** In the background: a disk that hangs must not stop who supervises. */
  readonly write: (path: string, text: string) => Promise<Result<void>>;
  readonly log: Log;
};

const FILE_BYTES_MAX = 512 * 1024;

function parse(text: string | undefined): State | undefined {
  if (text === undefined) return { components: {} };
  try {
    const read = v.safeParse(schema, JSON.parse(text));
    return read.success ? read.output : undefined;
  } catch {
    return undefined;
  }
}

const noLadder = (): Ladder => ({ used: {}, outcomes: {}, suppressed: {} });

export class Counters {
  readonly #options: CountersOptions;
  readonly #state: State = { components: {} };
  /** As the disk has it. */
  #told: State;
  /** Of each component, the incident that was counted last and is not over. */
  readonly #open = new Set<string>();
  #counted = false;
  #passed = false;
  #lookedAtMs: number | undefined;
  #writtenAtMs = 0;
  #saving: Promise<void> | undefined;

  /** @param components their names: what was counted of others is forgotten. */
  constructor(options: CountersOptions, components: Iterable<string>) {
    this.#options = options;
    const { path, read, log } = options;
    const state = parse(read(path, FILE_BYTES_MAX));
    if (state === undefined) log.error(`${path} cannot be read: restarts are counted anew`);
    for (const name of components) {
      const { versions = [], ladder = noLadder() } = state?.components[name] ?? {};
      this.#state.components[name] = { versions, ladder };
    }
    this.#told = structuredClone(this.#state);
  }

  /** For one sample. */
  counted(component: string, running: string): Counted {
    return { counts: this.counts(component, running), ladder: this.ladder(component) };
  }

  /** Of each version, the one that runs first. @param running has its zeros before anything was counted. */
  counts(component: string, running: string): readonly VersionCounts[] {
    const told = this.#told.components[component]?.versions ?? [];
    const now = told.find(({ version }) => version === running) ?? empty(running);
    return [now, ...told.filter((other) => other !== now)];
  }

  /** @param version of what was restarted, not of what is started: a new one must not inherit the old one's. */
  count(component: string, cause: Cause, version: string): void {
    const of = this.#versionOf(component, version);
    if (of === undefined) return;
    of.restarts[cause] = (of.restarts[cause] ?? 0) + 1;
    this.#counted = true;
  }

  /**
   * Failures are counted from what is told of them: when an incident is opened, and where nothing may be done, when
   * it is told what would have been done; once until it is ready again.
   */
  hear({ kind, component, fields }: NewEvent): void {
    if (kind === 'component_state' && fields.to === 'ready') this.#open.delete(component);
    const isNews = kind === 'recovery_suppressed' && !this.#open.has(component);
    if (kind !== 'incident_opened' && !isNews) return;
    this.#open.add(component);
    const of = this.#versionOf(component, fields.version);
    if (of === undefined) return;
    of.failures[fields.cause] = (of.failures[fields.cause] ?? 0) + 1;
    of.unstableMs = STABLE_AFTER_MS;
    this.#counted = true;
  }

  /** Once a second: time passes for those that run, and what is new is written. */
  keep(components: readonly Running[], nowMs: number): void {
    const passedMs = Math.min(WATCHED_MS_MAX, nowMs - (this.#lookedAtMs ?? nowMs));
    this.#lookedAtMs = nowMs;
    if (passedMs > 0) for (const running of components) this.#pass(running, passedMs);
    const isDue = nowMs - this.#writtenAtMs >= TIME_WRITTEN_EVERY_MS;
    if (!this.#counted && !(this.#passed && isDue)) return;
    this.#writtenAtMs = nowMs;
    void this.save();
  }

  #pass({ name, version, model }: Running, passedMs: number): void {
    const of = this.#versionOf(name, version);
    if (of === undefined) return;
    const stableMs = Math.max(0, passedMs - of.unstableMs);
    of.unstableMs = Math.max(0, of.unstableMs - passedMs);
    if (model.state !== 'ready') return;
    of.operationalMs += passedMs;
    of.stableMs += stableMs;
    this.#passed = true;
  }

  /** @returns it, as the one that ran last. */
  #versionOf(component: string, version: string): Version | undefined {
    const known = this.#state.components[component];
    if (known === undefined) return undefined;
    const [newest] = known.versions;
    if (newest?.version === version) return newest;
    const found = known.versions.find((one) => one.version === version) ?? empty(version);
    known.versions = [found, ...known.versions.filter((one) => one !== found)].slice(
      0,
      VERSIONS_MAX,
    );
    return found;
  }

  ladder(component: string): LadderCounts {
    const { used, outcomes, suppressed } = this.#told.components[component]?.ladder ?? noLadder();
    const pairs = (all: Readonly<Record<string, number>>) =>
      Object.entries(all).map(([key, count]) => {
        const [rung = '', word = ''] = key.split(' ');
        return { rung, word, count };
      });
    const byCause = ({ rung, word: cause, count }: ReturnType<typeof pairs>[number]) => ({
      ...{ rung, cause, count },
    });
    return {
      used: pairs(used).map(byCause),
      outcomes: pairs(outcomes).map(({ rung, word, count }) => ({ rung, outcome: word, count })),
      suppressed: pairs(suppressed).map(byCause),
    };
  }

  countLadder(component: string, what: keyof Ladder, rung: string, word: string): void {
    const counted = this.#state.components[component]?.ladder?.[what];
    const key = `${rung} ${word}`;
    if (counted === undefined) return;
    if (counted[key] === undefined && Object.keys(counted).length >= RUNG_COUNTS_MAX) return;
    counted[key] = (counted[key] ?? 0) + 1;
    this.#counted = true;
  }

  /** One write at a time. @returns when what was counted is written. */
  save(): Promise<void> {
    const isNew = this.#counted || this.#passed;
    if (isNew && this.#saving === undefined) this.#saving = this.#write();
    return this.#saving ?? Promise.resolve();
  }

  /** With what was counted while a write was under way. */
  async saveAll(): Promise<void> {
    await this.save();
    await this.save();
  }

  async #write(): Promise<void> {
    const { path, write, log } = this.#options;
    // Tried again with the next change, not each second: a full disk needs no help.
    this.#counted = false;
    this.#passed = false;
    const state = structuredClone(this.#state);
    const written = await write(path, JSON.stringify(state));
    this.#saving = undefined;
    if (written.ok) this.#told = state;
    else {
      this.#passed = true;
      log.error(`counters: ${written.reason}`);
    }
  }
}
