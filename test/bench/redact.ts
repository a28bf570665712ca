// What the redactor finds, what it takes wrongly, and how quick it is. Recall over the corpus of encodings; precision
// over a generated retail log in which nothing is a card, by class; speed as a program runs and as the agent ships it,
// without V8's optimising compilers, beside a peer that reads the same bytes in the same run: GNU grep with a pattern
// of digits in groups, which has no ranges, no check digits, no other forms, and marks nothing.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openRedactStream, redactString } from '../../redact/index.ts';
import { cards } from '../unit/redact-corpus.ts';
import { moreEncodings } from '../unit/redact-encodings.ts';
import { retailLines } from '../unit/retail-log.ts';
import { measurePressure, type Report, round } from './harness.ts';
import type { Options } from './options.ts';
import { kinds } from './redact-lines.ts';

const LINES = 1_000_000;
const EXAMPLES_MAX = 2;
/** As deploy/tillwatch-agent starts it. */
const AGENT_FLAGS = [
  '--max-semi-space-size=1',
  '--max-old-space-size=48',
  '--no-opt',
  '--no-maglev',
];
const GREP_PATTERN = '[0-9]([ .-]?[0-9]){11,18}';

function byteByByte(text: string): string {
  const stream = openRedactStream();
  const out = [...Buffer.from(text)].map((byte) => stream.push(Uint8Array.of(byte)));
  return Buffer.concat([...out, stream.end()]).toString();
}

/** In the rows of a dump, which cut a number anywhere: from three digits on something is left. */
function isLeftInDump(out: string, card: string): boolean {
  return out
    .split('\n')
    .some((row) =>
      [...row.replace(/^[0-9a-f]{8}:? /, '').matchAll(/(?<![0-9a-f])(?:3\d ?){3,}|\d{3,}$/g)].some(
        ([run]) => card.includes(run.replaceAll(' ', '').replace(/3(\d)/g, '$1')),
      ),
    );
}

/** Of each card in each encoding, whole and byte by byte. */
function recall() {
  let [texts, found] = [0, 0];
  const missed: string[] = [];
  for (const card of cards) {
    for (const { name, text, leak } of moreEncodings(card)) {
      for (const out of [redactString(text).value, byteByByte(text)]) {
        texts += 1;
        const isLeft = /^(?:hexdump|xxd) /.test(name)
          ? isLeftInDump(out, card)
          : out.includes(leak);
        if (!isLeft) found += 1;
        else missed.push(`${name}: ${out}`);
      }
    }
  }
  const ratio = found / texts;
  return {
    cards: cards.length,
    texts,
    found,
    missed: texts - found,
    ratio,
    examples: missed.slice(0, EXAMPLES_MAX),
  };
}

type Wrong = { lines: number; wrong: number; examples: string[] };

function precision(seed: number, count: number) {
  const classes: Record<string, Wrong> = {};
  let wrong = 0;
  for (const { name, line } of retailLines(seed, count)) {
    classes[name] ??= { lines: 0, wrong: 0, examples: [] };
    const one = classes[name];
    one.lines += 1;
    const { value } = redactString(line);
    if (value === line) continue;
    wrong += 1;
    one.wrong += 1;
    if (one.examples.length < EXAMPLES_MAX) one.examples.push(value);
  }
  const touched = Object.entries(classes).filter(([, one]) => one.wrong > 0);
  return {
    ...{ lines: count, wrong, wrongPercent: round((wrong / count) * 1e6) / 1e4 },
    classes: Object.fromEntries(
      Object.entries(classes).map(([name, one]) => [name, `${one.wrong} of ${one.lines}`]),
    ),
    examples: Object.fromEntries(touched.map(([name, one]) => [name, one.examples])),
  };
}

type Speeds = Record<string, { stream: number; lines: number }>;

function speeds(flags: readonly string[], folder?: string): Speeds {
  const program = fileURLToPath(new URL('redact-speed-main.ts', import.meta.url));
  const more = folder === undefined ? [] : [folder];
  return JSON.parse(
    execFileSync(process.execPath, [...flags, program, ...more], { encoding: 'utf8' }),
  );
}

