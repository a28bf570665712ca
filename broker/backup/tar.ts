// A tar archive as a stream [POSIX.1-2017 pax, ustar]: what lies within a backup, so that a person gets at it with age,
// zstd and tar alone. Only what a backup needs: plain files with short names. The archive that is read was proven by its
// encryption before, but not who wrote it: a name that leads out of the folder is refused.

const BLOCK_BYTES = 512;
/** Eleven octal digits; what is larger is written in binary, as GNU tar does. */
const OCTAL_MAX = 8 ** 11;
const NAME = /^[a-z0-9][A-Za-z0-9._-]*(\/[A-Za-z0-9][A-Za-z0-9._-]*){0,3}$/;
const NAME_BYTES_MAX = 100;

type Bytes = AsyncIterable<Uint8Array>;
export type Entry = { readonly name: string; readonly bytes: number };

function octal(field: Buffer, value: number): void {
  field.write(value.toString(8).padStart(field.length - 1, '0'), 'latin1');
}

function writeSize(field: Buffer, bytes: number): void {
  if (bytes < OCTAL_MAX) octal(field, bytes);
  else {
    field[0] = 0x80;
    field.writeUIntBE(bytes, field.length - 6, 6);
  }
}

const readSize = (field: Buffer): number =>
  field[0] === 0x80 ? field.readUIntBE(field.length - 6, 6) : readOctal(field);
const readOctal = (field: Buffer): number =>
  Number.parseInt(field.toString('latin1').replace(/[\0 ].*$/s, '') || '0', 8);

/** Of a header, with its own field as blanks. */
function sumOf(header: Buffer): number {
  let sum = 8 * 0x20;
  for (const [place, byte] of header.entries()) if (place < 148 || place >= 156) sum += byte;
  return sum;
}

export function tarHeader({ name, bytes }: Entry, timeMs: number): Buffer {
  if (!NAME.test(name) || name.length > NAME_BYTES_MAX) throw new Error(`bug: entry ${name}`);
  const header = Buffer.alloc(BLOCK_BYTES);
  header.write(name, 0, 'latin1');
  octal(header.subarray(100, 108), 0o600);
  octal(header.subarray(108, 116), 0);
  octal(header.subarray(116, 124), 0);
  writeSize(header.subarray(124, 136), bytes);
  octal(header.subarray(136, 148), Math.floor(timeMs / 1000));
  header.write('0', 156, 'latin1');
  header.write('ustar\x0000', 257, 'latin1');
  octal(header.subarray(148, 155), sumOf(header));
  header[155] = 0x20;
  return header;
}

/** Behind a file of so many bytes. */
export const tarPadding = (bytes: number): Buffer =>
  Buffer.alloc((BLOCK_BYTES - (bytes % BLOCK_BYTES)) % BLOCK_BYTES);
export const tarEnd = (): Buffer => Buffer.alloc(2 * BLOCK_BYTES);

function readHeader(header: Buffer): Entry | undefined {
  if (header.every((byte) => byte === 0)) return undefined;
  if (readOctal(header.subarray(148, 156)) !== sumOf(header)) {
    throw new Error('holds no archive of a backup');
  }
  const name = header.toString('latin1', 0, NAME_BYTES_MAX).replace(/\0.*$/s, '');
  if (!NAME.test(name)) throw new Error(`holds a file with the name ${JSON.stringify(name)}`);
  return { name, bytes: readSize(header.subarray(124, 136)) };
}

/** Hands out bytes in the lengths that are asked for, or less where less has come. */
function openParts(source: Bytes) {
  const parts = source[Symbol.asyncIterator]();
  let held: Buffer = Buffer.alloc(0);
  async function some(most: number): Promise<Buffer> {
    while (held.length === 0) {
      const part = await parts.next();
      if (part.done === true) throw new Error('ends within a file');
      held = Buffer.from(part.value.buffer, part.value.byteOffset, part.value.byteLength);
    }
    const given = held.subarray(0, most);
    held = held.subarray(given.length);
    return given;
  }
  async function exactly(length: number): Promise<Buffer> {
    const all: Buffer[] = [];
    for (let left = length; left > 0; ) {
      const part = await some(left);
      all.push(part);
      left -= part.length;
    }
    return Buffer.concat(all);
  }
  /** To the end: only there is the whole proven. */
  async function rest(): Promise<void> {
    held = Buffer.alloc(0);
    while ((await parts.next()).done !== true);
  }
  return { some, exactly, rest };
}

/** @param take is given each file; what it does not read of one is passed by. */
export async function readTar(
  source: Bytes,
  take: (entry: Entry, body: Bytes) => Promise<void>,
): Promise<void> {
  const { some, exactly, rest } = openParts(source);
  for (;;) {
    const entry = readHeader(await exactly(BLOCK_BYTES));
    if (entry === undefined) break;
    let left = entry.bytes;
    async function* body() {
      while (left > 0) {
        const part = await some(left);
        left -= part.length;
        yield part;
      }
    }
    await take(entry, body());
    while (left > 0) left -= (await some(left)).length;
    await exactly(tarPadding(entry.bytes).length);
  }
  await rest();
}
