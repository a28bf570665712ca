// Reads an operator's file of stores, YAML or CSV, where it lies: on their machine. Everything that is wrong with it is told
// at once, each with its line; a file with one thing wrong changes nothing. The broker gets what was read and checks
// it again (shape.ts): parsing megabytes of YAML would hold up its acknowledgements for a second.

import { isNode, LineCounter, parseDocument } from 'yaml';
import { readCsv } from './csv.ts';
import type { Path } from './relations.ts';
import { readStores } from './shape.ts';
import type { Store } from './types.ts';

export const FILE_BYTES_MAX = 16 * 1024 * 1024;
const PROBLEMS_MAX = 100;
const ALIASES_MAX = 1_000;

/** Such as `stores[3].hours.mon: ... (line 40)`. */
export type StoresFile =
  | { readonly ok: true; readonly stores: readonly Store[] }
  | { readonly ok: false; readonly problems: readonly string[] };

export type Parsed =
  | {
      readonly ok: true;
      readonly value: unknown;
      /** How a person finds it. */
      readonly whereOf: (path: Path) => { readonly name: string; readonly line: number };
    }
  | { readonly ok: false; readonly problems: readonly string[] };

/** As a person would write it: stores[0].hours.mon */
const pathText = (path: Path): string =>
  path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? key : `${text}.${key}`;
  }, '');

function parseYaml(text: string): Parsed {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    ...{ lineCounter: lines, version: '1.2', schema: 'core', strict: true, uniqueKeys: true },
    ...{ merge: false, prettyErrors: false, logLevel: 'silent' },
  });
  // A tag that is not known is a warning only, and would silently change what a value means.
  const faults = [...document.errors, ...document.warnings].slice(0, PROBLEMS_MAX);
  if (faults.length > 0) {
    const problems = faults.map(
      ({ pos, message }) => `line ${lines.linePos(pos[0]).line}: not valid YAML: ${message}`,
    );
    return { ok: false, problems };
  }
  try {
    const value: unknown = document.toJS({ maxAliasCount: ALIASES_MAX });
    const whereOf = (path: Path) => {
      const name = pathText(path);
      for (let length = path.length; length > 0; length -= 1) {
        const node = document.getIn(path.slice(0, length), true);
        if (isNode(node) && node.range) return { name, line: lines.linePos(node.range[0]).line };
      }
      return { name, line: 1 };
    };
    return { ok: true, value, whereOf };
  } catch (cause) {
    return { ok: false, problems: [`not valid YAML: ${(cause as Error).message}`] };
  }
}

/** @param name says by its end whether it is CSV. */
export async function readStoresFile(text: string, name: string): Promise<StoresFile> {
  const bytes = Buffer.byteLength(text);
  if (bytes > FILE_BYTES_MAX) {
    const most = FILE_BYTES_MAX / 1024 / 1024;
    return { ok: false, problems: [`the file has ${bytes} bytes, at most ${most} MB are read`] };
  }
  const isCsv = name.toLowerCase().endsWith('.csv');
  const parsed = isCsv ? await readCsv(text) : parseYaml(text);
  if (!parsed.ok) return parsed;
  const read = readStores(parsed.value);
  if (read.ok) return read;
  const problems = read.found.map(({ path, sentence }) => {
    const { name: where, line } = parsed.whereOf(path);
    return `${where === '' ? '' : `${where}: `}${sentence} (line ${line})`;
  });
  return { ok: false, problems: [...new Set(problems)] };
}
