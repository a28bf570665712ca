// The certificate that people's browsers see: the fleet's own, or one of another authority that the chain's machines know
// already. A given one is renewed by somebody else, often each few weeks, so its files are looked at each minute;
// a new pair that does not fit together is told and the old one stays. One that is wrong from the start is told, too,
// and the fleet's own shown instead: tills must not lose their broker because a browser would be asked to trust it.

import { readFileSync, statSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Cancel, Timers } from '../clock.ts';
import type { Log } from '../ports.ts';
import type { Trust } from '../trust/types.ts';
import { httpsContext, type Shown } from './contexts.ts';

const LOOK_MS = 60_000;
const FILE_BYTES_MAX = 64 * 1024;
/** Certificates of others are often read by a group of their own; nobody else may. */
const ANYBODY = 0o007;

export type ShownCertificate = {
  readonly now: () => Shown;
  readonly onChange: (listener: () => void) => Cancel;
  readonly close: () => void;
};

export type ShownFiles = { readonly certificate: string; readonly key: string };

export const ownShown = (trust: Pick<Trust, 'server' | 'onServer'>): ShownCertificate => ({
  now: trust.server,
  onChange: (listener) => trust.onServer(() => listener()),
  close: () => {},
});

function readPair({ certificate, key }: ShownFiles): Result<Shown> {
  try {
    const { mode } = statSync(key);
    if ((mode & ANYBODY) !== 0) {
      const shown = (mode & 0o777).toString(8);
      return fail(`http.key: ${key} may be read by anybody (mode ${shown}): run chmod 640 on it`);
    }
    const tooLarge = [certificate, key].find((path) => statSync(path).size > FILE_BYTES_MAX);
    if (tooLarge !== undefined) return fail(`http: ${tooLarge} is too large for a certificate`);
    const pair = { cert: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') };
    createSecureContext(httpsContext(pair));
    return ok(pair);
  } catch (cause) {
    // What OpenSSL says names no secret: that they do not fit, or that one of them is none.
    return fail(`http.certificate: ${(cause as Error).message}`);
  }
}

/** Changes when either file was written, or may be read by others. */
function markOf({ certificate, key }: ShownFiles): string {
  try {
    return [certificate, key].map((path) => statSync(path).ctimeMs).join(' ');
  } catch {
    // Between two files of a renewal; the next look sees both.
    return '';
  }
}

export function openShown(
  files: ShownFiles,
  own: ShownCertificate,
  timers: Pick<Timers, 'every'>,
  log: Log,
): ShownCertificate {
  let mark = markOf(files);
  const first = readPair(files);
  let shown = first.ok ? first.value : undefined;
  const listeners = new Set<() => void>();
  const changed = (): void => {
    for (const listener of listeners) listener();
  };
  if (!first.ok) {
    log.error("the certificate for people cannot be used: the fleet's own is shown", {
      reason: first.reason,
    });
  }
  const cancelOwn = own.onChange(() => {
    if (shown === undefined) changed();
  });
  const cancel = timers.every(LOOK_MS, () => {
    const now = markOf(files);
    if (now === mark || now === '') return;
    mark = now;
    const next = readPair(files);
    if (!next.ok) {
      log.error('the certificate for people was not renewed', { reason: next.reason });
      return;
    }
    shown = next.value;
    log.info('the certificate for people was renewed');
    changed();
  });
  return {
    now: () => shown ?? own.now(),
    onChange: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    close: () => {
      cancel();
      cancelOwn();
    },
  };
}
