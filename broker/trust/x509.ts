// The library that writes certificates, loaded when the first one is written: it costs 24 MB, and a broker that only
// reads certificates (node:crypto does that) never pays them.

import type { KeyObject } from 'node:crypto';
import { fail, ok, type Result } from '../../protocol/result.ts';

export type X509 = typeof import('@peculiar/x509');
let loading: Promise<X509> | undefined;

export function loadX509(): Promise<X509> {
  loading ??= import('./x509-library.ts').then(({ x509 }) => x509);
  return loading;
}

type Signing = { readonly name: string; readonly hash: string; readonly namedCurve?: string };

const EC: Readonly<Record<string, Signing>> = {
  prime256v1: { name: 'ECDSA', hash: 'SHA-256', namedCurve: 'P-256' },
  secp384r1: { name: 'ECDSA', hash: 'SHA-384', namedCurve: 'P-384' },
};
const RSA_BITS_MIN = 2048;

/** How an authority's key signs. Ours are P-256; a company's own may be older than we are. */
export function signingOf(key: KeyObject): Result<Signing> {
  const { namedCurve = '', modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  const ec = EC[namedCurve];
  if (key.asymmetricKeyType === 'ec' && ec !== undefined) return ok(ec);
  if (key.asymmetricKeyType === 'rsa' && modulusLength >= RSA_BITS_MIN) {
    return ok({ name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' });
  }
  return fail(
    `an authority's key is ECDSA P-256 or P-384, or RSA with ${RSA_BITS_MIN} bits or more`,
  );
}

export const isP256 = (key: KeyObject): boolean =>
  key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
