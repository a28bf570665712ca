// Whether another machine answers at all, without privileges: a TCP connection to a port where nobody listens. A
// refusal is an answer; "no route to host" is the kernel's word that the neighbour did not answer its address
// request three times, which takes about three seconds [arp(7)]. Nothing is ever sent over it.

import { connect } from 'node:net';
import { codeOf } from './files.ts';

/** Discard [RFC 863]: where somebody does listen, nothing happens either. */
const PORT = 9;
export const KNOCK_MS_MAX = 5_000;

export type Knocked = 'answers' | 'silent' | 'unknown';
const SILENT: readonly string[] = ['EHOSTUNREACH', 'EHOSTDOWN'];

export function knock(host: string, port = PORT): Promise<Knocked> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const settle = (answer: Knocked): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(KNOCK_MS_MAX, () => settle('unknown'));
    socket.once('connect', () => settle('answers'));
    socket.on('error', (error) => {
      const code = codeOf(error);
      if (code === 'ECONNREFUSED' || code === 'ECONNRESET') settle('answers');
      else settle(SILENT.includes(code) ? 'silent' : 'unknown');
    });
  });
}
