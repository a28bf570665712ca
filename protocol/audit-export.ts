// The audit log as lines of JSON, to be kept elsewhere, read by other tools and checked without a broker: what was
// deleted before it begins, the signed heads, every entry, the oldest first, and how many there were. `detail` is a
// text, because the hash is over its bytes and JSON has more than one way to write the same.

import * as v from 'valibot';
import {
  type AuditGone,
  type AuditHead,
  type AuditLink,
  type AuditProof,
  auditGoneSchema,
  auditHeadSchema,
  auditLinkSchema,
  createAuditCheck,
} from './audit.ts';
import { fail, ok, type Result } from './result.ts';

/** No line that we write is longer; one that is belongs to something else. */
export const EXPORT_LINE_CHARS_MAX = 64 * 1024;

const lineSchema = v.variant('kind', [
  v.object({ kind: v.literal('audit'), format: v.literal(1), gone: auditGoneSchema }),
  v.object({ kind: v.literal('head'), head: auditHeadSchema }),
  v.object({ kind: v.literal('entry'), ...auditLinkSchema.entries }),
  v.object({ kind: v.literal('end'), entries: v.number() }),
]);

export const exportBegin = (gone: AuditGone, heads: readonly AuditHead[]): string =>
  [{ kind: 'audit', format: 1, gone }, ...heads.map((head) => ({ kind: 'head', head }))]
    .map((line) => `${JSON.stringify(line)}\n`)
    .join('');
export const exportEntry = (link: AuditLink): string =>
  `${JSON.stringify({ kind: 'entry', ...link })}\n`;
export const exportEnd = (entries: number): string =>
  `${JSON.stringify({ kind: 'end', entries })}\n`;

function readLine(text: string): v.InferOutput<typeof lineSchema> | undefined {
  if (text.length > EXPORT_LINE_CHARS_MAX) return undefined;
  try {
    const read = v.safeParse(lineSchema, JSON.parse(text));
    return read.success ? read.output : undefined;
  } catch {
    return undefined;
  }
}

export type ExportCheck = {
  /** One line without its end. A failure: what follows is not worth reading. */
  readonly take: (line: string) => Result<void>;
  readonly end: () => Result<AuditProof>;
};

const NOT_ONE = 'this is no export of an audit log: make one with "tillwatch audit export"';

/** @param kept a head that was kept elsewhere. */
export function createExportCheck(keys: readonly string[], kept?: AuditHead): ExportCheck {
  const heads: AuditHead[] = [];
  let gone: AuditGone | undefined;
  let check: ReturnType<typeof createAuditCheck> | undefined;
  let [lines, entries, isWhole] = [0, 0, false];
  return {
    take: (text) => {
      lines += 1;
      const line = readLine(text);
      if (line === undefined) return fail(lines === 1 ? NOT_ONE : `line ${lines} cannot be read`);
      if (isWhole) return fail(`line ${lines} stands behind the end`);
      if (line.kind === 'audit') {
        if (lines > 1) return fail(`line ${lines} begins another export`);
        gone = line.gone;
        return ok(undefined);
      }
      if (gone === undefined) return fail(NOT_ONE);
      if (line.kind === 'head') {
        if (check !== undefined) return fail(`line ${lines} is a head among entries`);
        const { id, timeMs } = line.head;
        if (heads.some((one) => one.id === id && one.timeMs === timeMs)) {
          return fail(`line ${lines} is there twice`);
        }
        heads.push(line.head);
        return ok(undefined);
      }
      check ??= createAuditCheck({ gone, heads, keys, kept });
      if (line.kind === 'end') isWhole = line.entries === entries;
      else {
        entries += 1;
        check.take(line);
      }
      return ok(undefined);
    },
    end: () => {
      if (gone === undefined) return fail(NOT_ONE);
      if (!isWhole) return fail('the export is not whole: its end is missing');
      check ??= createAuditCheck({ gone, heads, keys, kept });
      return ok(check.end());
    },
  };
}
