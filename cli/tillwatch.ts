// `tillwatch`: the one executable. This file only says which verbs there are; each verb is loaded when it
// is called, so that `--help` stays quick and the broker's libraries are not on a till. Exit codes are
// those of sysexits(3); what stands in the source of a verb is an Outcome, never a stack trace.

import { Command, CommanderError } from 'commander';
import manifest from '../package.json' with { type: 'json' };
import { addAuditVerbs } from './audit-verbs.ts';
import { addBrokerVerbs } from './broker-verbs.ts';
import { addBulkVerbs } from './bulk-verbs.ts';
import { say, type Verb } from './command.ts';
import { addCompletion, COMPLETE, runComplete } from './completion/verb.ts';
import { addConfigVerbs, readConfigVersion } from './config-verbs.ts';
import { addDoctorVerb } from './doctor-verb.ts';
import { addDrillVerb } from './drill-verb.ts';
import { addErrorsVerb, readVersion } from './errors-verb.ts';
import { addEventsVerb } from './events-verb.ts';
import { done, EXIT, EXIT_MEANINGS, type ExitCode, type Outcome } from './exit.ts';
import { groupVerbs, inOrder } from './help-groups.ts';
import { addIdentityVerbs } from './identity-verbs.ts';
import { addJoinVerb } from './join-verb.ts';
import { addMaintenanceVerbs } from './maintenance-verbs.ts';
import { addContextOption, addOperatorVerbs } from './operator-verbs.ts';
import { addPrograms } from './programs.ts';
import { addQuestions } from './questions.ts';
import { addRedactVerb } from './redact-verb.ts';
import { addReportVerb } from './report-verb.ts';
import { COLUMNS } from './screen.ts';
import { addSinksVerb } from './sinks-verb.ts';
import { addStoreVerbs } from './store-verbs.ts';
import { addTargetVerbs } from './target-verbs.ts';
import { addTillVerbs } from './till-verbs.ts';

const exitLines = (): string[] =>
  Object.entries(EXIT_MEANINGS).map(
    ([name, meaning]) => `  ${String(EXIT[name as keyof typeof EXIT]).padEnd(4)} ${meaning}`,
  );

export function createProgram(verb: Verb): Command {
  const program = new Command('tillwatch')
    .description('Keeps the tills of a retail chain selling.')
    .version(manifest.version)
    .exitOverride()
    .configureHelp({
      helpWidth: COLUMNS,
      ...inOrder,
      // The first word only, and without "[options]", which every verb has: the descriptions need the room.
      subcommandTerm: (verb) => {
        const [first] = verb.registeredArguments;
        if (first === undefined) return verb.name();
        return `${verb.name()} ${first.required ? `<${first.name()}>` : `[${first.name()}]`}`;
      },
    })
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, 'tillwatch: ')),
    })
    .showHelpAfterError('(see tillwatch --help)');
  addPrograms(program, verb);
  addJoinVerb(program, verb);
  addBrokerVerbs(program, verb);
  addQuestions(program, verb);
  addIdentityVerbs(program, verb);
  addBulkVerbs(program, verb);
  addConfigVerbs(program, verb);
  addTargetVerbs(program, verb);
  addMaintenanceVerbs(program, verb);
  addErrorsVerb(program, verb);
  addEventsVerb(program, verb);
  addReportVerb(program, verb);
  addSinksVerb(program, verb);
  addStoreVerbs(program, verb);
  addRedactVerb(program, verb);
  addAuditVerbs(program, verb);
  addTillVerbs(program, verb);
  addDoctorVerb(program, verb);
  addDrillVerb(program, verb);
  addOperatorVerbs(program, verb);
  addCompletion(program, verb);
  addContextOption(program);
  groupVerbs(program);
  program.addHelpText(
    'after',
    [
      '',
      'Environment:',
      '  TILLWATCH_URL        the broker, http://127.0.0.1:8080 if not set',
      '  TILLWATCH_API_TOKEN  its token, from the file api-token in its data folder',
      '  TILLWATCH_AUTHORITY  its authority in PEM, if this machine lacks it',
      '  TILLWATCH_CONTEXT    which fleet is asked, as --context says it',
      '  Who has signed in (tillwatch login) or is in the folder of a demo needs none.',
      '  TILLWATCH_RUN_DIR    on a till: its run directory, /run/tillwatch if not set',
      '',
      'Exit codes:',
      ...exitLines(),
    ].join('\n'),
  );
  return program;
}

/** @returns the exit code; prints the sentence that goes with it */
export async function run(argv: readonly string[]): Promise<ExitCode> {
  let outcome: Outcome = done;
  const program = createProgram(async (verb) => {
    outcome = await verb();
  });
  if (argv[0] === COMPLETE) {
    await runComplete(program, argv.slice(1));
    return EXIT.ok;
  }
  try {
    await program.parseAsync(readConfigVersion(readVersion(argv)), { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Commander has printed what is wrong; asking for help or the version is not an error.
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
  if (outcome.sentence !== undefined) say(outcome.sentence);
  return outcome.exit;
}

function leaveQuietly(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  // The demo has processes to end first; it listens for this itself.
  if (process.stdout.listenerCount('error') === 1) process.exit(EXIT.ok);
}

if (import.meta.main) {
  // `tillwatch fleet | head` closes our output early; that is no error of ours.
  process.stdout.on('error', leaveQuietly);
  try {
    process.exitCode = await run(process.argv.slice(2));
  } catch (error) {
    if ((error as NodeJS.ErrnoException)?.syscall === 'uv_cwd') {
      say('the folder that you are in is not there any more');
      process.exitCode = EXIT.unavailable;
    } else {
      say(`this is a bug of ours: ${error instanceof Error ? error.stack : String(error)}`);
      process.exitCode = EXIT.bug;
    }
  }
}
