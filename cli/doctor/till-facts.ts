// What the checks of a till look at, read once: its configuration, the agent's own answer where there is one, its
// identity where this user may see it. Whatever cannot be had is there as the reason why not.

import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { Store } from '../../agent/configuration/store.ts';
import type { FoundText, Shelf } from '../../agent/configuration/types.ts';
import { realFiles } from '../../agent/system/files.ts';
import { type Loaded, loadIdentity } from '../../agent/system/identity-folder.ts';
import { type AgentConfig, loadConfig, type Problem } from '../../configuration/config.ts';
import { patternProblems } from '../../configuration/patterns.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { type TillAnswer, tillSchema } from '../../protocol/till.ts';
import { EXIT } from '../exit.ts';
import { tillIn } from '../till.ts';
import { type Process, processOf, type Seen, see, textOf } from './look.ts';

export type Agent =
  | { readonly kind: 'answers'; readonly value: TillAnswer; readonly process: Process | undefined }
  /** Somebody's, and this user may not ask it. */
  | { readonly kind: 'hidden'; readonly reason: string }
  | { readonly kind: 'silent'; readonly reason: string };

export type TillFacts = {
  readonly file: string;
  readonly text: Seen<string>;
  readonly problems: readonly Problem[];
  /** Also where it has problems that do not concern it: the folders are known then. */
  readonly config: AgentConfig | undefined;
  readonly documents: Readonly<Partial<Record<Shelf, Exclude<FoundText, undefined>>>>;
  readonly agent: Agent;
  readonly identity: Result<Loaded | undefined>;
  /** Why it cannot be told whether there is one. */
  readonly identityHidden: string | undefined;
  readonly uid: number;
  readonly env: NodeJS.ProcessEnv;
  readonly nowMs: number;
};

async function askAgent(runDir: string): Promise<Agent> {
  const reply = await tillIn(runDir)({ kind: 'status' });
  if (!reply.ok) {
    if (reply.exit === EXIT.denied) return { kind: 'hidden', reason: reply.sentence };
    const code = /\((E[A-Z]+)\)/.exec(reply.sentence)?.[1];
    const nobody = code === 'ENOENT' ? 'it does not run' : `its socket is nobody's (${code})`;
    return { kind: 'silent', reason: code === undefined ? reply.sentence : nobody };
  }
  const till = v.safeParse(tillSchema, reply.value);
  if (!till.success) {
    return { kind: 'silent', reason: 'it answers and is of another version than this program' };
  }
  const { output: value } = till;
  return { kind: 'answers', value, process: processOf(value.pid) };
}

function documentsIn(dataDir: string): TillFacts['documents'] {
  const refused = async () => fail('a doctor changes nothing');
  const store = new Store({
    folder: join(dataDir, 'configuration'),
    ...{ files: realFiles, write: refused, promote: refused, setAside: async () => undefined },
    log: { error: () => undefined },
  });
  const found: Partial<Record<Shelf, Exclude<FoundText, undefined>>> = {};
  for (const shelf of ['trial', 'good', 'previous'] as const) {
    const read = store.read(shelf);
    if (read !== undefined) found[shelf] = read === 'damaged' ? read : read.document;
  }
  return found;
}

function identityOf({ identityDir, terminal }: AgentConfig) {
  const seen = see(() => loadIdentity(identityDir, terminal));
  if (seen.ok && (seen.value.ok || !/EACCES|EPERM/.test(seen.value.reason))) {
    return { identity: seen.value, identityHidden: undefined };
  }
  const reason = seen.ok
    ? seen.value.ok
      ? ''
      : seen.value.reason
    : `${identityDir}: ${seen.code}`;
  return { identity: fail(reason), identityHidden: reason };
}

/** The own file alone holds folders and identity; the document only adds what is watched. */
async function configOf(text: string, file: string) {
  const folder = dirname(file);
  const own = loadConfig(text, folder);
  if (!own.ok) return { problems: own.problems, config: undefined, documents: {} };
  const { dataDir } = own.config;
  const seen = see(() => documentsIn(dataDir));
  const documents = seen.ok ? seen.value : {};
  const shelf = documents.trial === undefined ? 'good' : 'trial';
  const raw = textOf(join(dataDir, 'configuration', `${shelf}.yaml`));
  const hasText = raw.ok && typeof documents[shelf] === 'object';
  const whole = hasText
    ? loadConfig(text, folder, raw.value.slice(raw.value.indexOf('\n') + 1))
    : own;
  const patterns = whole.ok ? await patternProblems(whole.config) : [];
  const problems = whole.ok ? patterns : whole.problems;
  return { problems, config: whole.ok ? whole.config : own.config, documents };
}

export async function readTill(file: string, env: NodeJS.ProcessEnv): Promise<TillFacts> {
  const text = textOf(file);
  const { problems, config, documents } = text.ok
    ? await configOf(text.value, file)
    : { problems: [], config: undefined, documents: {} };
  const agent: Agent =
    config === undefined
      ? { kind: 'silent', reason: `nobody knows where it is without ${file}` }
      : await askAgent(config.runDir);
  const none = { identity: ok(undefined), identityHidden: 'its folder is not known' };
  const identity = config === undefined ? none : identityOf(config);
  const uid = process.getuid?.() ?? 0;
  return {
    file,
    text,
    problems,
    config,
    documents,
    agent,
    ...identity,
    uid,
    env,
    nowMs: Date.now(),
  };
}
