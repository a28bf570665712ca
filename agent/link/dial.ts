// The way to one address of the broker: plain, through a proxy, under TLS, or both. It stands apart from the session,
// which speaks MQTT over whatever comes out of here.

import { connect, type Socket } from 'node:net';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Timers } from '../ports.ts';
import type { KnownTime } from './judge.ts';
import type { Address, Way } from './types.ts';

export type DialOptions = {
  readonly address: Address;
  readonly way: Pick<Way, 'proxy' | 'credentials'>;
  readonly time: () => KnownTime;
  readonly timeoutMs: number;
  readonly timers: Timers;
  /** Each socket that is made, so that whoever gives up can destroy it. */
  readonly keep: (socket: Socket) => void;
};

/** @returns a socket to write to; in plain text one that may still be connecting. Never rejects. */
export async function dial(options: DialOptions): Promise<Result<Socket>> {
  const { address, way, time, timeoutMs, timers, keep } = options;
  const { proxy, credentials } = way;
  if (proxy === undefined && credentials === undefined) {
    const socket = connect({ host: address.host, port: address.port, noDelay: true });
    keep(socket);
    return ok(socket);
  }
  let over: Socket | undefined;
  if (proxy !== undefined) {
    const { connectThrough } = await import('./proxy.ts');
    const opened = await connectThrough(proxy, address, { timers, timeoutMs, keep });
    if (!opened.ok) return opened;
    over = opened.value;
  }
  if (credentials === undefined) return over === undefined ? fail('there is no way') : ok(over);
  const { secure } = await import('./secure.ts');
  return secure({ address, credentials, time: time(), over, keep });
}
