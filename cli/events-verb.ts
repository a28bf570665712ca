// How `tillwatch events` is written on the command line; what it does stands in verbs/events.ts.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { example, type Options, say, textOf, type Verb, withBroker } from './command.ts';

/** Enough for a screen; who names a time wants what happened since, who follows wants what comes. */
function limitFor(options: Options): string {
  if (options['since'] !== undefined) return '1000';
  return options['follow'] === true ? '10' : '50';
}

export function addEventsVerb(program: Command, verb: Verb): void {
  example(
    program
      .command('events')
      .description('what happened on the terminals, or with --follow what happens')
      .option('--terminal <id>', 'only of this terminal')
      .option('--store <id>', 'only of the terminals of this store')
      .option('-c, --component <name>', 'only of this component')
      .option('--kind <kind>', 'only of this kind, for example incident_opened')
      .option('--since <when>', '10m, 2h, 14:30 or "2026-11-23 14:30"')
      .option('-n, --limit <n>', 'at most so many, the newest; 50 if not given')
      .option('-f, --follow', 'go on with what comes, until Ctrl-C')
      .option('--json', 'print one JSON object; one a line with --follow')
      .action((options: Options) =>
        verb(async () => {
          const { runEvents } = await import('./verbs/events.ts');
          const { liveEvents } = await import('./live.ts');
          const { terminal, store, component, kind, since } = options;
          return withBroker(options, (context, operator) =>
            runEvents(context, {
              ...{ terminal: textOf(terminal), store: textOf(store), since: textOf(since) },
              ...{ component: textOf(component), kind: textOf(kind) },
              limit: textOf(options['limit']) ?? limitFor(options),
              follow: options['follow'] === true,
              note: say,
              live: (query, after) => liveEvents({ operator, query, after, sleep }),
            }),
          );
        }),
      ),
    'tillwatch events --terminal bm-lane-1 --since 1h',
    'tillwatch events --kind incident_opened --follow',
  );
}