const ROUNDS = 5;

/** The clock of `times` is coarse. Not into /dev/null: there grep stops at the first hit. */
const GREP_TIMES = 50;

/** MB of processor time's second, with the start of the program taken off. */
function grepSpeed(path: string, bytes: number): number {
  const seconds = (file: string): number => {
    const files = Array.from({ length: GREP_TIMES }, () => file);
    const script = `LC_ALL=C; export LC_ALL; grep -cE '${GREP_PATTERN}' "$@" | cat >/dev/null; times`;
    const { stdout } = spawnSync('sh', ['-c', script, 'sh', ...files], { encoding: 'utf8' });
    // The second line of `times` is of the shell's children: 0m0.010s 0m0.002s.
    const [, children = ''] = stdout.trim().split('\n');
    return [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
      (sum, [, minutes, rest]) => sum + Number(minutes) * 60 + Number(rest),
      0,
    );
  };
  let best = Infinity;
  for (let turn = 0; turn < ROUNDS; turn += 1) best = Math.min(best, seconds(path));
  return round((GREP_TIMES * bytes) / 1e6 / Math.max(best - seconds('/dev/null'), 0.001));
}

function speed() {
  const folder = mkdtempSync(join(tmpdir(), 'tillwatch-redact-'));
  try {
    const program = speeds([], folder);
    const agent = speeds(AGENT_FLAGS);
    return Object.fromEntries(
      Object.entries(kinds).map(([name, make]) => [
        name,
        {
          ...{ MBps: program[name]?.stream, agentMBps: agent[name]?.stream },
          ...{ byLineMBps: program[name]?.lines, agentByLineMBps: agent[name]?.lines },
          grepMBps: grepSpeed(join(folder, name), make().length),
        },
      ]),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Targets are upper bounds, so speed is told as what a gigabyte takes. */
const gigabyte = (MBps: number | undefined): number => round(1_000 / (MBps ?? 0));

function table(
  found: ReturnType<typeof recall>,
  kept: ReturnType<typeof precision>,
  quick: ReturnType<typeof speed>,
): string {
  const at = (value: number | undefined): string => String(value ?? '').padStart(9);
  return [
    `  recall     ${found.found} of ${found.texts} texts (${found.cards} cards, each encoding whole and byte by byte)`,
    `  precision  ${kept.wrong} of ${kept.lines} lines touched wrongly (${kept.wrongPercent} %)`,
    ...Object.entries(kept.examples).flatMap(([name, some]) => [
      `    ${name}: ${kept.classes[name]}`,
      ...some.map((line) => `      ${line}`),
    ]),
    '',
    '  MB/s of one core         program    agent  by line    agent     grep',
    ...Object.entries(quick).map(
      ([name, one]) =>
        `  ${name.padEnd(22)}${[one.MBps, one.agentMBps, one.byLineMBps, one.agentByLineMBps, one.grepMBps].map(at).join('')}`,
    ),
  ].join('\n');
}

export function run({ n = LINES, seed = 1 }: Options): Promise<Report> {
  const pressure = measurePressure();
  const found = recall();
  const quick = speed();
  const kept = precision(seed, n);
  const secondsPerGB = {
    withoutDigitRuns: gigabyte(quick['no digit runs']?.MBps),
    mixed: gigabyte(quick['mixed']?.MBps),
  };
  const waitedPercent = pressure();
  return Promise.resolve({
    name: 'redact',
    figures: { recall: found, precision: kept, speed: quick, secondsPerGB, waitedPercent },
    targets: {
      'recall.missed': 0,
      'precision.wrongPercent': 0.01,
      'secondsPerGB.withoutDigitRuns': 10,
      'secondsPerGB.mixed': 33.34,
    },
    table: table(found, kept, quick),
    notes: [
      `grep -cE '${GREP_PATTERN}' only counts: no ranges, no check digits, no keys, no other forms, nothing marked`,
      'agent: with the flags of deploy/tillwatch-agent, which turn the optimising compilers off',
      `processors were wanted by others for ${waitedPercent} % of the time`,
    ],
  });
}
