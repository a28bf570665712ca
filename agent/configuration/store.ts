// Where a till keeps the fleet's documents, `<dataDir>/configuration/`: the good one, the one before it, the one on trial
// and the notes. A text begins with a line that names it and holds its digest, so that each file is whole or known
// to be damaged by itself, and which one is good does not depend on any other file. Written off the loop: a
// disk that hangs holds up the trial and nothing else.

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import * as v from 'valibot';
import { CONFIGURATION_BYTES_MAX } from '../../protocol/limits.ts';
import type { Result } from '../../protocol/result.ts';
import type { Files, Log } from '../ports.ts';
import {
  type Document,
  documentSchema,
  type Found,
  type FoundText,
  type Notes,
  notesSchema,
  SHELVES,
  type Shelf,
} from './types.ts';

const NOTES = 'notes.json';
const NOTES_BYTES_MAX = 64 * 1024;
const HEAD = '# ';
const HEAD_BYTES_MAX = 1_024;
const fileOf = (shelf: Shelf): string => `${shelf}.yaml`;

export const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');

export type StoreOptions = {
  readonly folder: string;
  readonly files: Pick<Files, 'read' | 'remove' | 'makeDirectory'>;
  /** Durable when it resolves. */
  readonly write: (path: string, text: string) => Promise<Result<void>>;
  readonly promote: (
    folder: string,
    names: Readonly<Record<'from' | 'good' | 'previous', string>>,
  ) => Promise<Result<void>>;
  readonly setAside: (folder: string, name: string) => Promise<void>;
  readonly log: Pick<Log, 'error'>;
};

type Text = { readonly document: Document; readonly text: string };

function parse(written: string): Text | 'damaged' {
  const end = written.indexOf('\n');
  const [head, text] = [written.slice(0, Math.max(0, end)), written.slice(end + 1)];
  if (!head.startsWith(HEAD)) return 'damaged';
  try {
    const read = v.safeParse(documentSchema, JSON.parse(head.slice(HEAD.length)));
    const isWhole = read.success && digestOf(text) === read.output.sha256;
    return isWhole ? { document: read.output, text } : 'damaged';
  } catch {
    return 'damaged';
  }
}

export class Store {
  readonly #options: StoreOptions;
  /** One after the other: a slow write must not overtake the next. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: StoreOptions) {
    this.#options = options;
  }

  #path(name: string): string {
    return join(this.#options.folder, name);
  }

  read(shelf: Shelf): Text | 'damaged' | undefined {
    const bytesMax = CONFIGURATION_BYTES_MAX + HEAD_BYTES_MAX;
    const written = this.#options.files.read(this.#path(fileOf(shelf)), bytesMax);
    return written === undefined ? undefined : parse(written);
  }

  #notes(): Found['notes'] {
    const text = this.#options.files.read(this.#path(NOTES), NOTES_BYTES_MAX);
    if (text === undefined) return undefined;
    try {
      const read = v.safeParse(notesSchema, JSON.parse(text));
      return read.success ? read.output : 'damaged';
    } catch {
      return 'damaged';
    }
  }

  /** What is damaged is said and set aside, for a person to look at. */
  async find(): Promise<Found> {
    const { folder, log, setAside } = this.#options;
    const damaged = async (name: string): Promise<'damaged'> => {
      log.error(`${this.#path(name)} is damaged: it is set aside`, { path: this.#path(name) });
      await setAside(folder, name);
      return 'damaged';
    };
    const texts: Record<Shelf, FoundText> = {
      trial: undefined,
      good: undefined,
      previous: undefined,
    };
    for (const shelf of SHELVES) {
      const text = this.read(shelf);
      texts[shelf] = text === 'damaged' ? await damaged(fileOf(shelf)) : text?.document;
    }
    const notes = this.#notes();
    return { ...texts, notes: notes === 'damaged' ? await damaged(NOTES) : notes };
  }

  #next(deed: () => Promise<Result<void>>): Promise<Result<void>> {
    const done = this.#last.then(deed);
    this.#last = done.catch(() => undefined);
    return done;
  }

  #write(name: string, text: string): Promise<Result<void>> {
    const { files, folder, write } = this.#options;
    return this.#next(async () => {
      const made = files.makeDirectory(folder, 0o700);
      return made.ok ? await write(this.#path(name), text) : made;
    });
  }

  write(shelf: Shelf, document: Document, text: string): Promise<Result<void>> {
    const { name, version, sha256 } = document;
    const head = JSON.stringify({ name, version, sha256 });
    return this.#write(fileOf(shelf), `${HEAD}${head}\n${text}`);
  }

  note(notes: Notes): Promise<Result<void>> {
    return this.#write(NOTES, JSON.stringify(notes));
  }

  promote(): Promise<Result<void>> {
    const [from, good, previous] = [fileOf('trial'), fileOf('good'), fileOf('previous')];
    const { promote, folder } = this.#options;
    return this.#next(() => promote(folder, { from, good, previous }));
  }

  drop(): void {
    this.#options.files.remove(this.#path(fileOf('trial')));
  }
}
