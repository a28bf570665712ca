// What is told of the trust while a broker runs: when its certificates end (to /metrics, and to the log below thirty
// days) and, in the audit log, that it changed. Keys are rotated by whoever owns the files, so no session says who it
// was; that it happened must be said all the same.

import { readFileSync } from 'node:fs';
import { keyIdOf } from '../../protocol/commands.ts';
import type { Audit } from '../audit.ts';
import type { Cancel, Clock, Timers } from '../clock.ts';
import type { Metrics } from '../metrics.ts';
import type { Log } from '../ports.ts';
import { expiryOf, warnOfExpiries } from './trust.ts';
import type { Expiry, Trust } from './types.ts';

export type FollowOptions = {
  readonly trust: Trust;
  /** The file of `http.certificate`, if there is one. */
  readonly certificate: string | undefined;
  readonly audit: Pick<Audit, 'write'>;
  readonly metrics: Pick<Metrics, 'watch'>;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly timers: Timers;
  readonly log: Log;
};

/** Somebody else renews it, so the file is looked at each time. */
function createHttpExpiry(path: string | undefined): () => readonly Expiry[] {
  let last: readonly Expiry[] = [];
  return () => {
    if (path === undefined) return [];
    try {
      last = [expiryOf('http', readFileSync(path, 'utf8'))];
    } catch {
      // Half replaced, or gone: what is in use is still the last one that could be read.
    }
    return last;
  };
}

/** @returns what ends it. */
export function followTrust(options: FollowOptions): Cancel {
  const { trust, audit, metrics } = options;
  const ofHttp = createHttpExpiry(options.certificate);
  const certificates = (): readonly Expiry[] => [...trust.expiries(), ...ofHttp()];
  metrics.watch({ certificates });
  const stops = [
    warnOfExpiries(certificates, options),
    trust.onDocument(({ version, authorities, commandKeys }) => {
      const keys = commandKeys.map(keyIdOf);
      const detail = {
        version,
        issuer: trust.fingerprint(),
        authorities: authorities.length,
        keys,
      };
      const entry = { operator: 'broker', action: 'trust.change', subject: 'fleet', reason: '' };
      audit.write({ ...entry, outcome: 'ok', detail });
    }),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}
