// How an agent begins: the till's own file says where it keeps its things, what lies there says which document of the
// fleet is in force, and only both together are its configuration. The folders are locked first, because to begin
// under a document on trial is an attempt that is counted. Used by the agent as a program and by `tillwatch agent`.

import { join } from 'node:path';
import { type AgentConfig, loadConfig, type Problem } from '../configuration/config.ts';
import { patternProblems } from '../configuration/patterns.ts';
import type { Result } from '../protocol/result.ts';
import { type Agent, startAgent } from './agent.ts';
import { Keeper, type OwnFile } from './configuration/keeper.ts';
import { Store } from './configuration/store.ts';
import { type Overrides, takeFolders } from './rooms.ts';
import { promoteFile, setAside } from './system/configuration-files.ts';
import { writeDurablyLater } from './system/disk.ts';
import { realPorts } from './system.ts';

export type Begun =
  | { readonly ok: true; readonly value: Agent; readonly config: AgentConfig }
  | { readonly ok: 'config'; readonly problems: readonly Problem[] }
  | Extract<Result<never>, { ok: false }>;

/** @param own as it was read: it is good by itself. */
export async function beginAgent(own: OwnFile, overrides: Overrides = {}): Promise<Begun> {
  const loaded = loadConfig(own.text, own.folder);
  if (!loaded.ok) return { ok: 'config', problems: loaded.problems };
  const ports = overrides.ports ?? realPorts();
  const locks = await takeFolders(loaded.config, ports);
  if (!locks.ok) return locks;
  const early: string[] = [];
  const store = new Store({
    folder: join(loaded.config.dataDir, 'configuration'),
    ...{ files: ports.files, write: writeDurablyLater, promote: promoteFile, setAside },
    log: { error: (sentence) => early.push(sentence) },
  });
  const configuration = new Keeper({ own, store, clock: ports.clock, early });
  const config = await configuration.choose(loaded.config, await store.find());
  const patterns = await patternProblems(config);
  if (patterns.length > 0) {
    for (const release of locks.value) release();
    return { ok: 'config', problems: patterns };
  }
  const all = { ...overrides, configuration, locks: locks.value };
  const started = await startAgent(config, all);
  return started.ok ? { ...started, config } : started;
}
