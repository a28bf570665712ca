// What is told of a certificate: whom it names, its number, and how long it holds. Never more: a diagnosis is read by
// many, and whoever needs the certificate itself has it.

import { X509Certificate } from 'node:crypto';

const DAY_MS = 24 * 3_600_000;

export type CertificateFacts = {
  readonly subject: string;
  readonly issuer: string;
  readonly serial: string;
  readonly daysLeft: number;
};

export const certificateFacts = (
  { subject, issuer, serialNumber, validToDate }: X509Certificate,
  nowMs: number,
): CertificateFacts => ({
  subject,
  issuer,
  serial: serialNumber.toLowerCase(),
  daysLeft: Math.floor((validToDate.getTime() - nowMs) / DAY_MS),
});

/** @param pem as it stands in a file. */
export function factsOf(
  pem: string,
  nowMs: number,
): CertificateFacts | { readonly reason: string } {
  try {
    return certificateFacts(new X509Certificate(pem), nowMs);
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error) };
  }
}
