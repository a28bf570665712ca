// How `tillwatch audit` is written on the command line: the list, and below it `verify`, `export` and `head`.

import type { Command } from 'commander';
import { example, type Options, print, textOf, type Verb, withBroker } from './command.ts';

const collect = (value: string, before: readonly string[] = []): readonly string[] => [
  ...before,
  value,
];

function addVerify(audit: Command, verb: Verb): void {
  example(
    audit
      .command('verify')
      .description('prove that no entry was changed, removed, added or cut off')
      .option('--file <file>', 'a copy of registry.db, or an export, instead of the broker')
      .option(
        '--key <key>',
        'ed25519:... or a file with it (audit-key.pub); more than once',
        collect,
      )
      .option('--head <file>', 'a head that was kept: history up to it is unchanged')
      .option('--json', 'print one JSON object')
      .action((options: Options) =>
        verb(async () => {
          const { runVerifyFile, runVerifyBroker } = await import('./verbs/audit-verify.ts');
          const { file, head } = options;
          const keys = (options['key'] as readonly string[] | undefined) ?? [];
          const wish = { keys, head: textOf(head) };
          const json = options['json'] === true;
          if (typeof file === 'string') return runVerifyFile(file, wish, { print, json });
          return withBroker(options, (context, operator) =>
            runVerifyBroker(context, operator, wish),
          );
        }),
      ),
    'tillwatch audit verify',
    'tillwatch audit verify --file copy.db --key audit-key.pub --head head.json',
  );
}

export function addAuditVerbs(program: Command, verb: Verb): void {
  const audit = example(
    program
      .command('audit')
      .description('who did what and why: the list, and the proof that it is whole')
      .option('--operator <name>', 'only what this one did')
      .option('--action <words>', 'only this, for example command or operator.add')
      .option('--subject <id>', 'only what was done to this terminal, operator, ...')
      .option('--outcome <words>', 'only what ended so, for example refused')
      .option('--since <when>', '10m, 2h, 14:30 or "2026-11-23 14:30"')
      .option('--until <when>', 'the same')
      .option('-n, --limit <n>', 'at most so many, the newest', '50')
      .option('--json', 'print one JSON object')
      .action((options: Options) =>
        verb(async () => {
          const { runAudit } = await import('./verbs/audit.ts');
          const { operator, action, subject, outcome, since, until, limit } = options;
          return withBroker(options, (context) =>
            runAudit(context, {
              ...{ operator: textOf(operator), action: textOf(action), subject: textOf(subject) },
              ...{ outcome: textOf(outcome), since: textOf(since), until: textOf(until) },
              limit: String(limit),
            }),
          );
        }),
      ),
    'tillwatch audit --since 1d --outcome refused',
    'tillwatch audit verify',
    'tillwatch audit head > head.json',
  );
  // Else `--json` behind `verify` would be that of `audit` (broker-verbs.ts).
  audit.enablePositionalOptions();
  addVerify(audit, verb);
  example(
    audit
      .command('export')
      .description('write the whole log into a file that proves itself')
      .option('--out <file>', 'where to; it must not be there yet (needed)')
      .option('--json', 'print one JSON object')
      .action((options: Options) =>
        verb(async () => {
          const { runExport } = await import('./verbs/audit-verify.ts');
          return withBroker(options, (context, operator) =>
            runExport(context, operator, textOf(options['out'])),
          );
        }),
      ),
    'tillwatch audit export --out audit-2026.jsonl',
  );
  example(
    audit
      .command('head')
      .description('the signed head as one line: keep it elsewhere, verify with --head')
      .option('--json', 'print one JSON object')
      .action((options: Options) =>
        verb(async () => {
          const { runHead } = await import('./verbs/audit.ts');
          return withBroker(options, runHead);
        }),
      ),
    'tillwatch audit head > head-$(date +%F).json',
  );
}
