// Protobuf's wire format by hand, as far as metric bodies need it [protobuf.dev, Encoding]: no message of
// ours is read or written as often. protobufjs makes an object for each 64-bit number (Long) where that
// library is installed, and a function call for each where it is not; here a difference of one byte, which
// nearly all are, is one look. Total: bytes that are no message set `bad`, nothing throws, and a reader
// never leaves its bounds.

const CONTINUES = 0x80;
const VARINT_BYTES_MAX = 10;
/** 2^(7i - 1): what byte i of a zigzag varint adds, halved. */
const HALVES: readonly number[] = Array.from({ length: 9 }, (_, i) => 2 ** (7 * i - 1));
const LENGTH_MAX = 2 ** 31 - 1;

/** Low three bits of a tag. */
export const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

export class ByteReader {
  readonly data: Uint8Array;
  at: number;
  end: number;
  bad = false;
  #view: DataView | undefined;

  constructor(data: Uint8Array) {
    this.data = data;
    this.at = 0;
    this.end = data.length;
  }

  /** Gives up on everything that follows. */
  fail(): 0 {
    this.bad = true;
    this.at = this.end;
    return 0;
  }

  more(): boolean {
    return this.at < this.end;
  }

  /** An unsigned number below 2^31: lengths, tags, places. */
  small(): number {
    let value = 0;
    let factor = 1;
    for (let i = 0; i < 5 && this.at < this.end; i += 1) {
      const byte = this.data[this.at] as number;
      this.at += 1;
      value += (byte & 0x7f) * factor;
      if (byte < CONTINUES) return value <= LENGTH_MAX ? value : this.fail();
      factor *= 128;
    }
    return this.fail();
  }

  /** Field and wire type; there is no field 0. */
  tag(): number {
    const tag = this.small();
    return tag < 8 ? this.fail() : tag;
  }

  /** A zigzag number; NaN when a double cannot count so far. */
  signed(): number {
    if (this.at >= this.end) return this.fail();
    const first = this.data[this.at] as number;
    this.at += 1;
    if (first < CONTINUES) return (first >>> 1) ^ -(first & 1);
    let half = (first & 0x7e) / 2;
    for (let i = 1; i < VARINT_BYTES_MAX && this.at < this.end; i += 1) {
      const byte = this.data[this.at] as number;
      this.at += 1;
      half += (byte & 0x7f) * (HALVES[i] ?? Number.NaN);
      if (byte < CONTINUES) {
        const value = (first & 1) === 0 ? half : -half - 1;
        return Number.isSafeInteger(value) ? value : Number.NaN;
      }
    }
    return this.fail();
  }

  double(): number {
    if (this.at + 8 > this.end) return this.fail();
    const { buffer, byteOffset, byteLength } = this.data;
    this.#view ??= new DataView(buffer, byteOffset, byteLength);
    const value = this.#view.getFloat64(this.at, true);
    this.at += 8;
    return value;
  }

  /** Reads a length and @returns where that many bytes end. */
  span(): number {
    const length = this.small();
    if (this.at + length > this.end) this.fail();
    return this.bad ? this.end : this.at + length;
  }

  /** Past a field that nobody knows. @param wire as in WIRE, the low three bits of its tag. */
  skip(wire: number): void {
    if (wire === WIRE.bytes) this.at = this.span();
    else if (wire === WIRE.fixed64) this.at += 8;
    else if (wire === WIRE.fixed32) this.at += 4;
    else if (wire === WIRE.varint) this.#skipVarint();
    // Groups: no proto3 sender has them.
    else this.fail();
    if (this.at > this.end) this.fail();
  }

  #skipVarint(): void {
    for (let i = 0; i < VARINT_BYTES_MAX && this.at < this.end; i += 1) {
      this.at += 1;
      if ((this.data[this.at - 1] as number) < CONTINUES) return;
    }
    this.fail();
  }
}

/** Grows as it is written; `bytes()` is a copy, and the writer may be used again. */
export class ByteWriter {
  #data: Buffer;
  #at = 0;

  constructor(bytes: number) {
    this.#data = Buffer.allocUnsafeSlow(bytes);
  }

  get length(): number {
    return this.#at;
  }

  clear(): void {
    this.#at = 0;
  }

  /** A copy of what was written from there on. */
  bytes(from = 0): Uint8Array {
    return Uint8Array.prototype.slice.call(this.#data, from, this.#at);
  }

  raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#data.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#data.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#data.length * 2, this.#at + bytes));
    this.#data.copy(larger, 0, 0, this.#at);
    this.#data = larger;
  }

  /** A whole number from 0 to 2^54. */
  varint(value: number): void {
    this.#room(VARINT_BYTES_MAX);
    let rest = value;
    while (rest >= CONTINUES) {
      this.#data[this.#at] = (rest % CONTINUES) | CONTINUES;
      this.#at += 1;
      rest = Math.floor(rest / CONTINUES);
    }
    this.#data[this.#at] = rest;
    this.#at += 1;
  }

  /** A safe whole number, zigzag: its sign is its lowest bit. */
  signed(value: number): void {
    if (value >= -64 && value < 64) {
      this.#room(1);
      this.#data[this.#at] = value < 0 ? -value * 2 - 1 : value * 2;
      this.#at += 1;
      return;
    }
    // Twice a safe number may be odd beyond what a double holds: the lowest seven bits are taken apart.
    const half = value < 0 ? -(value + 1) : value;
    this.#room(VARINT_BYTES_MAX);
    this.#data[this.#at] = ((half % 64) * 2 + (value < 0 ? 1 : 0)) | CONTINUES;
    this.#at += 1;
    this.varint(Math.floor(half / 64));
  }

  double(value: number): void {
    this.#room(8);
    this.#data.writeDoubleLE(value, this.#at);
    this.#at += 8;
  }

  text(value: string): void {
    const bytes = Buffer.byteLength(value);
    this.varint(bytes);
    this.#room(bytes);
    this.#at += this.#data.write(value, this.#at, bytes, 'utf8');
  }

  /** What `write` writes, behind its tag and its length. */
  part(tag: number, write: () => void): void {
    this.varint(tag);
    const start = this.#at;
    write();
    const length = this.#at - start;
    let lengthBytes = 1;
    for (let rest = length; rest >= CONTINUES; rest = Math.floor(rest / CONTINUES))
      lengthBytes += 1;
    this.#room(lengthBytes);
    this.#data.copyWithin(start + lengthBytes, start, this.#at);
    this.#at = start;
    this.varint(length);
    this.#at += length;
  }
}
