// The terminals of a file, for `tillwatch enroll --file`: CSV with terminal,store in each row (a heading and empty lines
// are fine), or YAML with a list of them, as in a broker's configuration. All that is wrong is told at once, with its
// line. Pure.

import { parse } from 'yaml';
import { ID_PATTERN, ID_RULE } from '../../protocol/ids.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';

export type Row = { readonly terminal: string; readonly store: string };
type Found = Partial<Row> & { readonly where: string };

/** The broker makes no more at once (identity/tokens.ts). */
const ROWS_MAX = 1_000;
const PROBLEMS_MAX = 50;

const bare = (cell: string | undefined): string => (cell ?? '').trim().replace(/^"(.*)"$/, '$1');

function readCsv(text: string): Found[] {
  return text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .map((line, index) => ({
      cells: line.split(/[,;]/).map(bare),
      where: `line ${index + 1}`,
      line,
    }))
    .filter(({ line }) => line.trim() !== '' && !line.startsWith('#'))
    .filter(({ cells }) => cells[0] !== 'terminal' || cells[1] !== 'store')
    .map(({ cells: [terminal, store, ...more], where }) =>
      // Cells that nobody asked for may be names in the wrong order.
      more.length > 0 ? { where } : { terminal: terminal ?? '', store: store ?? '', where },
    );
}

function readYaml(text: string): Result<Found[]> {
  let value: unknown;
  try {
    value = parse(text, { maxAliasCount: 0 });
  } catch (cause) {
    return fail(`not valid YAML: ${(cause as Error).message.split('\n')[0]}`);
  }
  const list = Array.isArray(value) ? value : (value as { terminals?: unknown } | null)?.terminals;
  if (!Array.isArray(list)) return fail('the file must hold a list of { terminal, store }');
  return ok(
    list.map((entry: unknown, index) => {
      const { terminal, id, store } = (entry ?? {}) as Record<string, unknown>;
      return { terminal: String(terminal ?? id), store: String(store), where: `[${index}]` };
    }),
  );
}

function problemsOf(found: readonly Found[]): string[] {
  const problems: string[] = [];
  const first = new Map<string, string>();
  for (const { terminal, store, where } of found) {
    if (terminal === undefined || store === undefined) {
      problems.push(`${where}: write terminal,store and nothing else`);
      continue;
    }
    for (const [what, text] of [
      ['terminal', terminal],
      ['store', store],
    ] as const) {
      if (!ID_PATTERN.test(text)) {
        problems.push(`${where}: "${text.slice(0, 40)}" is no ${what}: ${ID_RULE}`);
      }
    }
    const earlier = first.get(terminal);
    if (earlier !== undefined) problems.push(`${where}: ${terminal} stands in ${earlier} already`);
    else first.set(terminal, where);
  }
  return problems;
}

/** @param extension of the file, as .csv or .yaml; what is neither is read as CSV. */
export function readRows(text: string, extension: string): Result<readonly Row[]> {
  const found = /^\.ya?ml$/i.test(extension) ? readYaml(text) : ok(readCsv(text));
  if (!found.ok) return found;
  if (found.value.length === 0) return fail('there is no terminal in the file');
  if (found.value.length > ROWS_MAX) {
    return fail(`${found.value.length} terminals: at most ${ROWS_MAX} are enrolled at once`);
  }
  const problems = problemsOf(found.value);
  if (problems.length > 0) {
    const more = problems.length - PROBLEMS_MAX;
    const told = [...problems.slice(0, PROBLEMS_MAX), ...(more > 0 ? [`and ${more} more`] : [])];
    return fail(`no token was made:\n${told.join('\n')}`);
  }
  return ok(found.value.map(({ terminal = '', store = '' }) => ({ terminal, store })));
}
