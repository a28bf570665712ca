// What a broker shows of itself before anything is believed, for signing in the first time: a handshake in which nothing
// is sent. The authority is found in the chain by its fingerprint, which a person compares with what `broker init`
// printed; only then is it kept, and every request after that is checked against it by TLS itself.

import { createHash, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { connect, type DetailedPeerCertificate, type TLSSocket } from 'node:tls';
import { OWN_PROTOCOL } from '../protocol/enrolment.ts';
import { fail, ok, type Result } from '../protocol/result.ts';

const ANSWER_MS_MAX = 10_000;
/** A chain is three or four long; one that is longer is a joke on us. */
const CHAIN_MAX = 10;

export type Shown = {
  /** Whether this machine knows its authority, and it is for this name. */
  readonly isKnown: boolean;
  /** Those of its chains that may issue others, the nearest first. */
  readonly authorities: readonly SeenAuthority[];
  /** Behind its own certificate, which is not the one for people where it has two. */
  readonly last: SeenAuthority | undefined;
};
type SeenAuthority = { readonly fingerprint: string; readonly pem: string };
type Look = Omit<Shown, 'last'>;

export const fingerprintOf = (der: Uint8Array): string =>
  createHash('sha256').update(der).digest('hex');

/** As people write it: with colons, capital letters and "sha256:". */
export const plainFingerprint = (text: string): string =>
  text
    .replace(/^sha-?256[:=]/i, '')
    .replaceAll(/[:\s]/g, '')
    .toLowerCase();
export const isFingerprint = (text: string): boolean => /^[0-9a-f]{64}$/.test(text);

function authoritiesOf(socket: TLSSocket): Shown['authorities'] {
  const found: { fingerprint: string; pem: string }[] = [];
  let at: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  for (let depth = 0; depth < CHAIN_MAX && at?.raw !== undefined; depth += 1) {
    const certificate = new X509Certificate(at.raw);
    if (certificate.ca) {
      const pem = certificate.toString();
      found.push({
        fingerprint: fingerprintOf(at.raw),
        pem: pem.endsWith('\n') ? pem : `${pem}\n`,
      });
    }
    if (at.issuerCertificate === at) break;
    at = at.issuerCertificate;
  }
  return found;
}

function look(url: URL, protocols: readonly string[]): Promise<Result<Look>> {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const servername = isIP(host) === 0 ? { servername: host } : {};
  return new Promise((resolve) => {
    const end = (result: Result<Look>): void => {
      resolve(result);
      socket.destroy();
    };
    const port = Number(url.port || 443);
    // Nothing is sent here: what it shows is judged by its fingerprint, and then by every request.
    const settings = { host, port, ...servername, ALPNProtocols: [...protocols] };
    const socket = connect({ ...settings, rejectUnauthorized: false }, () => {
      end(ok({ isKnown: socket.authorized, authorities: authoritiesOf(socket) }));
    });
    socket.setTimeout(ANSWER_MS_MAX, () => end(fail('no answer in time')));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const isTls = error.code?.startsWith('ERR_SSL') === true || error.code === 'EPROTO';
      end(fail(isTls ? 'it does not speak TLS: is the port right?' : (error.code ?? 'no answer')));
    });
  });
}

/** Looks twice: as one of the fleet's own, which pins its authority, and as anybody, for whom it may have another. */
export async function lookAt(url: URL): Promise<Result<Shown>> {
  const own = await look(url, [OWN_PROTOCOL, 'http/1.1']);
  const all = own.ok ? await look(url, ['http/1.1']) : own;
  if (!own.ok || !all.ok) return own.ok ? (all as Result<Shown>) : own;
  const known = new Set(own.value.authorities.map(({ fingerprint }) => fingerprint));
  const others = all.value.authorities.filter(({ fingerprint }) => !known.has(fingerprint));
  return ok({
    isKnown: all.value.isKnown,
    authorities: [...own.value.authorities, ...others],
    last: own.value.authorities.at(-1),
  });
}
