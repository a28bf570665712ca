// How long the broker keeps what, and what happens at each limit: one table. The schema of the settings, the
// text of the documentation and the code that enforces a limit all read it, so that none of them can say
// something that the others do not do. Ages go by when the broker received something (an answer late by
// three days is as new as it is useful), except for history, whose hours are those of the samples.

import * as v from 'valibot';
import { whole } from './config-parts.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const BYTES_MAX = 1024 ** 4;
const DAYS_MAX = 3_650;
export const DAY_MS = 86_400_000;

export type RetentionRow = {
  /** Of the value that a person may write. */
  readonly min: number;
  readonly max: number;
  readonly otherwise: number;
  /** What happens at the limit, as a sentence for the documentation. */
  readonly atLimit: string;
};

const row = (min: number, max: number, otherwise: number, atLimit: string): RetentionRow => ({
  min,
  max,
  otherwise,
  atLimit,
});

/** What is kept, and one row for each bound of it. */
export const RETENTION = {
  ledger: {
    what: 'Batches as terminals delivered them, for sinks, history and registry to read.',
    rows: {
      days: row(
        1,
        DAYS_MAX,
        7,
        'Older batches are deleted, oldest first, once registry, history and every sink have taken them; ' +
          'which numbers were received is remembered for ever, so that a late copy is never new.',
      ),
      bytesMax: row(
        MIB,
        BYTES_MAX,
        GIB,
        'From 90 % on, the oldest batches that all have taken are deleted. When none is left to delete, ' +
          'nothing more is accepted or acknowledged, terminals keep what they have, and /readyz and ' +
          '/metrics say so.',
      ),
    },
  },
  events: {
    what: 'What happened on the terminals, as the API shows it.',
    rows: {
      days: row(1, DAYS_MAX, 90, 'Older events are deleted, oldest first.'),
      rowsMax: row(1_000, 100_000_000, 1_000_000, 'The oldest events beyond it are deleted.'),
    },
  },
  registry: {
    what: 'The file that holds terminals, events, commands, requests for logs and the audit log.',
    rows: {
      bytesMax: row(
        16 * MIB,
        BYTES_MAX,
        2 * GIB,
        'From 90 % on, the oldest events are deleted. Terminals, open commands and the audit log never are.',
      ),
      commandDays: row(
        1,
        DAYS_MAX,
        90,
        'Finished commands that are older are deleted; the audit log keeps who asked for them.',
      ),
      commandsMax: row(
        100,
        1_000_000,
        10_000,
        'The oldest finished commands beyond it are deleted; open ones never are.',
      ),
    },
  },
  deadLetters: {
    what: 'Why a batch could not be read, or a sink would not take a sample.',
    rows: {
      days: row(1, DAYS_MAX, 30, 'Older ones are deleted; the counters in /metrics go on.'),
      rowsMax: row(100, 1_000_000, 10_000, 'The oldest beyond it are deleted.'),
    },
  },
  logs: {
    what: 'Log lines that operators asked terminals for.',
    rows: {
      days: row(
        1,
        DAYS_MAX,
        30,
        'Answers that ended longer ago are deleted whole; who asks for one is told that it has expired. ' +
          'One that is still arriving is never deleted.',
      ),
      bytesMax: row(
        64 * MIB,
        BYTES_MAX,
        2 * GIB,
        'The oldest answers that have ended are deleted whole until the rest fits.',
      ),
      requestsMax: row(
        10,
        2_000,
        200,
        'The oldest requests that have ended are forgotten; when all are open, a new one is refused.',
      ),
    },
  },
  history: {
    what: 'The samples of each terminal by hour, for the API.',
    rows: {
      days: row(1, 366, 7, 'Older hours are deleted; sinks and their databases keep theirs.'),
      bytesMax: row(
        16 * MIB,
        BYTES_MAX,
        8 * GIB,
        'The oldest hours are deleted, of all terminals alike, until the rest fits.',
      ),
    },
  },
  audit: {
    what: 'Who did what, and why: at least twelve months.',
    rows: {
      days: row(
        365,
        DAYS_MAX,
        400,
        'Older entries are deleted, from the oldest on; the hash of the last one that went stays, so that ' +
          'the chain of the others can still be checked.',
      ),
      bytesMax: row(
        16 * MIB,
        BYTES_MAX,
        512 * MIB,
        'Nothing is deleted for size: the broker says it in its log and in ' +
          'tillwatch_retention_over_bound, and goes on writing, because an audit log that forgets is none.',
      ),
    },
  },
} as const satisfies Record<
  string,
  { readonly what: string; readonly rows: Readonly<Record<string, RetentionRow>> }
>;

type Table = typeof RETENTION;
export type RetentionGroup = keyof Table;
/** Numbers by group and setting: days, bytes, rows. */
export type Retention = {
  readonly [G in RetentionGroup]: { readonly [S in keyof Table[G]['rows']]: number };
};
/** `ledger.days`, `audit.bytesMax` ... */
export type RetentionSetting = {
  [G in RetentionGroup]: `${G}.${keyof Table[G]['rows'] & string}`;
}[RetentionGroup];

/** Every row with the name under which it stands in the configuration. */
export const RETENTION_ROWS: readonly (readonly [RetentionSetting, RetentionRow])[] =
  Object.entries(RETENTION).flatMap(([name, { rows }]) =>
    Object.entries<RetentionRow>(rows).map(
      ([setting, limit]) => [`${name}.${setting}` as RetentionSetting, limit] as const,
    ),
  );

const settingsOf = (rows: Readonly<Record<string, RetentionRow>>) =>
  v.optional(
    v.strictObject(
      Object.fromEntries(
        Object.entries(rows).map(([name, { min, max, otherwise }]) => [
          name,
          v.optional(whole(min, max), otherwise),
        ]),
      ),
      'must be a group of settings',
    ),
    {},
  );

// The table's keys are the type's keys; valibot's own inference does not reach through Object.entries.
export const retentionSchema = v.optional(
  v.strictObject(
    Object.fromEntries(
      Object.entries(RETENTION).map(([name, { rows }]) => [name, settingsOf(rows)]),
    ),
    'must be a group of settings',
  ),
  {},
) as unknown as v.GenericSchema<Retention | undefined, Retention>;

export const RETENTION_DEFAULT: Retention = v.parse(retentionSchema, {});

function amount(name: string, value: number): string {
  if (!name.startsWith('bytes')) return String(value).replace(/\B(?=(\d{3})+$)/g, ' ');
  return value % GIB === 0 ? `${value / GIB} GiB` : `${value / MIB} MiB`;
}

/** The table as Markdown, for people. */
export function retentionText(): string {
  const lines = Object.entries(RETENTION).flatMap(([name, { what, rows }]) =>
    Object.entries<RetentionRow>(rows).map(([setting, limit], index) => {
      const about = index === 0 ? what : '';
      const value = amount(setting, limit.otherwise);
      return `| ${about} | \`${name}.${setting}\` | ${value} | ${limit.atLimit} |`;
    }),
  );
  const head = [
    '| what | setting under `retention` | unless said | at the limit |',
    '| - | - | - | - |',
  ];
  return [...head, ...lines].join('\n');
}
