// Reads what a TLS client says first, before any key is touched: whether it is a ClientHello at all, and which
// protocols it asks for by ALPN. One port serves terminals and people, and whoever waits in front of a handshake
// must cost a buffer and no more, so this is read here and not in OpenSSL. Pure and total: any bytes give an
// answer, none is read past its end, and unknown values (GREASE [RFC 8701], new extensions) are stepped over.

/** More than any client sends; a hello with post-quantum key shares has 1.8 KB. */
export const HELLO_BYTES_MAX = 16 * 1024;
/** Some clients spread theirs over a few records on purpose; nobody needs one for each byte. */
export const RECORDS_MAX = 64;
/** All bytes of a hello with as many records as it may have. */
export const PEEK_BYTES_MAX = HELLO_BYTES_MAX + RECORDS_MAX * 5;
/** A record of handshake data: its type, and the longest that may travel [RFC 8446 5.1]. */
const HANDSHAKE_RECORD = 22;
const RECORD_BYTES_MAX = 2 ** 14;
const RECORD_HEAD_BYTES = 5;
const CLIENT_HELLO = 1;
const MESSAGE_HEAD_BYTES = 4;
/** legacy_version and random [RFC 8446 4.1.2]. */
const FIXED_BYTES = 2 + 32;
const ALPN_EXTENSION = 16;
const VERSIONS_EXTENSION = 43;
const TLS_1_3 = 0x0304;
/** What is looked at of a list; the rest of it is stepped over. */
const LISTED_MAX = 32;

export type ClientHello = {
  /** In the order in which the client prefers them [RFC 7301 3.1]. */
  readonly protocols: readonly string[];
  readonly speaksTls13: boolean;
};
export type HelloStep =
  /** Fewer than `bytes` in all tell nothing new. */
  | { readonly kind: 'more'; readonly bytes: number }
  | { readonly kind: 'hello'; readonly hello: ClientHello }
  | { readonly kind: 'wrong'; readonly sentence: string };
type Unfinished = Exclude<HelloStep, { kind: 'hello' }>;

const wrong = (sentence: string): Unfinished => ({ kind: 'wrong', sentence });
const NOTHING = new Uint8Array(0);

/** Reads forwards inside its bounds. What is not there makes it `cut`, and it reads as 0 from then on. */
class Cursor {
  cut = false;
  at = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.at;
  }

  /** A number of `size` bytes, the highest first. */
  number(size: number): number {
    let value = 0;
    for (const byte of this.take(size)) value = value * 256 + byte;
    return value;
  }

  take(size: number): Uint8Array {
    if (size > this.left) {
      this.cut = true;
      this.at = this.#bytes.length;
      return NOTHING;
    }
    this.at += size;
    return this.#bytes.subarray(this.at - size, this.at);
  }

  /** What a length of `size` bytes announces. */
  vector(size: number): Uint8Array {
    return this.take(this.number(size));
  }
}

type Message = { readonly kind: 'whole'; readonly body: Uint8Array } | Unfinished;
type Part = { readonly kind: 'record'; readonly part: Uint8Array; readonly whole: number };

/** One record or what is there of it, its head always whole. */
function readRecord(records: Cursor, first: number | undefined): Part | Unfinished {
  // The first byte alone tells a stranger: whoever speaks plain text is not waited for.
  if (first !== undefined && first !== HANDSHAKE_RECORD) {
    return wrong('it does not begin as TLS does');
  }
  if (records.left < RECORD_HEAD_BYTES) {
    return { kind: 'more', bytes: records.at + RECORD_HEAD_BYTES };
  }
  records.take(1);
  if (records.number(2) >> 8 !== 3) return wrong('its record has no TLS version');
  const whole = records.number(2);
  if (whole === 0 || whole > RECORD_BYTES_MAX) return wrong('its record has no possible length');
  return { kind: 'record', part: records.take(Math.min(whole, records.left)), whole };
}

/** Puts the first handshake message together; it may be spread over records [RFC 8446 5.1]. */
function firstMessage(bytes: Uint8Array): Message {
  const parts: Uint8Array[] = [];
  const records = new Cursor(bytes);
  let gathered = 0;
  while (parts.length < RECORDS_MAX) {
    const record = readRecord(records, bytes[records.at]);
    if (record.kind !== 'record') return record;
    const { part, whole } = record;
    parts.push(part);
    gathered += part.length;
    let wanted = MESSAGE_HEAD_BYTES;
    if (gathered >= MESSAGE_HEAD_BYTES) {
      const message = new Cursor(parts.length === 1 ? part : Buffer.concat(parts));
      if (message.number(1) !== CLIENT_HELLO) return wrong('its first message is no ClientHello');
      const size = message.number(3);
      if (size > HELLO_BYTES_MAX) return wrong('its ClientHello is too long');
      if (message.left >= size) return { kind: 'whole', body: message.take(size) };
      wanted += size;
    }
    const missing = whole - part.length;
    if (missing > 0)
      return { kind: 'more', bytes: records.at + Math.min(missing, wanted - gathered) };
  }
  return wrong('its ClientHello is in too many records');
}

/** @returns what `read` makes of each entry of a list; undefined where the list is not whole. */
function listed<T>(list: Uint8Array, read: (entries: Cursor) => T): T[] | undefined {
  const entries = new Cursor(list);
  const found: T[] = [];
  while (entries.left > 0) {
    const entry = read(entries);
    if (entries.cut) return undefined;
    if (found.length < LISTED_MAX) found.push(entry);
  }
  return found;
}

type Extension = { readonly type: number; readonly data: Cursor };

function readExtensions(extensions: readonly Extension[]): ClientHello | undefined {
  let protocols: string[] | undefined = [];
  let versions: number[] | undefined = [];
  for (const { type, data } of extensions) {
    if (type === ALPN_EXTENSION) {
      protocols = listed(data.vector(2), (list) => Buffer.from(list.vector(1)).toString('latin1'));
    }
    if (type === VERSIONS_EXTENSION) versions = listed(data.vector(1), (list) => list.number(2));
    if (data.cut || protocols === undefined || versions === undefined) return undefined;
  }
  return { protocols, speaksTls13: versions.includes(TLS_1_3) };
}

/** @param body of the message. @returns undefined when its lengths contradict each other. */
function readHello(body: Uint8Array): ClientHello | undefined {
  const fields = new Cursor(body);
  fields.take(FIXED_BYTES);
  // legacy_session_id, cipher_suites, legacy_compression_methods.
  for (const size of [1, 2, 1]) fields.vector(size);
  if (fields.cut) return undefined;
  // Before TLS 1.2 a hello could end here.
  if (fields.left === 0) return { protocols: [], speaksTls13: false };
  const block = fields.vector(2);
  const extensions = listed(block, (entries) => {
    const type = entries.number(2);
    return { type, data: new Cursor(entries.vector(2)) };
  });
  if (fields.cut || extensions === undefined) return undefined;
  return readExtensions(extensions);
}

/** @param bytes everything that came so far; those behind the hello are not looked at. */
export function readClientHello(bytes: Uint8Array): HelloStep {
  const message = firstMessage(bytes);
  if (message.kind !== 'whole') return message;
  const hello = readHello(message.body);
  return hello === undefined ? wrong('its ClientHello cannot be read') : { kind: 'hello', hello };
}
