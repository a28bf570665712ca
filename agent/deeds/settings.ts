// The settings that were applied to this agent, `<dataDir>/applied.yaml`: read when it begins, replaced by a command. The
// configuration is one object that everybody holds; what may change in a running agent changes in it, and whoever
// keeps a copy is told (configure.ts). A file that does not fit any more, after an upgrade or an edit of the
// till's own file, is said and left aside: then the till is as its own file has it.

import { join } from 'node:path';
import type { AgentConfig } from '../../configuration/config.ts';
import { type Changeable, changeableOf, readSettings } from '../../configuration/settings.ts';
import { formatProblem } from '../../configuration/yaml.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Files, Log } from '../ports.ts';

const FILE_BYTES_MAX = 16 * 1024;

export type SettingsOptions = {
  readonly config: AgentConfig;
  readonly read: Files['read'];
  /** Durable when it returns. */
  readonly write: (path: string, text: string) => Result<void>;
  readonly log: Log;
};

export class Settings {
  readonly #options: SettingsOptions;
  readonly #path: string;
  /** As the till's own file has it. */
  readonly #base: Changeable;
  /** Whether something lies over the configuration. */
  isApplied = false;

  constructor(options: SettingsOptions) {
    const { config, read, log } = options;
    this.#options = options;
    this.#path = join(config.dataDir, 'applied.yaml');
    this.#base = changeableOf(config);
    const text = read(this.#path, FILE_BYTES_MAX);
    if (text === undefined) return;
    const found = readSettings(text, this.#base);
    if (found.ok) this.#take(found.value);
    else {
      const problems = found.problems.map(formatProblem);
      log.error('the settings that were applied do not fit and are left aside', { problems });
    }
  }

  /** @returns once they are on disk and in force; a sentence with all that is wrong. */
  apply(text: string): Result<Changeable> {
    const read = readSettings(text, this.#base);
    if (!read.ok) return fail(read.problems.map(formatProblem).join('; '));
    const written = this.#options.write(this.#path, text);
    if (!written.ok) return written;
    this.#take(read.value);
    return ok(read.value);
  }

  #take({ modes, sampling, link, mode, drills }: Changeable): void {
    const { config } = this.#options;
    this.isApplied = true;
    Object.assign(config.sampling, sampling);
    Object.assign(config.link, link);
    Object.assign(config, { mode, drills });
    for (const component of config.components) {
      Object.assign(component, { mode: modes[component.name] ?? mode });
    }
  }
}
