// A document of the fleet's configuration: the same keys as the till's own file, read by the same schema, without those
// that a till decides alone: who it is, where it keeps its things, whom it believes and what it allows. So nothing that
// comes over the line can widen what may come over the line. Read at the centre before it leaves, and again
// on the till before anything changes.

import * as v from 'valibot';
import { checkRelations } from './relations.ts';
import { agentSchema } from './schema.ts';
import { type Path, type Problem, type Problems, parseYaml, problem, readShape } from './yaml.ts';

/** What stands in the till's own file alone. */
export const LOCAL_KEYS = [
  'terminal',
  'dataDir',
  'runDir',
  'logDir',
  'identityDir',
  'onExit',
  'broker',
  'trust',
  'bounds',
  'watchdogDevice',
] as const;
type LocalKey = (typeof LOCAL_KEYS)[number];

const agentEntries = agentSchema.pipe[0].entries;
const isLocal = (key: string): boolean => (LOCAL_KEYS as readonly string[]).includes(key);
type Entries = Omit<typeof agentEntries, LocalKey | 'drills'> & { readonly drills: typeof drills };

/** Only off: what a till may break on purpose is for those who stand beside it to allow. */
const drills = v.optional(
  v.literal(false, 'must be false: drills can only be switched off from afar'),
);

export const fleetEntries = {
  ...Object.fromEntries(Object.entries(agentEntries).filter(([key]) => !isLocal(key))),
  drills,
} as unknown as Entries;

const known = Object.keys(fleetEntries).join(', ');
const STRANGER = `is not a key that belongs here; known are: ${known}`;
const LOCAL = "stands in the till's own file alone: leave it out of the document";

const fleetSchema = v.objectWithRest(fleetEntries, v.never(STRANGER));
type Whole = v.InferOutput<v.ObjectSchema<Entries, undefined>>;

/** Only what the document names; each key replaces the one of the till's own file as a whole. */
export type FleetConfig = { readonly [K in keyof Whole]?: Exclude<Whole[K], undefined> };
export type ReadDocument =
  | {
      readonly ok: true;
      readonly value: FleetConfig;
      /** What most tills refuse, as far as it can be known without their own files. */
      readonly notices: readonly Problem[];
    }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Told apart from a key that nobody knows: whoever copied a till's file has it at once. */
function refuseLocal(value: Record<string, unknown>, problems: Problems) {
  const others = Object.entries(value).filter(([key]) => {
    if (isLocal(key)) problems.add([key], LOCAL);
    return !isLocal(key);
  });
  return Object.fromEntries(others);
}

const ROOT = 'root';
const MAY_NOT = "in a document: the till's own file does not list root in bounds.users";
const MOSTLY_NOT = 'a till refuses the document unless its own file lists root in bounds.users';

/** What a till lets a document do (bounds in its own file). */
export type DocumentBounds = { readonly users?: readonly string[] | undefined };

/** Whoever may write a document must not become root by it where nobody at the till has said so. */
function checkUsers(
  { components = [] }: FleetConfig,
  { users }: DocumentBounds,
  add: (path: Path, sentence: string, notice: string) => void,
): void {
  const mayRoot = users?.includes(ROOT) === true;
  for (const [index, { user, group }] of components.entries()) {
    const at = (key: string): Path => ['components', index, key];
    const isListed = user === undefined || users === undefined || users.includes(user);
    if (user === ROOT && !mayRoot)
      add(at('user'), `may not be root ${MAY_NOT}`, `is root: ${MOSTLY_NOT}`);
    else if (!isListed) {
      const known = users.length === 0 ? 'nobody' : users.join(', ');
      const told = `the till's own file lets a document name ${known} (bounds.users) and not ${user}`;
      add(at('user'), told, told);
    }
    if (group === ROOT && !mayRoot) {
      add(at('group'), `may not be root's group ${MAY_NOT}`, `is root's: ${MOSTLY_NOT}`);
    }
  }
}

/**
 * @param bounds of the till that reads it; undefined: at the centre, which knows no till's own file.
 * @param of what its lines are said to be in, where the till's own file is read with it.
 * @returns what the document says, or every problem of it.
 */
export function readDocument(text: string, of = '', bounds?: DocumentBounds): ReadDocument {
  const parsed = parseYaml(text, of);
  if (!parsed.ok) return parsed;
  const { problems } = parsed;
  if (parsed.value === null) return problem('the file is empty');
  if (!isRecord(parsed.value)) {
    return problem('the document must hold keys with their values, as in `mode: act`');
  }
  const value = refuseLocal(parsed.value, problems);
  const shaped = readShape(fleetSchema, value, problems);
  checkRelations(value, problems);
  if (!shaped.success || problems.all.length > 0) return { ok: false, problems: problems.all };
  const said = Object.entries(shaped.output).filter(([key]) => Object.hasOwn(value, key));
  if (said.length === 0) return problem('the document says nothing');
  const document = Object.fromEntries(said) as FleetConfig;
  checkUsers(document, bounds ?? {}, (path, sentence, notice) =>
    problems.add(path, bounds === undefined ? notice : sentence),
  );
  if (bounds !== undefined && problems.all.length > 0) return { ok: false, problems: problems.all };
  return { ok: true, value: document, notices: problems.all };
}
