// The configuration of the broker on this machine, for verbs below `tillwatch broker` that work on its files: every problem
// of it in one sentence.

import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { BrokerConfig } from '../../broker/config.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';

export async function readBrokerFile(
  file: string,
): Promise<Result<{ config: BrokerConfig; text: string }>> {
  const { formatProblem, loadConfig } = await import('../../broker/config.ts');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return fail(`${file} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  const loaded = loadConfig(text, dirname(file));
  return loaded.ok
    ? ok({ config: loaded.config, text })
    : fail(`${file}: ${loaded.problems.map(formatProblem).join('; ')}`);
}
