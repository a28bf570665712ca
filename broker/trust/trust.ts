// The fleet's trust as a running broker holds it: who is believed, what signs, what the broker shows of itself. It looks
// at trust.json every two seconds, so that `tillwatch broker rotate` works beside it without a restart or a signal that
// somebody could forget, and it renews its own certificate by itself. A change that cannot be read changes nothing.

import { X509Certificate } from 'node:crypto';
import { statSync } from 'node:fs';
import { ok } from '../../protocol/result.ts';
import type { Cancel } from '../clock.ts';
import { issueTerminal } from './certificates.ts';
import { type Held, type KeyRing, readHeld } from './held.ts';
import { readClient } from './read.ts';
import { type HeldServer, isDue, openServer } from './server-identity.ts';
import { paths } from './state.ts';
import type { CertificateUse, Expiry, OpenTrust, TrustOptions } from './types.ts';

const LOOK_MS = 2_000;
const RENEW_LOOK_MS = 60 * 60_000;
const DAY_MS = 24 * 60 * 60_000;
/** Below this it is said once a day: enough to get a certificate from another department. */
export const WARN_BEFORE_MS = 30 * DAY_MS;

function createListeners<T>() {
  const listeners = new Set<(value: T) => void>();
  return {
    tell: (value: T): void => {
      for (const listener of listeners) listener(value);
    },
    add: (listener: (value: T) => void): Cancel => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** Which file lies there: it is always replaced whole, so another one has another number. */
function markOf(keysDir: string): string {
  try {
    const { ino, mtimeMs, size } = statSync(paths.state(keysDir));
    return `${ino} ${mtimeMs} ${size}`;
  } catch {
    return '';
  }
}

export const expiryOf = (use: CertificateUse, certificate: string): Expiry => ({
  use,
  atMs: Date.parse(new X509Certificate(certificate).validTo),
});

/** Says daily what ends soon. */
export function warnOfExpiries(
  expiries: () => readonly Expiry[],
  { clock, timers, log }: Pick<TrustOptions, 'clock' | 'timers' | 'log'>,
): Cancel {
  const look = (): void => {
    for (const { use, atMs } of expiries()) {
      const leftMs = atMs - clock.wallMs();
      if (leftMs >= WARN_BEFORE_MS) continue;
      const days = Math.floor(leftMs / DAY_MS);
      const ends = new Date(atMs).toISOString();
      const what = leftMs <= 0 ? 'a certificate is over' : 'a certificate ends soon';
      log.warn(what, { use, days, ends });
    }
  };
  look();
  return timers.every(DAY_MS, look);
}

/** What is held now, and how it becomes something else. */
function createKeeper(
  options: TrustOptions,
  ring: KeyRing,
  first: Held,
  firstServer: HeldServer,
  firstMark: string,
) {
  const { keysDir, passphrase, clock, log } = options;
  const own = { keysDir, names: options.names, passphrase };
  const documents = createListeners<Held['document']>();
  const servers = createListeners<HeldServer>();
  let [held, server] = [first, firstServer];
  let mark = firstMark;
  let refused = '';

  /** It is looked at again each time, and told once. */
  const refuse = (reason: string): void => {
    if (reason !== refused) log.error('the trust of the fleet is as it was', { reason });
    refused = reason;
  };

  async function reload(): Promise<void> {
    const now = markOf(keysDir);
    if (now === mark) return;
    const next = readHeld(keysDir, passphrase, ring);
    if (!next.ok) return refuse(next.reason);
    const { version } = next.value.document;
    // An older one is somebody's backup: terminals would not take it either.
    if (version < held.document.version) return refuse(`trust.json went back to ${version}`);
    const opened = await openServer(own, next.value, clock.wallMs());
    if (!opened.ok) return refuse(opened.reason);
    [held, server, mark, refused] = [next.value, opened.value, now, ''];
    for (const name of ring.keys()) if (!held.names.has(name)) ring.delete(name);
    log.info('the trust of the fleet changed', { version, authority: held.issuer.fingerprint });
    servers.tell(server);
    documents.tell(held.document);
  }

  async function renew(): Promise<void> {
    if (!isDue(server, held, clock.wallMs())) return;
    const opened = await openServer(own, held, clock.wallMs());
    if (!opened.ok) return refuse(opened.reason);
    server = opened.value;
    log.info("the broker's certificate was renewed", { endsMs: server.notAfterMs });
    servers.tell(server);
  }
  return { reload, renew, refuse, documents, servers, held: () => held, server: () => server };
}

export const openTrust: OpenTrust = async (options) => {
  const { keysDir, passphrase, names, clock, timers } = options;
  const ring: KeyRing = new Map();
  // Before what it marks: a change in between is then seen at the first look.
  const mark = markOf(keysDir);
  const first = readHeld(keysDir, passphrase, ring);
  if (!first.ok) return first;
  const own = await openServer({ keysDir, names, passphrase }, first.value, clock.wallMs());
  if (!own.ok) return own;
  const keeper = createKeeper(options, ring, first.value, own.value, mark);
  const { held, server } = keeper;
  let closed = false;
  let turn = Promise.resolve();
  /** One after the other, each at most once in the row; a full disk throws here, and the next look tries again. */
  const inTurn = (work: () => Promise<void>) => {
    let waits = false;
    return (): void => {
      if (waits) return;
      waits = true;
      turn = turn
        .then(() => (closed ? undefined : work()))
        .catch((cause: Error) => keeper.refuse(cause.message))
        .finally(() => {
          waits = false;
        });
    };
  };
  const expiries = (): readonly Expiry[] => {
    const ends = held().authorities.map(({ pem }) => expiryOf('authority', pem).atMs);
    return [
      { use: 'authority', atMs: Math.min(...ends) },
      { use: 'server', atMs: server().notAfterMs },
    ];
  };
  const stops = [
    timers.every(LOOK_MS, inTurn(keeper.reload)),
    timers.every(RENEW_LOOK_MS, inTurn(keeper.renew)),
  ];
  return ok({
    document: () => held().document,
    onDocument: keeper.documents.add,
    commandKey: () => held().commandKey,
    auditKey: () => held().auditKey,
    fingerprint: () => held().issuer.fingerprint,
    server,
    onServer: keeper.servers.add,
    issue: (terminal, csrPem, days) =>
      issueTerminal(held().issuer, { terminal, csrPem, days }, clock.wallMs()),
    readClient: (pemOrDer) => readClient(pemOrDer, held().authorities),
    expiries,
    close: () => {
      closed = true;
      for (const stop of stops) stop();
    },
  });
};
