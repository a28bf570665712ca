// The configuration of a restored broker: the one of before, with its comments, where only places and names are others.

import { dirname } from 'node:path';
import { isMap, parseDocument } from 'yaml';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { type BrokerConfig, formatProblem, loadConfig } from '../config.ts';

export type Places = {
  readonly dataDir: string;
  readonly keysDir: string;
  readonly configFile: string;
  /** By which it is reached from now on; those of before stay behind them. */
  readonly names: readonly string[];
};

export function restoredConfig(
  text: string,
  { dataDir, keysDir, configFile, names }: Places,
): Result<{ text: string; config: BrokerConfig }> {
  const document = parseDocument(text, { version: '1.2', schema: 'core' });
  if (document.contents !== null && !isMap(document.contents)) {
    return fail('the configuration in the backup is none');
  }
  document.set('dataDir', dataDir);
  if (document.has('keysDir') || keysDir !== dataDir) document.set('keysDir', keysDir);
  const before = loadConfig(text, dirname(configFile));
  const known = before.ok ? before.config.names : [];
  const all = [...new Set([...names, ...known])];
  if (names.length > 0) document.set('names', document.createNode(all, { flow: true }));
  const written = document.toString({ lineWidth: 0 });
  const loaded = loadConfig(written, dirname(configFile));
  if (loaded.ok) return ok({ text: written, config: loaded.config });
  return fail(`its configuration: ${loaded.problems.map(formatProblem).join('; ')}`);
}
