// Reads the agent's configuration: YAML, once, strictly, and with all its problems at once, each with its
// path, its line and a sentence. A till is configured by somebody far away who gets one look at the
// answer, so nothing is guessed, ignored or repaired. After the shape (schema.ts) come the
// relations (relations.ts). Over the till's own file lies the document of the fleet, where there is one
// (fleet.ts): each of its keys replaces the whole key of the file, so that what runs is read in one place.

import { join, resolve } from 'node:path';
import type * as v from 'valibot';
import { withPaths } from './external.ts';
import { type FleetConfig, isRecord, readDocument } from './fleet.ts';
import { checkRelations, checkRunDir } from './relations.ts';
import { agentSchema } from './schema.ts';
import { type Problem, parseYaml, problem, readShape } from './yaml.ts';

export { socketPath } from './relations.ts';
export { CONFIG_BYTES_MAX, formatProblem, type Problem } from './yaml.ts';

type Read = v.InferOutput<typeof agentSchema>;
export type AgentConfig = Omit<Read, 'logDir' | 'identityDir' | 'components'> & {
  readonly logDir: string;
  readonly identityDir: string;
  /** None where they come with the document of the fleet, and none has come. */
  readonly components: NonNullable<Read['components']>;
};
export type ComponentConfig = AgentConfig['components'][number];

export type Loaded =
  | { readonly ok: true; readonly config: AgentConfig }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Relative folders are meant from where the file lies, wherever the agent was started. */
function withFolders(config: Read, folder: string): AgentConfig {
  const dataDir = resolve(folder, config.dataDir);
  return {
    ...config,
    dataDir,
    runDir: resolve(folder, config.runDir),
    identityDir: resolve(folder, config.identityDir ?? join(dataDir, 'identity')),
    logDir: config.logDir === undefined ? join(dataDir, 'logs') : resolve(folder, config.logDir),
    components: (config.components ?? []).map((component) => withPaths(component, folder)),
  };
}

function loadOwn(text: string, folder: string): Loaded {
  const parsed = parseYaml(text);
  if (!parsed.ok) return parsed;
  const { value, problems } = parsed;
  if (value === null) return problem('the file is empty');
  if (!isRecord(value)) {
    return problem('the file must hold keys with their values, as in `terminal: lane-1`');
  }
  const shaped = readShape(agentSchema, value, problems);
  checkRelations(value, problems);
  checkRunDir(value, folder, problems);
  if (!shaped.success || problems.all.length > 0) return { ok: false, problems: problems.all };
  return { ok: true, config: withFolders(shaped.output, folder) };
}

/**
 * @param folder where the file lies; relative paths in the document are meant from there as well.
 * @param document the text of the fleet's document, where the till has one.
 * @returns the whole configuration, or every problem of it.
 */
export function loadConfig(text: string, folder: string, document?: string): Loaded {
  const own = loadOwn(text, folder);
  if (document === undefined) return own;
  const read = readDocument(document, ' of the document', own.ok ? own.config.bounds : {});
  if (!own.ok || !read.ok) {
    const problems = [...(own.ok ? [] : own.problems), ...(read.ok ? [] : read.problems)];
    return { ok: false, problems };
  }
  return { ok: true, config: withDocument(own.config, read.value, folder) };
}

function withDocument(own: AgentConfig, document: FleetConfig, folder: string): AgentConfig {
  const { components, ...rest } = document;
  if (components === undefined) return { ...own, ...rest };
  return { ...own, ...rest, components: components.map((one) => withPaths(one, folder)) };
}
