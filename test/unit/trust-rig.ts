// For the tests of broker/trust: a folder for keys, a clock and timers that are moved by hand, and certificate
// requests as an agent makes them.

import type { webcrypto } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeTrust } from '../../broker/trust/make.ts';
import { openTrust } from '../../broker/trust/trust.ts';
import type { Trust } from '../../broker/trust/types.ts';
import { loadX509 } from '../../broker/trust/x509.ts';
import type { Result } from '../../protocol/result.ts';

export const DAY_MS = 24 * 3_600_000;
export const P256 = { name: 'ECDSA', namedCurve: 'P-256' } as const;

export function must<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.reason);
  return result.value;
}

export const why = (result: Result<unknown>): string => (result.ok ? '' : result.reason);

export async function csr(
  algorithm: { name: string; namedCurve: string } = P256,
  hash = 'SHA-256',
  name = 'CN=whatever',
): Promise<string> {
  const x509 = await loadX509();
  const pair = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const keys = pair as webcrypto.CryptoKeyPair;
  const signingAlgorithm = { ...algorithm, hash };
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    ...{ name, keys, signingAlgorithm },
  });
  return request.toString('pem');
}

export function openRig() {
  const dir = mkdtempSync(join(tmpdir(), 'tw-trust-'));
  const keysDir = join(dir, 'keys');
  let nowMs = Date.parse('2026-06-01T12:00:00Z');
  const timers: { run: () => void; ms: number; dueMs: number }[] = [];
  const said: { level: string; message: string; fields: Record<string, unknown> }[] = [];
  const opened: Trust[] = [];
  const say =
    (level: string) =>
    (message: string, fields: Record<string, unknown> = {}) =>
      void said.push({ level, message, fields });
  const rig = {
    dir,
    keysDir,
    said,
    nowMs: () => nowMs,
    /** Moves the clock, runs what is due, each once, and waits for what comes of it: that happens off this thread. */
    pass: async (ms: number, isDone: () => boolean = () => true): Promise<void> => {
      nowMs += ms;
      for (const timer of timers.filter(({ dueMs }) => dueMs <= nowMs)) {
        timer.dueMs = nowMs + timer.ms;
        timer.run();
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
      for (let waitedMs = 0; !isDone(); waitedMs += 20) {
        if (waitedMs > 20_000) throw new Error('nothing came of it');
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    make: (passphrase?: string) => makeTrust({ keysDir, passphrase, nowMs }),
    open: async (
      passphrase?: string,
      names: readonly string[] = ['broker.example', '10.1.2.3'],
    ) => {
      const trust = await openTrust({
        ...{ keysDir, names, passphrase },
        clock: { wallMs: () => nowMs },
        timers: {
          after: () => () => {},
          every: (ms, run) => {
            const timer = { run, ms, dueMs: nowMs + ms };
            timers.push(timer);
            return () => void timers.splice(timers.indexOf(timer), 1);
          },
        },
        log: { info: say('info'), warn: say('warn'), error: say('error') },
      });
      if (trust.ok) opened.push(trust.value);
      return trust;
    },
    close: (): void => {
      for (const trust of opened) trust.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
  return rig;
}
