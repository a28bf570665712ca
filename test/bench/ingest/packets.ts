// Reads MQTT packets from brokers by hand, because a loader must cost less than what it loads.

type Take = (type: number, packet: Buffer) => void;

/** @returns what is left of a packet that is cut. */
export function readPackets(rest: Buffer, chunk: Buffer, take: Take): Buffer<ArrayBufferLike> {
  const data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
  let at = 0;
  while (at + 2 <= data.length) {
    let length = 0;
    let bytes = 0;
    let byte = 0x80;
    while ((byte & 0x80) !== 0 && at + 1 + bytes < data.length) {
      byte = data[at + 1 + bytes] ?? 0;
      length += (byte & 0x7f) * 128 ** bytes;
      bytes += 1;
    }
    const end = at + 1 + bytes + length;
    if ((byte & 0x80) !== 0 || end > data.length) break;
    take((data[at] ?? 0) >> 4, data.subarray(at + 1 + bytes, end));
    at = end;
  }
  return data.subarray(at);
}
