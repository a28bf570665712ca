// A device behind TCP: network printers, and everything that our emulators play.

import { connect } from 'node:net';
import { saying } from '../../shared/result.ts';
import { makePort, type Opened, type Transport, WRITE_MS } from './port.ts';

export type TcpSettings = { readonly host: string; readonly port: number };

const CONNECT_MS = 2_000;
const KEEP_ALIVE_MS = 10_000;

export function tcpTransport({ host, port }: TcpSettings, writeMs = WRITE_MS): Transport {
  return {
    place: `${host}:${port}`,
    open: (events) =>
      new Promise<Opened>((answer) => {
        const socket = connect({ host, port, noDelay: true });
        socket.setKeepAlive(true, KEEP_ALIVE_MS);
        socket.setTimeout(CONNECT_MS, () => socket.destroy(new Error('no connection in time')));
        socket.on('error', (error) =>
          answer({ ok: false, fault: 'absent', reason: saying(error) }),
        );
        socket.once('connect', () => {
          socket.setTimeout(0);
          socket.on('data', events.bytes);
          socket.once('close', events.closed);
          const raw = {
            isOpen: () => !socket.destroyed && socket.writable && socket.readable,
            write: (bytes: Uint8Array, done: (error?: Error | null) => void) =>
              void socket.write(bytes, done),
            destroy: () => void socket.destroy(),
          };
          answer({ ok: true, port: makePort(raw, writeMs) });
        });
      }),
  };
}
