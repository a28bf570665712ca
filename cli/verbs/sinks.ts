// `tillwatch sinks`: how the databases are to which a broker forwards metrics, traces and logs, for whoever misses something
// in one of them: which is up, how far behind it is, and what it never took. Sentences are those of the broker's
// self-test, which name the setting.

import { type Context, printJson } from '../context.ts';
import { done, ended, type Outcome } from '../exit.ts';
import { age, ago, type Column, type Style, table, tame, wrap } from '../screen.ts';

export type SinkView = {
  readonly name: string;
  readonly kind: string;
  readonly url: string;
  /** Null: not asked yet. */
  readonly up: boolean | null;
  readonly behindBatches: number;
  readonly behindSeconds: number;
  readonly taken: number;
  readonly lastError: string;
  readonly sentences: readonly string[];
};
export type DeadLetter = {
  readonly sink: string;
  readonly terminal: string;
  readonly reason: string;
  readonly sentence: string;
  readonly sample: string;
  readonly count: number;
  readonly firstMs: number;
  readonly lastMs: number;
};
export type SinksAnswer = {
  readonly sinks: readonly SinkView[];
  /** Newest first; the newest hundred. */
  readonly deadLetters: readonly DeadLetter[];
};

const INDENT = '    ';

const stateOf = ({ up }: SinkView): string => {
  if (up === null) return 'not asked yet';
  return up ? 'up' : 'down';
};

const behindOf = ({ behindBatches, behindSeconds }: SinkView): string =>
  behindBatches === 0 ? '-' : age(behindSeconds * 1_000);

const grouped = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, ' ');

function wordsOf(sink: SinkView, newest: DeadLetter | undefined, context: Context): string[] {
  const { style, nowMs } = context;
  const lines: string[] = [];
  if (sink.lastError !== '') lines.push(`last error: ${sink.lastError}`);
  lines.push(...sink.sentences);
  if (newest !== undefined) {
    const whose = newest.terminal === '' ? '' : `, of ${newest.terminal}`;
    const when = ago(nowMs() - newest.lastMs);
    lines.push(`newest dead letter, ${when}${whose}: ${newest.reason}: ${newest.sentence}`);
  }
  return lines.flatMap((line) =>
    wrap(tame(line), style.columns - INDENT.length).map((part) => `${INDENT}${part}`),
  );
}

const paintState =
  ({ bad, warn }: Style) =>
  (cell: string): string => {
    if (cell === 'up') return cell;
    return cell === 'down' ? bad(cell) : warn(cell);
  };

function sinkLines({ sinks, deadLetters }: SinksAnswer, context: Context): string[] {
  const columns: readonly Column[] = [
    { title: 'SINK' },
    { title: 'KIND' },
    { title: 'STATE', paint: paintState(context.style) },
    { title: 'BEHIND', align: 'right' },
    { title: 'TAKEN', align: 'right' },
    { title: 'DEAD LETTERS', align: 'right' },
  ];
  const lettersOf = ({ name }: SinkView) => deadLetters.filter((letter) => letter.sink === name);
  const rows = sinks.map((sink) => {
    const dead = lettersOf(sink).reduce((sum, { count }) => sum + count, 0);
    const { name, kind, taken } = sink;
    return [tame(name), kind, stateOf(sink), behindOf(sink), grouped(taken), grouped(dead)];
  });
  const [heading = '', ...lines] = table(columns, rows, context.style.columns);
  const more = sinks.map((sink) => wordsOf(sink, lettersOf(sink)[0], context));
  return [heading, ...lines.flatMap((line, at) => [line, ...(more[at] ?? [])])];
}

export async function runSinks(context: Context): Promise<Outcome> {
  const reply = await context.client.get<SinksAnswer>('/api/v1/sinks', ['sinks', 'deadLetters']);
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  const { sinks } = reply.value;
  if (context.json) printJson(context, reply.value);
  else if (sinks.length === 0) {
    context.print('This broker forwards nothing: no sink is configured.');
  } else for (const line of sinkLines(reply.value, context)) context.print(line);
  return done;
}
