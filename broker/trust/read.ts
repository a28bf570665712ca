// Reads a terminal's certificate with node:crypto alone, synchronously: it happens in the first turn of every
// connection, when no library may be loaded and nothing may be waited for. Time is not judged here, because a renewal
// comes after the end as well; who is revoked neither, because only the registry of identities knows.

import { X509Certificate } from 'node:crypto';
import { isId } from '../../protocol/ids.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { ClientCertificate } from './types.ts';
import { isP256 } from './x509.ts';

/** id-kp-clientAuth [RFC 5280 4.2.1.12]. */
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const CERTIFICATE_BYTES_MAX = 8 * 1024;
const NONE = 'this is no certificate';
const STRANGER = 'the certificate was not issued by an authority of this fleet';
const NOT_A_TERMINAL = 'the certificate is not one of a terminal';

export type Authority = { readonly fingerprint: string; readonly certificate: X509Certificate };

function parse(pemOrDer: string | Buffer): X509Certificate | undefined {
  if (pemOrDer.length > CERTIFICATE_BYTES_MAX) return undefined;
  try {
    return new X509Certificate(pemOrDer);
  } catch {
    return undefined;
  }
}

/** Name first, which is cheap, then the signature, which proves it. */
const isIssuedBy = (certificate: X509Certificate, authority: X509Certificate): boolean =>
  certificate.checkIssued(authority) && certificate.verify(authority.publicKey);

export function readClient(
  pemOrDer: string | Buffer,
  authorities: readonly Authority[],
): Result<ClientCertificate> {
  const certificate = parse(pemOrDer);
  if (certificate === undefined) return fail(NONE);
  try {
    const issuer = authorities.find((one) => isIssuedBy(certificate, one.certificate));
    if (issuer === undefined) return fail(STRANGER);
    // Its whole subject is one common name: a line more, and it is something else's certificate.
    const terminal = /^CN=([a-z0-9-]+)$/.exec(certificate.subject)?.[1] ?? '';
    const { publicKey, ca, keyUsage } = certificate;
    // Node calls the extended key usages so; one use and no other [contracts of certificates.ts].
    const isForClients = keyUsage?.length === 1 && keyUsage[0] === CLIENT_AUTH;
    if (ca || !isForClients || !isId(terminal) || !isP256(publicKey)) return fail(NOT_A_TERMINAL);
    return ok({
      terminal,
      serial: certificate.serialNumber.toLowerCase(),
      notBeforeMs: Date.parse(certificate.validFrom),
      notAfterMs: Date.parse(certificate.validTo),
      publicKey,
      authority: issuer.fingerprint,
    });
  } catch {
    // A key or a field that OpenSSL cannot make sense of throws when it is first looked at.
    return fail(NONE);
  }
}
