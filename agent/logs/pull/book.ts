// The file in which open requests stand: read once, when the agent begins, and written as a whole whenever one begins,
// gets its plan or ends. Live tails stand there by name.

import { ok, type Result } from '../../../protocol/result.ts';
import {
  type Entry,
  type Kept,
  PULLS_FILE_BYTES_MAX,
  parseEntries,
  type TailEntry,
} from './entry.ts';
import type { PullsOptions } from './types.ts';

export class Book {
  readonly found: readonly Kept[];
  readonly #o: Pick<PullsOptions, 'path' | 'write' | 'log'>;
  readonly #entries: () => readonly Entry[];
  #tails: readonly TailEntry[] = [];

  /** @param entries that stand there beside the live tails, at each writing. */
  constructor(options: PullsOptions, entries: () => readonly Entry[]) {
    this.#o = options;
    this.#entries = entries;
    this.found = readEntries(options);
  }

  write(): Result<void> {
    return this.#o.write(this.#o.path, JSON.stringify([...this.#entries(), ...this.#tails]));
  }

  readonly note = (entry: TailEntry): Result<void> => {
    this.#tails = [...this.#tails, entry];
    const written = this.write();
    if (written.ok) return ok(undefined);
    this.#tails = this.#tails.filter((one) => one !== entry);
    return written;
  };

  readonly forget = (request: string): void => {
    this.#tails = this.#tails.filter((one) => one.request !== request);
    const written = this.write();
    if (!written.ok) this.#o.log.error(written.reason);
  };
}

function readEntries({ path, read, log }: PullsOptions): Kept[] {
  const text = read(path, PULLS_FILE_BYTES_MAX);
  if (text === undefined) return [];
  try {
    return parseEntries(text);
  } catch (error) {
    log.error(`${path} cannot be read: requests for logs are forgotten`, { reason: String(error) });
    return [];
  }
}
