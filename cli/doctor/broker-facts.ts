// What the checks of a broker look at, read once: its configuration, the process that runs under it, and the authorities
// that its own certificate is judged by. No session is needed: whoever is woken because nobody can sign in must be able
// to ask.

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type BrokerConfig, loadConfig, type Problem } from '../../broker/config.ts';
import { paths, readState, type TrustState } from '../../broker/trust/state.ts';
import { fail, type Result } from '../../protocol/result.ts';
import { type Process, processOf, type Seen, see, textOf } from './look.ts';

export type BrokerFacts = {
  readonly file: string;
  readonly text: Seen<string>;
  readonly problems: readonly Problem[];
  readonly config: BrokerConfig | undefined;
  /** Of broker.json, if that process lives. */
  readonly process: Process | undefined;
  /** Where it says that it listens. */
  readonly told:
    | { readonly mqttPort: number; readonly httpPort: number; readonly version: string }
    | undefined;
  readonly trust: Result<TrustState>;
  readonly authorities: readonly string[];
  readonly uid: number;
  readonly env: NodeJS.ProcessEnv;
  readonly nowMs: number;
};

type Told = { pid: number; mqttPort: number; httpPort: number; version: string };

function toldIn(dataDir: string): Told | undefined {
  const seen = see(() => JSON.parse(readFileSync(join(dataDir, 'broker.json'), 'utf8')) as Told);
  return seen.ok ? seen.value : undefined;
}

function trustIn({ keysDir, plainText }: BrokerConfig) {
  if (plainText) return { trust: fail('plain text'), authorities: [] };
  const seen = see(() => readState(keysDir));
  const trust = seen.ok ? seen.value : fail(`${keysDir} cannot be read (${seen.code})`);
  if (!trust.ok) return { trust, authorities: [] };
  const texts = trust.value.authorities.map(({ name }) => textOf(paths.certificate(keysDir, name)));
  return { trust, authorities: texts.flatMap((one) => (one.ok ? [one.value] : [])) };
}

export function readBroker(file: string, env: NodeJS.ProcessEnv): BrokerFacts {
  const text = textOf(file);
  const loaded = text.ok ? loadConfig(text.value, dirname(file)) : undefined;
  const config = loaded?.ok ? loaded.config : undefined;
  const told = config && toldIn(config.dataDir);
  const process_ = told && processOf(told.pid);
  const common = { file, text, env, nowMs: Date.now(), uid: process.getuid?.() ?? 0 };
  const trust =
    config === undefined ? { trust: fail('no configuration'), authorities: [] } : trustIn(config);
  return {
    ...{ ...common, ...trust, config },
    problems: loaded === undefined || loaded.ok ? [] : loaded.problems,
    process: process_,
    told: process_ === undefined ? undefined : told,
  };
}
