import { generateKeyPairSync, type X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type Judges, judgePeer } from '../../broker/tls/peer.ts';
import type { ClientCertificate } from '../../broker/trust/types.ts';

const client: ClientCertificate = {
  ...{ terminal: 'lane-1', serial: '01', notBeforeMs: 0, notAfterMs: 1, authority: '' },
  publicKey: generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey,
};
const yes: Judges = {
  readClient: () => ({ ok: true, value: client }),
  admit: () => ({ ok: true }),
  nowMs: () => 0,
};
type Handshake = Parameters<typeof judgePeer>[0];
const handshake = (more: Partial<Handshake> = {}): Handshake =>
  ({
    getPeerX509Certificate: () => ({ raw: Buffer.alloc(1) }) as X509Certificate,
    isSessionReused: () => false,
    ...{ authorized: true, authorizationError: null, alpnProtocol: 'mqtt' },
    ...more,
  }) as Handshake;

describe('who is at the other end', () => {
  test('is the terminal of the certificate when everybody agrees', () => {
    expect(judgePeer(handshake(), yes)).toEqual({
      ...{ kind: 'terminal', terminal: 'lane-1', certificate: client },
    });
  });

  test.each<[string, Handshake, Partial<Judges>, string, string | undefined]>([
    [
      'no certificate',
      handshake({ getPeerX509Certificate: () => undefined }),
      {},
      'certificate',
      undefined,
    ],
    [
      'one that is not ours',
      handshake(),
      { readClient: () => ({ ok: false, reason: 'not ours' }) },
      'certificate',
      undefined,
    ],
    [
      'one that the registry refuses',
      handshake(),
      { admit: () => ({ ok: false, reason: 'revoked', sentence: 'revoked' }) },
      'revoked',
      'lane-1',
    ],
    [
      'one that TLS does not believe, though we would',
      handshake({ authorized: false, authorizationError: 'CERT_HAS_EXPIRED' as never }),
      {},
      'certificate',
      'lane-1',
    ],
    [
      'a session from before',
      handshake({ isSessionReused: () => true }),
      {},
      'certificate',
      'lane-1',
    ],
    ['no word of MQTT', handshake({ alpnProtocol: false }), {}, 'handshake', undefined],
  ])('is nobody with %s', (_what, at, judges, reason, terminal) => {
    const peer = judgePeer(at, { ...yes, ...judges });
    if (peer.kind !== 'refused') throw new Error(`${peer.terminal} was let in`);
    expect([peer.reason, peer.terminal]).toEqual([reason, terminal]);
  });
});
