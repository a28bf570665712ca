// What intake writes down beside its places, in the same block of the journal: what it has counted so far, and of each
// file what tells it from another of the same name. Because it is one block with the records, a record is counted
// once whatever is killed. A file that was emptied and has grown again is known by a checksum of what stood before the
// place: those bytes are as they were, or nulls since they were taken, and anything else is another story. Pure.

import * as v from 'valibot';
import type { Place } from '../journal/types.ts';
import type { Standing } from './lines.ts';
import type { CountedLevel, RecordCount } from './types.ts';

/** Newest versions of a component whose records are counted; what older ones printed ends as `other`. */
export const COUNTED_VERSIONS_MAX = 4;
export const OTHER_VERSION = 'other';
export const LEVELS: readonly CountedLevel[] = ['error', 'warn', 'info', 'debug', 'none'];
/** Of a version's name, in the note. */
const VERSION_CHARS_MAX = 100;
/** So many bytes before a place are what it is known by. */
export const MARK_BYTES = 64;

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const noteSchema = v.object({
  /** By version: how many of each of LEVELS, in that order. */
  counts: v.array(v.tuple([v.string(), v.array(count)])),
  /** By inode: version, mark (bytes, crc), standing. */
  files: v.array(v.tuple([count, v.string(), count, count, v.picklist(['start', 'half', 'skip'])])),
});

/** CRC-32 of so many bytes before a place; none where nothing is known, as behind a hole. */
export type Mark = { readonly bytes: number; readonly crc: number };
export const NO_MARK: Mark = { bytes: 0, crc: 0 };

export type FileNote = {
  readonly inode: number;
  readonly version: string;
  readonly mark: Mark;
  readonly standing: Standing;
};
export type NotedFile = FileNote & Place;

/** Records of one component by version and level. The version seen last stands last. */
export class RecordCounts {
  #byVersion: Map<string, number[]>;

  constructor(known: Iterable<readonly [string, readonly number[]]> = []) {
    this.#byVersion = new Map([...known].map(([version, counts]) => [version, [...counts]]));
  }

  copy(): RecordCounts {
    return new RecordCounts(this.#byVersion);
  }

  add(version: string, level: CountedLevel): void {
    const name = version.slice(0, VERSION_CHARS_MAX);
    const known = this.#byVersion.get(name) ?? LEVELS.map(() => 0);
    const at = LEVELS.indexOf(level);
    known[at] = (known[at] ?? 0) + 1;
    if (this.#byVersion.has(name)) return;
    this.#byVersion.set(name, known);
    this.#forgetOld();
  }

  /** A counter must not fall: what is forgotten of one version goes on in another. */
  #forgetOld(): void {
    const named = [...this.#byVersion.keys()].filter((version) => version !== OTHER_VERSION);
    for (const version of named.slice(0, -COUNTED_VERSIONS_MAX)) {
      const gone = this.#byVersion.get(version) ?? [];
      const other = this.#byVersion.get(OTHER_VERSION) ?? [];
      this.#byVersion.delete(version);
      const sum = LEVELS.map((_, at) => (gone[at] ?? 0) + (other[at] ?? 0));
      this.#byVersion.set(OTHER_VERSION, sum);
    }
  }

  entries(): [string, number[]][] {
    return [...this.#byVersion].map(([version, counts]) => [version, [...counts]]);
  }

  list(component: string): RecordCount[] {
    return [...this.#byVersion].flatMap(([version, counts]) =>
      LEVELS.flatMap((level, at) => {
        const found = counts[at] ?? 0;
        return found > 0 ? [{ component, level, version, count: found }] : [];
      }),
    );
  }
}

export const encodeNote = (counts: RecordCounts, files: readonly FileNote[]): string =>
  JSON.stringify({
    counts: counts.entries(),
    files: files.map(({ inode, version, mark, standing }) => [
      inode,
      version.slice(0, VERSION_CHARS_MAX),
      mark.bytes,
      mark.crc,
      standing,
    ]),
  });

export type Noted = { readonly counts: RecordCounts; readonly files: readonly NotedFile[] };

/** @returns what can be read of it: places hold without a note. */
export function decodeNote(note: string, places: readonly Place[]): Noted {
  let read: v.InferOutput<typeof noteSchema> = { counts: [], files: [] };
  try {
    read = v.parse(noteSchema, JSON.parse(note));
  } catch {
    // None yet, or one of another time: counting begins anew, places stand.
  }
  const byInode = new Map(read.files.map(([inode, ...rest]) => [inode, rest]));
  return {
    counts: new RecordCounts(read.counts),
    files: places.map((place) => {
      const [version = '', bytes = 0, crc = 0, standing = 'start'] = byInode.get(place.inode) ?? [];
      return { ...place, version, mark: { bytes, crc }, standing };
    }),
  };
}
