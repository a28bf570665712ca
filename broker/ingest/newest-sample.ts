// When the newest sample of a metrics batch was taken, without reading its samples: the instants stand in
// front of the series (protocol/tillwatch.proto). An envelope says when a batch was sealed, and what was
// kept for a day is sealed when it is sent, so only the body tells a backlog from live data. What cannot
// be read says nothing: the registry finds out why.

import { unpackBody } from '../../protocol/body.ts';
import { INSTANTS_PER_BODY_MAX } from '../../protocol/limits.ts';
import { ByteReader, WIRE } from '../../protocol/metric-bytes.ts';
import type { Batch } from '../../protocol/wire.ts';

/** Field 1, packed: the first instant and then differences. */
const TIMES_TAG = (1 << 3) | WIRE.bytes;

export function newestSampleMs(batch: Pick<Batch, 'encoding' | 'body'>): number | undefined {
  const body = unpackBody(batch);
  if (!body.ok) return undefined;
  const reader = new ByteReader(body.value);
  while (reader.more()) {
    const tag = reader.small();
    if (tag !== TIMES_TAG) {
      reader.skip(tag & 7);
      continue;
    }
    const until = reader.span();
    let newestMs = 0;
    for (let count = 0; reader.at < until && count < INSTANTS_PER_BODY_MAX; count += 1) {
      newestMs += reader.signed();
    }
    return reader.bad || Number.isNaN(newestMs) ? undefined : newestMs;
  }
  return undefined;
}
