// Cuts the byte stream of a terminal into MQTT packets [MQTT-2.2], and knows at a packet's first bytes
// whether it is too large, of a kind that no terminal sends, or no MQTT at all. aedes' parser cannot do
// that: it buffers up to 256 MiB before it looks, also for a stranger (aedes 1086). Chunks may be cut
// anywhere, even inside a length. Packets from us are written here, too: there are two kinds.

import { PACKET_BYTES_MAX } from '../../protocol/limits.ts';

/** Everything but PUBLISH: the longest is a CONNECT with a will, far below this. */
export const CONTROL_BYTES_MAX = 4 * 1024;
/** A remaining length has at most four bytes [MQTT-2.2.3]. */
const LENGTH_BYTES_MAX = 4;
/** A packet that comes in many chunks is gathered in a buffer that begins with this and doubles. */
const GATHER_BYTES = 4 * 1024;

export const CONNECT = 1;
export const PUBLISH = 3;
export const PUBACK = 4;
/** Packet types that a QoS 1 client sends: also PUBACK, SUBSCRIBE, UNSUBSCRIBE, PINGREQ, DISCONNECT. */
const FROM_CLIENT: ReadonlySet<number> = new Set([CONNECT, PUBLISH, PUBACK, 8, 10, 12, 14]);
/** Types whose remaining length must be 0: PINGREQ and DISCONNECT [MQTT-3.12, 3.14]. */
const EMPTY: ReadonlySet<number> = new Set([12, 14]);

export type PacketProblem = 'no_connect' | 'malformed' | 'packet_too_large';
/** `more`: the chunk has been read to its end. */
export type Step = 'packet' | 'more' | PacketProblem;

/** PUBLISH carries QoS and retain in its flags, three types must say 0010, the others 0 [MQTT-2.2.2]. */
function flagsAreRight(type: number, flags: number): boolean {
  if (type === PUBLISH) return (flags & 0b0110) !== 0b0110;
  return flags === (type === 8 || type === 10 ? 0b0010 : 0);
}

const NOTHING = Buffer.alloc(0);

export class PacketReader {
  /** Of the packet that `step` found: its first byte, and all behind its fixed header. */
  first = 0;
  body: Buffer = NOTHING;
  #chunk: Buffer = NOTHING;
  #at = 0;
  #phase: 'header' | 'length' | 'body' = 'header';
  #connected = false;
  #remaining = 0;
  #lengthBytes = 0;
  /** What earlier chunks brought of a body that is cut. */
  #gathered: Buffer = NOTHING;
  #gatheredBytes = 0;

  take(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#at = 0;
  }

  /** What `step` has not read yet. */
  rest(): Buffer {
    return this.#chunk.subarray(this.#at);
  }

