// `tillwatch broker rotate`: one step of replacing the authority or the key that signs commands. Three steps, because
// terminals have to hear of the new one before it is used and be done with the old one before it is dropped; after each
// it says what the next one is and whom it waits for.

import { resolve } from 'node:path';
import type { BrokerConfig } from '../../broker/config.ts';
import type { RotationView } from '../../broker/trust/rotate.ts';
import type { Phase, Target } from '../../broker/trust/rotation.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Options } from '../command.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { readBrokerFile } from './broker-file.ts';
import { authorityOf, passphraseOf } from './broker-passphrase.ts';

type Print = (line: string) => unknown;
const TARGETS: Readonly<Record<string, Target>> = {
  authority: 'authority',
  'command-key': 'command',
};
const WHAT = { authority: 'authority', command: 'command-key' } as const;

async function readConfig(file: string): Promise<Result<BrokerConfig>> {
  const read = await readBrokerFile(file);
  if (!read.ok) return read;
  return read.value.config.plainText
    ? fail(`${file} says plainText: there is neither authority nor rotation`)
    : ok(read.value.config);
}

function stepOf(options: Options): Result<'start' | 'switch' | 'finish' | 'cancel'> {
  const steps = (['switch', 'finish', 'cancel'] as const).filter((one) => options[one] === true);
  if (steps.length > 1) return fail('one step at a time: --switch, then --finish');
  return ok(steps[0] ?? 'start');
}

const PHASES: Readonly<Record<Phase, string>> = {
  settled: 'one is believed and used, no rotation is under way',
  started: 'the new one is believed beside the old one, which is still used',
  switched: 'the new one is used, the old one still believed',
};
const NEXT: Readonly<Record<Phase, string | undefined>> = {
  settled: undefined,
  started: '--switch',
  switched: '--finish',
};

async function tell(
  target: Target,
  { phase, waitsFor }: RotationView[Target],
  file: string,
  print: Print,
): Promise<void> {
  const { namesOf } = await import('../../broker/trust/rotate.ts');
  print(`${WHAT[target]}: ${PHASES[phase]}`);
  const next = NEXT[phase];
  if (next === undefined) return;
  if (waitsFor.length > 0) {
    const [word, verb] = waitsFor.length === 1 ? ['terminal', 'is'] : ['terminals', 'are'];
    print(`  ${waitsFor.length} ${word} ${verb} not ready for the next step: ${namesOf(waitsFor)}`);
  } else print('  every terminal is ready for the next step');
  print(`  then: tillwatch broker rotate ${WHAT[target]} ${next} --config ${file}`);
}

export async function runBrokerRotate(
  what: string | undefined,
  options: Options,
  print: Print,
): Promise<Outcome> {
  const target = what === undefined ? undefined : TARGETS[what];
  if (what !== undefined && target === undefined) {
    return ended(EXIT.usage, `"${what}" cannot be rotated: authority or command-key`);
  }
  const step = stepOf(options);
  if (!step.ok) return ended(EXIT.usage, step.reason);
  const file = resolve(String(options['config']));
  const config = await readConfig(file);
  if (!config.ok) return ended(EXIT.usage, config.reason);
  const { keysDir, dataDir } = config.value;
  const authority = authorityOf(options);
  if (!authority.ok) return ended(EXIT.usage, authority.reason);
  const passphrase = await passphraseOf(options, keysDir);
  if (!passphrase.ok) return ended(EXIT.usage, passphrase.reason);
  const { rotateTrust, viewRotations } = await import('../../broker/trust/rotate.ts');
  if (target !== undefined) {
    const rotated = await rotateTrust({
      ...{ keysDir, dataDir, passphrase: passphrase.value, target, step: step.value },
      ...{ force: options['force'] === true, authority: authority.value, nowMs: Date.now() },
    });
    if (!rotated.ok) return ended(EXIT.failed, rotated.reason);
  }
  const view = viewRotations(keysDir, dataDir, passphrase.value);
  if (!view.ok) return ended(EXIT.failed, view.reason);
  if (options['json'] === true) {
    print(JSON.stringify(view.value, undefined, 2));
    return done;
  }
  for (const one of target === undefined ? (['authority', 'command'] as const) : [target]) {
    await tell(one, view.value[one], file, print);
  }
  return done;
}
