// npm run bench -- NAME [--json]: runs one benchmark on the built programs; without a name it lists them. Everything
// before the last line is for people; exit code 0 says that it ran, `ok` whether each target was met, and 1 that
// what must never happen did (a false kill in a soak).

import { parseArgs } from 'node:util';
import { print, type Report } from './harness.ts';
import type { Options } from './options.ts';

type Benchmark = {
  readonly what: string;
  readonly options: string;
  readonly load: () => Promise<{ run: (options: Options) => Promise<Report> }>;
};
const benchmarks: Readonly<Record<string, Benchmark>> = {
  recovery: {
    what: 'how long a till is without a component; with --peers beside other supervisors',
    options: '[--n COUNT] [--peers [--only KEY,KEY]]',
    load: () => import('./recovery.ts'),
  },
  notice: {
    what: 'how soon a death is heard, adopted or not, beside a plain Node parent',
    options: '[--n COUNT]',
    load: () => import('./notice.ts'),
  },
  soak: {
    what: 'a till with sales and random faults: false kills, time to recovery',
    options: '[--minutes TIME] [--seed NUMBER]',
    load: () => import('./soak.ts'),
  },
  wire: {
    what: 'bytes a day and a sample, beside remote write and OTLP; time to encode and decode',
    options: '[--seed NUMBER]',
    load: () => import('./wire.ts'),
  },
  ingest: {
    what: 'batches a second on one core, beside the bare broker and Mosquitto; or a fleet of terminals',
    options: '[--n ROUNDS] [--seconds TIME] | --terminals COUNT [--minutes TIME]',
    load: () => import('./ingest.ts'),
  },
  capacity: {
    what: 'what fleets of 100, 1 000 and 10 000 terminals cost a broker, as a table of OPERATIONS.md',
    options: '[--terminals COUNT] [--seconds TIME]',
    load: () => import('./capacity.ts'),
  },
  connect: {
    what: 'handshakes a second on one core, memory of a connection, a storm after a restart',
    options: '[--n ROUNDS] [--seconds TIME] [--terminals COUNT]',
    load: () => import('./connect.ts'),
  },
  command: {
    what: "from an operator's Enter to the beginning of the restart on the till",
    options: '[--n ROUNDS]',
    load: () => import('./command.ts'),
  },
  logs: {
    what: 'the first line, 100 MB, a bad line, a window of a gigabyte, sales beside a search',
    options: '[--n ROUNDS] [--seed NUMBER] [--only onlineMs,healthy,slow,window,sales]',
    load: () => import('./logs.ts'),
  },
  redact: {
    what: 'what the redactor finds, what it takes wrongly, how quick it is beside grep',
    options: '[--n LINES] [--seed NUMBER]',
    load: () => import('./redact.ts'),
  },
  footprint: {
    what: 'what the agent costs a till at rest',
    options: '[--seconds TIME]',
    load: () => import('./footprint.ts'),
  },
};

const EXIT_USAGE = 64;

function list(): string {
  const rows = Object.entries(benchmarks).map(
    ([name, { what, options }]) => `  ${name.padEnd(10)} ${what}\n${' '.repeat(13)}${options}`,
  );
  return ['usage: npm run bench -- NAME [options] [--json]', ...rows].join('\n');
}

function usage(problem: string): never {
  console.error(`bench: ${problem}\n${list()}`);
  process.exit(EXIT_USAGE);
}

function read() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        peers: { type: 'boolean', default: false },
        only: { type: 'string' },
        n: { type: 'string' },
        seconds: { type: 'string' },
        minutes: { type: 'string' },
        seed: { type: 'string' },
        terminals: { type: 'string' },
      },
    });
  } catch (error) {
    return usage((error as Error).message);
  }
}

function number(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  return Number.isFinite(value) && value > 0 ? value : usage(`--${name} must be a number above 0`);
}

const { values, positionals } = read();
const [name] = positionals;
if (name === undefined) {
  console.log(list());
  process.exit(0);
}
const benchmark = benchmarks[name] ?? usage(`there is no benchmark ${name}`);
const { run } = await benchmark.load();
const report = await run({
  n: number('n', values.n),
  seconds: number('seconds', values.seconds),
  minutes: number('minutes', values.minutes),
  seed: number('seed', values.seed),
  terminals: number('terminals', values.terminals),
  peers: values.peers,
  only: values.only?.split(','),
});
print(report, values.json);
process.exitCode = report.failed === true ? 1 : 0;
