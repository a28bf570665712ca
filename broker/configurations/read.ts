// Whether a text may leave the centre: read by the reader that the till has, its patterns by the engine that runs them
// there, and packed as it travels. What a till would refuse is refused here, before somebody has typed a number.

import { createHash } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { readDocument } from '../../configuration/fleet.ts';
import { patternProblems } from '../../configuration/patterns.ts';
import { formatProblem } from '../../configuration/yaml.ts';
import { CONFIGURATION_BYTES_MAX, CONFIGURATION_PACKED_CHARS_MAX } from '../../protocol/limits.ts';

export type ReadText =
  | {
      readonly ok: true;
      readonly sha256: string;
      readonly bytes: number;
      readonly packed: string;
    }
  | { readonly ok: false; readonly problems: readonly string[] };

const refused = (...problems: readonly string[]): ReadText => ({ ok: false, problems });

export const sha256Of = (text: string): string => createHash('sha256').update(text).digest('hex');
export const packOf = (text: string): string =>
  deflateRawSync(Buffer.from(text), { level: 9 }).toString('base64');

export async function readText(text: string): Promise<ReadText> {
  const bytes = Buffer.byteLength(text);
  if (bytes > CONFIGURATION_BYTES_MAX) {
    return refused(`the document has ${bytes} bytes, at most ${CONFIGURATION_BYTES_MAX} are read`);
  }
  const read = readDocument(text);
  if (!read.ok) return refused(...read.problems.map(formatProblem));
  const patterns = await patternProblems({ components: [...(read.value.components ?? [])] });
  if (patterns.length > 0) return refused(...patterns.map(formatProblem));
  const packed = packOf(text);
  if (packed.length > CONFIGURATION_PACKED_CHARS_MAX) {
    const most = `at most ${CONFIGURATION_PACKED_CHARS_MAX} characters travel in one command`;
    return refused(`the document is too large: packed it has ${packed.length} characters, ${most}`);
  }
  return { ok: true, sha256: sha256Of(text), bytes, packed };
}
