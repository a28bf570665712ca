// Reads the fixed headers of a byte stream from a terminal [MQTT-2.2] without keeping any of it, so
// that a packet which is too large, of a kind that no terminal sends, or no MQTT at all is known at its
// first bytes. The real parser cannot do this: it buffers up to 256 MiB before it looks, also for a
// stranger (aedes 1086). Chunks may be cut anywhere, even inside a length.

import { PACKET_BYTES_MAX } from '../../protocol/limits.ts';

/** Everything but PUBLISH: the longest is a CONNECT with a will, far below this. */
export const CONTROL_BYTES_MAX = 4 * 1024;
/** A remaining length has at most four bytes [MQTT-2.2.3]. */
const LENGTH_BYTES_MAX = 4;

const CONNECT = 1;
const PUBLISH = 3;
/** Packet types that a QoS 1 client sends: also PUBACK, SUBSCRIBE, UNSUBSCRIBE, PINGREQ, DISCONNECT. */
const FROM_CLIENT: ReadonlySet<number> = new Set([CONNECT, PUBLISH, 4, 8, 10, 12, 14]);
/** Types whose remaining length must be 0: PINGREQ and DISCONNECT [MQTT-3.12, 3.14]. */
const EMPTY: ReadonlySet<number> = new Set([12, 14]);

export type HeaderProblem = 'no_connect' | 'malformed' | 'packet_too_large';

export type Scan = {
  readonly problem?: HeaderProblem;
  /** Where in this chunk the first packet, the CONNECT, ended. */
  readonly connectEnd?: number;
};

export type HeaderReader = { readonly scan: (chunk: Uint8Array) => Scan };

/** PUBLISH carries QoS and retain in its flags, three types must say 0010, the others 0 [MQTT-2.2.2]. */
function flagsAreRight(type: number, flags: number): boolean {
  if (type === PUBLISH) return (flags & 0b0110) !== 0b0110;
  return flags === (type === 8 || type === 10 ? 0b0010 : 0);
}

export function createHeaderReader(): HeaderReader {
  let phase: 'header' | 'length' | 'payload' = 'header';
  let connected = false;
  let type = 0;
  let remaining = 0;
  let lengthBytes = 0;

  function readHeader(byte: number): HeaderProblem | undefined {
    type = byte >> 4;
    if (!connected && byte !== CONNECT << 4) return 'no_connect';
    if (connected && type === CONNECT) return 'malformed';
    if (!FROM_CLIENT.has(type) || !flagsAreRight(type, byte & 0x0f)) return 'malformed';
    remaining = 0;
    lengthBytes = 0;
    phase = 'length';
    return undefined;
  }

  function readLength(byte: number): HeaderProblem | undefined {
    remaining += (byte & 0x7f) * 128 ** lengthBytes;
    lengthBytes += 1;
    if (remaining > (type === PUBLISH ? PACKET_BYTES_MAX : CONTROL_BYTES_MAX)) {
      return 'packet_too_large';
    }
    if ((byte & 0x80) !== 0) return lengthBytes === LENGTH_BYTES_MAX ? 'malformed' : undefined;
    if (EMPTY.has(type) && remaining !== 0) return 'malformed';
    phase = 'payload';
    return undefined;
  }

  return {
    scan: (chunk) => {
      let connectEnd: number | undefined;
      let at = 0;
      while (at < chunk.length || (phase === 'payload' && remaining === 0)) {
        if (phase === 'payload') {
          const step = Math.min(remaining, chunk.length - at);
          at += step;
          remaining -= step;
          if (remaining > 0) continue;
          if (!connected) connectEnd = at;
          connected = true;
          phase = 'header';
          continue;
        }
        const byte = chunk[at] ?? 0;
        at += 1;
        const problem = phase === 'header' ? readHeader(byte) : readLength(byte);
        if (problem !== undefined) return { problem };
      }
      return connectEnd === undefined ? {} : { connectEnd };
    },
  };
}
