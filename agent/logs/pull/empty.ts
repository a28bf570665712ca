// The end of an answer of which nothing was sent: it was cancelled before it began, and the broker is told so in the way
// in which every answer ends.

import { createHash } from 'node:crypto';
import { epochOfRequest } from '../../../protocol/logs.ts';
import { NO_COUNTS, stamp } from '../../../redact/index.ts';
import type { PullEntry } from './entry.ts';
import type { End } from './job.ts';
import { type PackedChunk, packChunk, QUICK, type Stamp } from './pack.ts';

type Which = Pick<PullEntry, 'request' | 'component'>;

export function emptyEnd(
  { request, component }: Which,
  created: Stamp,
): { readonly end: End; readonly chunk: PackedChunk | undefined } {
  const body = Buffer.alloc(0);
  const sha256 = createHash('sha256').digest();
  const cut = { truncated: true, cutBy: 'cancelled', fromMs: 0, redactions: 0, missed: 0 } as const;
  const searched = { searchedBytes: 0, searchBytes: 0 };
  const chunk = packChunk(
    {
      ...{ request, component, offset: 0, body, last: true, sha256, redactor: stamp(), lines: 0 },
      ...{ ...cut, ...searched },
    },
    epochOfRequest(request),
    created,
    QUICK,
  );
  const totals = { bytes: 0, records: 0, ...cut, ...searched };
  const end = { totals, sha256: sha256.toString('hex'), redactions: NO_COUNTS, missed: NO_COUNTS };
  return { end, chunk };
}
