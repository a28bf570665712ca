// The way to the broker, hop by hop, as a technician would try it: gateway, names, proxy, a connection to each address,
// and what is presented there. Each is tried by itself with a time-out of its own, because the first that fails is
// seldom the only thing that one wants to know. Nothing is sent over what is opened but the handshake.

import { connect, isIP, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { certificateFacts } from '../deeds/certificates.ts';
import { dial } from '../link/dial.ts';
import type { KnownTime } from '../link/judge.ts';
import type { Address, Way } from '../link/types.ts';
import type { Clock, Timers } from '../ports.ts';
import { codeOf } from './files.ts';
import { knock } from './knock.ts';

const HOP_MS_MAX = 5_000;

export type HopPorts = {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly timers: Timers;
  readonly time: () => KnownTime;
};
export type Hop = {
  readonly hop: string;
  readonly to: string;
  readonly ok: boolean;
  readonly tookMs: number;
  readonly reason: string;
  readonly found?: unknown;
};

type Tried = { readonly ok: boolean; readonly reason: string; readonly found?: unknown };

async function timed(
  hop: string,
  to: string,
  { clock, timers }: HopPorts,
  run: () => Promise<Tried>,
): Promise<Hop> {
  const begunMs = clock.monotonicMs();
  const late = new Promise<Tried>((done) => {
    timers.after(HOP_MS_MAX, () => done({ ok: false, reason: `no answer in ${HOP_MS_MAX} ms` }));
  });
  const failed = (error: unknown): Tried => ({ ok: false, reason: codeOf(error) });
  const tried = await Promise.race([run().catch(failed), late]);
  return { hop, to, tookMs: Math.round(clock.monotonicMs() - begunMs), ...tried };
}

const addressText = ({ host, port }: Address): string => `${host}:${port}`;

const tryTcp = ({ host, port }: Address): Promise<Tried> =>
  new Promise((done) => {
    const socket = connect({ host, port, timeout: HOP_MS_MAX });
    const settle = (tried: Tried): void => {
      socket.destroy();
      done(tried);
    };
    socket.once('connect', () => settle({ ok: true, reason: 'connected' }));
    socket.once('timeout', () => settle({ ok: false, reason: 'no answer' }));
    socket.on('error', (error) => settle({ ok: false, reason: codeOf(error) }));
  });

async function tryName(host: string): Promise<Tried> {
  if (isIP(host) !== 0) return { ok: true, reason: 'it is an address' };
  // A bundle would load it with the agent if it were imported above.
  const { lookup } = await import('node:dns/promises');
  const found = await lookup(host, { all: true });
  return { ok: true, reason: 'resolved', found: found.map(({ address }) => address) };
}

const isSecure = (socket: Socket | undefined): socket is TLSSocket =>
  socket !== undefined && 'getPeerX509Certificate' in socket;

async function trySecure(address: Address, way: Way, ports: HopPorts): Promise<Tried> {
  const sockets: Socket[] = [];
  const keep = (socket: Socket): void => {
    sockets.push(socket);
    socket.on('error', () => undefined);
  };
  const { timers, time } = ports;
  const close = (): void => {
    for (const each of sockets) each.destroy();
  };
  // TLS has no time-out of its own: what is not answered would stay open for as long as the agent lives.
  const cancel = timers.after(HOP_MS_MAX, close);
  const opened = await dial({ ...{ address, way, time, timers, keep }, timeoutMs: HOP_MS_MAX });
  const socket = opened.ok ? opened.value : sockets.at(-1);
  const peer = isSecure(socket) ? socket.getPeerX509Certificate() : undefined;
  const found = peer === undefined ? undefined : certificateFacts(peer, time().nowMs ?? 0);
  cancel();
  close();
  return opened.ok
    ? { ok: true, reason: 'its certificate is believed', found }
    : { ok: false, reason: opened.reason, found };
}

export async function tryHops(
  way: Way,
  gateway: string | undefined,
  ports: HopPorts,
): Promise<Hop[]> {
  const { addresses, proxy, credentials } = way;
  const hops: Promise<Hop>[] = [];
  if (gateway !== undefined) {
    hops.push(
      timed('gateway', gateway, ports, async () => {
        const answer = await knock(gateway);
        return { ok: answer === 'answers', reason: answer };
      }),
    );
  }
  const nearest = proxy === undefined ? addresses : [proxy];
  for (const host of new Set(nearest.map((one) => one.host))) {
    hops.push(timed('name', host, ports, () => tryName(host)));
  }
  const what = proxy === undefined ? 'broker' : 'proxy';
  for (const one of nearest) hops.push(timed(what, addressText(one), ports, () => tryTcp(one)));
  if (proxy !== undefined || credentials !== undefined) {
    const how = credentials === undefined ? 'through the proxy' : 'handshake';
    for (const one of addresses) {
      hops.push(timed(how, addressText(one), ports, () => trySecure(one, way, ports)));
    }
  }
  return await Promise.all(hops);
}
