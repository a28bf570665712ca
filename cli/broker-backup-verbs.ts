// `tillwatch broker backup` and `broker restore`: like everything below `broker` they work on the files of this machine,
// not through the broker's API: who may do this owns the files, and a restore begins where no broker is.

import type { Command } from 'commander';
import { example, type Options, print, type Verb } from './command.ts';

const CONFIG = '/etc/tillwatch/broker.yaml';
const PASSPHRASE =
  'a file with the passphrase of the backup (else TILLWATCH_BACKUP_PASSPHRASE_FILE, or it is asked for)';

function addBackup(broker: Command, verb: Verb): void {
  example(
    broker
      .command('backup')
      .argument('<file>', 'written, or replaced once the new one is whole; readable by you alone')
      .description(
        'write everything that a broker needs to be itself again into one encrypted file',
      )
      .option('--config <file>', "the broker's configuration", CONFIG)
      .option('--passphrase-file <file>', PASSPHRASE)
      .option('--without-history', 'leave the samples of past hours out: often most of it')
      .option('--without-logs', 'leave received logs out')
      .option('--verify', 'read it again, to its last byte')
      .option('--list', 'say what is in a backup, having read all of it; nothing is written')
      .option('--json', 'print one JSON object')
      .action((file: string, options: Options) =>
        verb(async () => {
          const { runBrokerBackup } = await import('./verbs/broker-backup.ts');
          return runBrokerBackup(file, options, print);
        }),
      ),
    'tillwatch broker backup /mnt/nas/tillwatch.age --verify',
    'tillwatch broker backup --list /mnt/nas/tillwatch.age',
  );
}

function addRestore(broker: Command, verb: Verb): void {
  example(
    broker
      .command('restore')
      .argument('<file>', 'a backup')
      .description('make a broker from a backup, here or on another machine')
      .requiredOption('--data <folder>', 'for the data; empty, or not there yet')
      .requiredOption('--keys <folder>', 'for the keys; empty, or not there yet')
      .requiredOption('--config <file>', 'the configuration to write; must not be there yet')
      .option('--name <host,...>', 'what terminals and people call it from now on, too')
      .option('--revoked <file>', 'terminals that were revoked since, one a line')
      .option(
        '--resume-commands',
        'let commands that stop a till go out again, too: nobody knows whether they were done or cancelled since',
      )
      .option('--passphrase-file <file>', PASSPHRASE)
      .option('--json', 'print one JSON object')
      .action((file: string, options: Options) =>
        verb(async () => {
          const { runBrokerRestore } = await import('./verbs/broker-restore.ts');
          return runBrokerRestore(file, options, print);
        }),
      ),
    'tillwatch broker restore backup.age --config /etc/tillwatch/broker.yaml \\\n' +
      '      --data /var/lib/tillwatch-broker --keys /var/lib/tillwatch-broker-keys \\\n' +
      '      --name new.example.com',
  );
}

export function addBackupVerbs(broker: Command, verb: Verb): void {
  addBackup(broker, verb);
  addRestore(broker, verb);
}