  /** Reads up to the end of the next packet, or to the end of the chunk. */
  step(): Step {
    const chunk = this.#chunk;
    while (this.#phase !== 'body') {
      if (this.#at >= chunk.length) return 'more';
      const byte = chunk[this.#at] as number;
      this.#at += 1;
      const problem = this.#phase === 'header' ? this.#header(byte) : this.#length(byte);
      if (problem !== undefined) return problem;
    }
    const missing = this.#remaining - this.#gatheredBytes;
    if (chunk.length - this.#at < missing) return this.#gather();
    const part = chunk.subarray(this.#at, this.#at + missing);
    this.#at += missing;
    this.body = this.#gatheredBytes === 0 ? part : this.#append(part);
    this.#gathered = NOTHING;
    this.#gatheredBytes = 0;
    this.#phase = 'header';
    this.#connected = true;
    return 'packet';
  }

  #header(byte: number): PacketProblem | undefined {
    const type = byte >> 4;
    if (!this.#connected && byte !== CONNECT << 4) return 'no_connect';
    if (this.#connected && type === CONNECT) return 'malformed';
    if (!FROM_CLIENT.has(type) || !flagsAreRight(type, byte & 0x0f)) return 'malformed';
    this.first = byte;
    this.#remaining = 0;
    this.#lengthBytes = 0;
    this.#phase = 'length';
    return undefined;
  }

  #length(byte: number): PacketProblem | undefined {
    const type = this.first >> 4;
    this.#remaining += (byte & 0x7f) * 128 ** this.#lengthBytes;
    this.#lengthBytes += 1;
    if (this.#remaining > (type === PUBLISH ? PACKET_BYTES_MAX : CONTROL_BYTES_MAX)) {
      return 'packet_too_large';
    }
    if ((byte & 0x80) !== 0) {
      return this.#lengthBytes === LENGTH_BYTES_MAX ? 'malformed' : undefined;
    }
    if (EMPTY.has(type) && this.#remaining !== 0) return 'malformed';
    this.#phase = 'body';
    return undefined;
  }

  #gather(): Step {
    this.#append(this.rest());
    this.#at = this.#chunk.length;
    return 'more';
  }

  #append(part: Buffer): Buffer {
    const bytes = this.#gatheredBytes + part.length;
    if (bytes > this.#gathered.length) {
      const wanted = Math.max(bytes, this.#gathered.length * 2, GATHER_BYTES);
      const larger = Buffer.allocUnsafeSlow(Math.min(this.#remaining, wanted));
      this.#gathered.copy(larger, 0, 0, this.#gatheredBytes);
      this.#gathered = larger;
    }
    part.copy(this.#gathered, this.#gatheredBytes);
    this.#gatheredBytes = bytes;
    return this.#gathered.subarray(0, bytes);
  }
}

/** The fixed header [MQTT-2.2]; `remaining` is at most PACKET_BYTES_MAX. */
export function writeHeader(first: number, remaining: number): Buffer {
  const bytes = [first];
  let rest = remaining;
  do {
    bytes.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return Buffer.from(bytes);
}

/** A PUBLISH with QoS 1, not retained [MQTT-3.3]. */
export function writePublish(topic: string, id: number, payload: Uint8Array): Buffer {
  const header = writeHeader((PUBLISH << 4) | 0b0010, 2 + topic.length + 2 + payload.length);
  const packet = Buffer.allocUnsafe(header.length + 4 + topic.length + payload.length);
  let at = header.copy(packet);
  at = packet.writeUInt16BE(topic.length, at);
  // Our topics are ASCII (protocol/ids.ts).
  at += packet.write(topic, at, 'latin1');
  at = packet.writeUInt16BE(id, at);
  packet.set(payload, at);
  return packet;
}

/** PUBACKs one behind the other, in this order [MQTT-4.6.0-2]. */
export function writePubacks(ids: readonly number[]): Buffer {
  const packets = Buffer.allocUnsafe(ids.length * 4);
  for (const [index, id] of ids.entries()) {
    packets.writeUInt32BE(((PUBACK << 28) | (2 << 16) | id) >>> 0, index * 4);
  }
  return packets;
}

export type Published = {
  readonly topic: string;
  readonly qos: number;
  readonly retain: boolean;
  /** 0 with QoS 0. */
  readonly id: number;
  readonly payload: Buffer;
};

/** @returns undefined when it is no PUBLISH [MQTT-3.3]. */
export function readPublish(first: number, body: Buffer): Published | undefined {
  const qos = (first >> 1) & 0b11;
  const topicEnd = 2 + (body.length < 2 ? 0 : body.readUInt16BE(0));
  const payloadAt = topicEnd + (qos === 0 ? 0 : 2);
  if (payloadAt > body.length) return undefined;
  const id = qos === 0 ? 0 : body.readUInt16BE(topicEnd);
  // A packet id is never 0 [MQTT-2.3.1-1].
  if (qos !== 0 && id === 0) return undefined;
  const topic = body.toString('utf8', 2, topicEnd);
  return { topic, qos, retain: (first & 1) === 1, id, payload: body.subarray(payloadAt) };
}
