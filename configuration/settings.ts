// Settings that an operator applies to a running agent: those that it can take over safely while it watches, and no
// others. What a till allows (bounds), whom it believes and what it runs stand in its own file alone, because a command
// must not widen what commands may do. Read by the same readers as the file, with all problems at once, and a
// setting that is not named is as the file has it.

import * as v from 'valibot';
import { COMPONENTS_MAX } from './component.ts';
import type { AgentConfig } from './config.ts';
import { agentSchema } from './schema.ts';
import { id, list, oneOf, strict } from './words.ts';
import {
  keysOf,
  type Path,
  type Problem,
  type Problems,
  parseYaml,
  problem,
  sentenceOf,
  valueAt,
} from './yaml.ts';

const mode = oneOf('act', 'observe');
const { sampling, link } = agentSchema.pipe[0].entries;
const entries = {
  sampling,
  link,
  mode: v.optional(mode),
  /** Only off: what a till may break on purpose is for those who stand beside it to allow. */
  drills: v.optional(v.literal(false, 'must be false: drills can only be switched off from afar')),
  components: v.optional(list(strict({ name: id, mode }), COMPONENTS_MAX), []),
};
const settingsSchema = strict(entries);

/** What may change while the agent runs. */
export type Changeable = Pick<AgentConfig, 'sampling' | 'link' | 'mode' | 'drills'> & {
  readonly modes: Readonly<Record<string, AgentConfig['mode']>>;
};
export type ReadSettings =
  | { readonly ok: true; readonly value: Changeable }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export const changeableOf = (config: AgentConfig): Changeable => ({
  sampling: { ...config.sampling },
  link: { ...config.link },
  ...{ mode: config.mode, drills: config.drills },
  modes: Object.fromEntries(config.components.map((one) => [one.name, one.mode ?? config.mode])),
});

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Keys of the till's own file are known, and still not to be changed from afar. */
function refuseOthers(value: Record<string, unknown>, problems: Problems): void {
  for (const key of Object.keys(value)) {
    if (Object.hasOwn(entries, key) || !Object.hasOwn(agentSchema.pipe[0].entries, key)) continue;
    const known = Object.keys(entries).join(', ');
    const sentence = `cannot be changed in a running agent, it stands in the till's own file; what can: ${known}`;
    problems.add([key], sentence);
  }
}

function checkOrder(path: Path, low: number, high: number, name: string, to: Problems): void {
  if (low > high) to.add(path, `must not be more than ${name} (${high})`);
}

/** Only what was named is taken; defaults of the schema are not settings. */
const named = <T extends object>(base: T, read: T, raw: unknown): T => {
  const keys = isRecord(raw) ? Object.keys(raw) : [];
  const taken = Object.entries(read).filter(([key]) => keys.includes(key));
  return { ...base, ...Object.fromEntries(taken) };
};

/** @param base as the till's own file has it. */
export function readSettings(text: string, base: Changeable): ReadSettings {
  const parsed = parseYaml(text);
  if (!parsed.ok) return parsed;
  const { value, problems } = parsed;
  if (!isRecord(value)) return problem('the settings must be keys with their values');
  refuseOthers(value, problems);
  const shaped = v.safeParse(settingsSchema, value);
  for (const issue of shaped.issues ?? []) {
    const path = keysOf(issue);
    const isTold = path.length === 1 && problems.all.some((one) => one.path === path[0]);
    if (!isTold) problems.add(path, sentenceOf(issue));
  }
  const given = valueAt(value, ['components']);
  (Array.isArray(given) ? given : []).forEach((one, index) => {
    const name = valueAt(one, ['name']);
    if (typeof name !== 'string' || Object.hasOwn(base.modes, name)) return;
    problems.add(['components', index, 'name'], `no component is called "${name}"`);
  });
  // How the good ones fit together is told in the same answer.
  const known = Object.entries(value).filter(([key]) => Object.hasOwn(entries, key));
  const own = v.safeParse(settingsSchema, Object.fromEntries(known));
  if (!own.success) return { ok: false, problems: problems.all };
  const { output } = own;
  const next = {
    sampling: named(base.sampling, output.sampling, value['sampling']),
    link: named(base.link, output.link, value['link']),
  };
  const { everyMs, sendMs } = next.sampling;
  const { reconnectMsMin, reconnectMsMax } = next.link;
  checkOrder(['sampling', 'everyMs'], everyMs, sendMs, 'sendMs', problems);
  const least: Path = ['link', 'reconnectMsMin'];
  checkOrder(least, reconnectMsMin, reconnectMsMax, 'reconnectMsMax', problems);
  if (problems.all.length > 0) return { ok: false, problems: problems.all };
  const all = output.mode === undefined ? base.modes : modesOf(base.modes, output.mode);
  const modes = {
    ...all,
    ...Object.fromEntries(output.components.map((one) => [one.name, one.mode])),
  };
  const { mode = base.mode, drills = base.drills } = output;
  return { ok: true, value: { ...next, mode, drills, modes } };
}

const modesOf = (modes: Changeable['modes'], mode: AgentConfig['mode']): Changeable['modes'] =>
  Object.fromEntries(Object.keys(modes).map((name) => [name, mode]));
