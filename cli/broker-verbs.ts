// What is done to a broker's keys on its own machine, below `tillwatch broker`: making them and rotating them. None of
// it goes through the broker's API: whoever may do this owns the files anyway, and nobody else ever should.

import type { Command } from 'commander';
import { addBackupVerbs } from './broker-backup-verbs.ts';
import { example, type Options, print, type Verb } from './command.ts';

const CONFIG = '/etc/tillwatch/broker.yaml';
const PASSPHRASE =
  'a file with the passphrase of the keys (else TILLWATCH_PASSPHRASE_FILE, or nothing)';

function addInit(broker: Command, verb: Verb): void {
  example(
    broker
      .command('init')
      .description("make a fleet: its authority, its keys, the broker's configuration, an operator")
      .requiredOption('--name <host,...>', 'what terminals and people call this machine')
      .option('--config <file>', 'the configuration to write', CONFIG)
      .option(
        '--data-dir <folder>',
        'where data goes; data/ beside the configuration if not in /etc',
      )
      .option('--keys-dir <folder>', 'where keys go; keys/ beside the configuration if not in /etc')
      .option('--mqtt-port <port>', 'for terminals', '8883')
      .option('--http-port <port>', 'for people; the same as the other one to share it', '8443')
      .option('--authority-cert <file>', 'use an existing authority instead of a new one')
      .option('--authority-key <file>', 'its key')
      .option('--passphrase-file <file>', PASSPHRASE)
      .option('--ask-passphrase', 'type a passphrase for the keys on this terminal')
      .option('--json', 'print one JSON object')
      .action((options: Options) =>
        verb(async () => {
          const { runBrokerInit } = await import('./verbs/broker-init.ts');
          return runBrokerInit(options, print);
        }),
      ),
    'tillwatch broker init --name centre.example.com',
    'tillwatch broker init --config ./broker.yaml --name 192.168.1.10',
  );
}

function addRotate(broker: Command, verb: Verb): void {
  example(
    broker
      .command('rotate')
      .argument('[what]', 'authority or command-key; without it: where both stand')
      .description('replace the authority or the key that signs commands, step by step')
      .option('--config <file>', "the broker's configuration", CONFIG)
      .option('--switch', 'second step: use the new one')
      .option('--finish', 'third step: stop believing the old one')
      .option('--cancel', 'take the first step back')
      .option('--force', 'also when terminals are locked out by it')
      .option('--authority-cert <file>', 'begin with an existing authority')
      .option('--authority-key <file>', 'its key')
      .option('--passphrase-file <file>', PASSPHRASE)
      .option('--json', 'print one JSON object')
      .action((what: string | undefined, options: Options) =>
        verb(async () => {
          const { runBrokerRotate } = await import('./verbs/broker-rotate.ts');
          return runBrokerRotate(what, options, print);
        }),
      ),
    'tillwatch broker rotate command-key',
    'tillwatch broker rotate command-key --switch',
    'tillwatch broker rotate command-key --finish',
  );
}

/** @param program that has the verb `broker` already. */
export function addBrokerVerbs(program: Command, verb: Verb): void {
  const broker = program.commands.find((one) => one.name() === 'broker');
  if (broker === undefined) throw new Error('bug: there is no verb "broker"');
  // Else `--config` behind `init` would be the one of `broker`, and its default would be written to. Both have to know:
  // the outer one decides what the inner one sees in front of its verbs.
  program.enablePositionalOptions();
  broker.enablePositionalOptions();
  addInit(broker, verb);
  addRotate(broker, verb);
  addBackupVerbs(broker, verb);
}
