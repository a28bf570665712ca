// The verbs with which people sign in and out, choose a fleet, and let others in. `--context NAME` is for every verb, before
// or after it: it says which fleet is asked, whatever the environment or a folder says.

import { type Command, Option } from 'commander';
import { createClient } from './client.ts';
import { example, JSON_WORDS, type Options, print, textOf, type Verb } from './command.ts';
import { EXIT, ended, type Outcome } from './exit.ts';
import { findOperator } from './operator.ts';
import type { LoginContext } from './verbs/login.ts';
import type { OperatorsContext } from './verbs/operators.ts';

async function loginContext(options: Options): Promise<LoginContext> {
  const { person } = await import('./prompt.ts');
  return { print, env: process.env, person, json: options['json'] === true };
}

async function withOperators(
  options: Options,
  run: (context: OperatorsContext) => Promise<Outcome>,
): Promise<Outcome> {
  const operator = findOperator(process.env, process.cwd());
  if (!operator.ok) return ended(EXIT.usage, operator.reason);
  return await run({
    print,
    tell: (line) => process.stderr.write(`${line}\n`),
    client: createClient(operator.value),
    nowMs: Date.now,
    json: options['json'] === true,
  });
}

function addSignIn(program: Command, verb: Verb): void {
  example(
    program
      .command('login')
      .argument('<url>', 'the broker, for example https://broker.example:8443')
      .description('sign in to a fleet; the token is asked for, or read from standard input')
      .option('--as <name>', 'who you are; the token says it, too')
      .option('--authority <fingerprint>', 'SHA-256 of its authority, as broker init printed it')
      .option('--json', JSON_WORDS)
      .action((url: string, options: Options) =>
        verb(async () => {
          const { runLogin } = await import('./verbs/login.ts');
          const { as, authority } = options;
          const wish = { url, as: textOf(as), authority: textOf(authority) };
          return await runLogin(await loginContext(options), wish);
        }),
      ),
    'tillwatch login https://broker.example:8443 --context north',
    'tillwatch login https://10.0.0.5:8443 --authority 5f2c... < token-file',
  );
  example(
    program
      .command('logout')
      .description('end the session with a fleet')
      .option('--json', JSON_WORDS)
      .action((options: Options) =>
        verb(async () => {
          const { leaveContext } = await import('./verbs/contexts.ts');
          return await leaveContext(await loginContext(options), undefined, false);
        }),
      ),
    'tillwatch logout',
    'tillwatch logout --context north',
  );
}

function addContexts(program: Command, verb: Verb): void {
  const contexts = program
    .command('contexts')
    .description('the fleets that you have signed in to, and which one is asked')
    .option('--json', JSON_WORDS)
    .action((options: Options) =>
      verb(async () => {
        const { listContexts } = await import('./verbs/contexts.ts');
        return listContexts(await loginContext(options));
      }),
    );
  contexts
    .command('use')
    .argument('<context>', 'its name')
    .description('ask this fleet from now on')
    .option('--json', JSON_WORDS)
    .action((name: string, options: Options) =>
      verb(async () => {
        const { useContext } = await import('./verbs/contexts.ts');
        return useContext(await loginContext(options), name);
      }),
    );
  contexts
    .command('remove')
    .argument('<context>', 'its name')
    .description('sign out of it and forget it')
    .option('--json', JSON_WORDS)
    .action((name: string, options: Options) =>
      verb(async () => {
        const { leaveContext } = await import('./verbs/contexts.ts');
        return await leaveContext(await loginContext(options), name, true);
      }),
    );
  example(contexts, 'tillwatch contexts', 'tillwatch contexts use north');
}

type Change = { readonly role?: string; readonly enabled?: boolean };

function addOperators(program: Command, verb: Verb): void {
  const list = (options: Options): Promise<void> =>
    verb(async () => {
      const { listOperators } = await import('./verbs/operators.ts');
      return withOperators(options, (context) => listOperators(context));
    });
  const operators = program
    .command('operators')
    .description('who may sign in and do what (for admins)')
    .option('--json', JSON_WORDS)
    .action(list);
  const add = (name: string, what: string): Command => {
    const command = operators.command(name).description(what).option('--json', JSON_WORDS);
    return name === 'list' ? command : command.argument('<operator>', 'the name');
  };
  add('list', 'who there is, with which role').action(list);
  add('add', 'let somebody in; prints the token, once')
    .option('--role <role>', 'viewer, oncall or admin (needed)')
    .action((name: string, options: Options) =>
      verb(async () => {
        const { addOperator } = await import('./verbs/operators.ts');
        const role = textOf(options['role']);
        return withOperators(options, (context) => addOperator(context, name, role));
      }),
    );
  add('token', 'make a new token: the old one and its sessions end').action(
    (name: string, options: Options) =>
      verb(async () => {
        const { newOperatorToken } = await import('./verbs/operators.ts');
        return withOperators(options, (context) => newOperatorToken(context, name));
      }),
  );
  const change = (name: string, wish: Change, options: Options): Promise<void> =>
    verb(async () => {
      const { changeOperator } = await import('./verbs/operators.ts');
      return withOperators(options, (context) => changeOperator(context, name, wish));
    });
  add('disable', 'let somebody in no longer; ends their sessions').action(
    (name: string, options: Options) => change(name, { enabled: false }, options),
  );
  add('enable', 'let somebody in again who was disabled').action((name: string, options: Options) =>
    change(name, { enabled: true }, options),
  );
  add('role', 'change what somebody may do')
    .argument('<role>', 'viewer, oncall or admin')
    .action((name: string, role: string, options: Options) => change(name, { role }, options));
  example(
    operators,
    'tillwatch operators add kim --role oncall > token-for-kim',
    'tillwatch operators role kim admin',
  );
}

export function addOperatorVerbs(program: Command, verb: Verb): void {
  addSignIn(program, verb);
  addContexts(program, verb);
  addOperators(program, verb);
}

/**
 * Call it when all verbs are there: each takes it, before or after its own words. A verb that means something else by
 * that word (`logs`) takes it before its name only.
 */
export function addContextOption(program: Command): void {
  const others = new Set<Command>();
  const add = (command: Command): void => {
    const option = new Option('--context <context>', 'ask this fleet (tillwatch contexts)');
    if (command.options.some(({ long }) => long === '--context')) others.add(command);
    else command.addOption(command === program ? option : option.hideHelp());
    for (const one of command.commands) add(one);
  };
  add(program);
  program.hook('preAction', (_program, verb) => {
    const from = others.has(verb) ? program : verb;
    const { context } = from.optsWithGlobals<{ context?: string }>();
    // Where every verb looks (operator.ts), and what it starts.
    if (context !== undefined) process.env['TILLWATCH_CONTEXT'] = context;
  });
}
