// What was counted of one component's output, and up to where: together, because only then a line is counted once
// whatever happens to the agent in between. Pure data with the few ways in which it changes. Bounded in every
// direction: a label that never repeats ends up under `other`, and only the newest versions stay.

import * as v from 'valibot';

/** Of one counter; what is one too many is counted under `other`, of each version. */
export const SETS_MAX = 20;
export const TALLY_VERSIONS_MAX = 3;
/** Lives that wait to be read; a crash loop makes one a second. */
export const FILES_MAX = 32;
export const OTHER = 'other';
/** Each life that waits may have a version of its own. */
const OTHERS_MAX = TALLY_VERSIONS_MAX + FILES_MAX;

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const file = v.object({
  path: v.string(),
  version: v.string(),
  /** 0 until it was seen. */
  inode: count,
  /** Before this everything was looked at; always the begin of a line. */
  position: count,
});
const set = v.object({ version: v.string(), values: v.array(v.string()), count });
const tallySchema = v.object({
  /** The first is being read, the others follow. */
  files: v.pipe(v.array(file), v.maxLength(FILES_MAX)),
  counters: v.record(v.string(), v.pipe(v.array(set), v.maxLength(SETS_MAX + OTHERS_MAX))),
  unreadBytes: count,
});
const talliesSchema = v.object({ components: v.record(v.string(), tallySchema) });
export type TalliesState = v.InferOutput<typeof talliesSchema>;
export const TALLIES_BYTES_MAX = 2 * 1024 * 1024;
export type Tally = v.InferOutput<typeof tallySchema>;
export type TallySet = v.InferOutput<typeof set>;
export type TallyFile = Tally['files'][number];

export const emptyTally = (): Tally => ({ files: [], counters: {}, unreadBytes: 0 });

/** A life began (or was found): its output is read when what was before it is done. */
export function begin(tally: Tally, path: string, version: string): boolean {
  if (tally.files.some((known) => known.path === path)) return false;
  tally.files.push({ path, version, inode: 0, position: 0 });
  // Not the first: of that one a part is counted.
  if (tally.files.length > FILES_MAX) tally.files.splice(1, 1);
  dropOldVersions(tally);
  return true;
}

function dropOldVersions(tally: Tally): void {
  for (const [name, sets] of Object.entries(tally.counters)) {
    const versions = [...new Set(sets.map(({ version }) => version))];
    const current = tally.files.at(-1)?.version;
    const others = versions.filter((version) => version !== current);
    const gone = new Set(others.slice(0, Math.max(0, others.length - TALLY_VERSIONS_MAX + 1)));
    if (gone.size > 0) tally.counters[name] = sets.filter(({ version }) => !gone.has(version));
  }
}

export function add(tally: Tally, name: string, version: string, values: readonly string[]): void {
  tally.counters[name] ??= [];
  const sets = tally.counters[name];
  const find = (wanted: readonly string[]) =>
    sets.find(
      (one) => one.version === version && one.values.every((value, at) => value === wanted[at]),
    );
  const known = find(values);
  if (known !== undefined) {
    known.count += 1;
    return;
  }
  const isFull = sets.length >= SETS_MAX;
  const made = isFull ? values.map(() => OTHER) : [...values];
  const other = isFull ? find(made) : undefined;
  if (other !== undefined) other.count += 1;
  else if (sets.length < SETS_MAX + OTHERS_MAX) sets.push({ version, values: made, count: 1 });
}

/** @returns undefined when it is damaged. */
export function readTallies(text: string | undefined): TalliesState | undefined {
  try {
    const read = v.safeParse(talliesSchema, JSON.parse(text ?? '{"components":{}}'));
    return read.success ? read.output : undefined;
  } catch {
    return undefined;
  }
}
