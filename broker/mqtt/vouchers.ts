// What let each connection in, for as long as it lives: no handshake asks a live one again. It ends with its
// certificate and with the authority that issued that. How long a certificate has left is taken from the wall clock once,
// at the handshake, and then measured by the other one: a broker whose clock jumps must not cut off a whole chain.

import type { Cancel, Clock, Timers } from '../clock.ts';
import type { FrontMetrics, Log, OnRefused } from '../ports.ts';
import { fingerprintOf } from '../trust/certificates.ts';
import type { ServerIdentity } from '../trust/types.ts';
import type { Guard } from './guard.ts';

const LOOK_MS = 1_000;

/** What it showed: who issued it, and how long it still is good. */
export type Voucher = { readonly authority: string; readonly leftMs: number };

export type VoucherOptions = {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly timers: Pick<Timers, 'every'>;
  readonly metrics: Pick<FrontMetrics, 'refused'>;
  readonly log: Log;
  readonly onRefused?: OnRefused | undefined;
};

export type Vouchers = {
  readonly add: (guard: Guard, voucher: Voucher) => void;
  /** Ends those that others than these let in. */
  readonly keepOnly: (identity: Pick<ServerIdentity, 'authorities'>) => void;
  readonly stop: Cancel;
};

export function createVouchers(options: VoucherOptions): Vouchers {
  const { clock, timers, metrics, log, onRefused } = options;
  const vouched = new Map<Guard, { authority: string; endsMs: number }>();

  function end(guard: Guard, sentence: string): void {
    const { terminal, address } = guard;
    metrics.refused('certificate');
    log.warn('cut off', { reason: 'certificate', sentence, client: terminal, address });
    onRefused?.({ reason: 'certificate', sentence, address, terminal });
    guard.destroy();
  }

  const stop = timers.every(LOOK_MS, () => {
    const nowMs = clock.monotonicMs();
    for (const [guard, { endsMs }] of vouched) {
      if (endsMs <= nowMs) end(guard, 'its certificate has ended: it has to renew it');
    }
  });
  return {
    stop,
    add: (guard, { authority, leftMs }) => {
      vouched.set(guard, { authority, endsMs: clock.monotonicMs() + leftMs });
      guard.once('close', () => vouched.delete(guard));
    },
    keepOnly: ({ authorities }) => {
      const believed = new Set(authorities.map(fingerprintOf));
      for (const [guard, { authority }] of [...vouched]) {
        if (!believed.has(authority)) {
          end(guard, 'the authority of its certificate is believed no longer');
        }
      }
    },
  };
}
