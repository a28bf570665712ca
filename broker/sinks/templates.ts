// Labels as they stand in a remote write request, already encoded. Tills of one chain have the same
// series but for whose they are, so everything around `store` and `terminal` is encoded once for all of
// them and kept, least recently used out first; a fleet of 10 000 then costs the memory of one till's
// labels and not a million copies.

/** Series of different name or labels, over the whole fleet, whose encoded labels are kept. */
export const TEMPLATES_MAX = 20_000;
/** Terminals, as many as the broker knows; more come from a restart of its registry only. */
const PLACES_MAX = 50_000;

export type Template = {
  /** For a person: name{label="value"}. */
  readonly text: string;
  /** 32 bits of its name and labels. */
  readonly hash: number;
  /** Encoded labels before `store`, between it and `terminal`, and after that. */
  readonly pieces: readonly [Uint8Array, Uint8Array, Uint8Array];
};

/** Whose a series is. */
export type Place = {
  readonly terminal: string;
  readonly storeBytes: Uint8Array;
  readonly terminalBytes: Uint8Array;
};

const STORE = 'store';
const TERMINAL = 'terminal';
const NOTHING = new Uint8Array(0);

/** `Label { name = 1, value = 2 }` as field 1 of a TimeSeries; lengths are varints [remote write 1.0]. */
function encodeLabel(name: string, value: string): Uint8Array {
  const nameBytes = Buffer.from(name);
  const valueBytes = Buffer.from(value);
  const inner = Buffer.concat([
    Buffer.from([0x0a, ...varint(nameBytes.length)]),
    nameBytes,
    Buffer.from([0x12, ...varint(valueBytes.length)]),
    valueBytes,
  ]);
  return Buffer.concat([Buffer.from([0x0a, ...varint(inner.length)]), inner]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return bytes;
}

/** FNV-1a: two series of a terminal that share it cost one of them its place in the budget's count. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return hash | 0;
}

function makeTemplate(name: string, labels: readonly string[]): Template | undefined {
  const pairs: (readonly [string, string])[] = [['__name__', name]];
  const shown: string[] = [];
  for (let i = 0; i < labels.length; i += 2) {
    const [label = '', value = ''] = labels.slice(i, i + 2);
    // Names that begin so are the database's own; a body that brings one could rename its series.
    if (label.startsWith('__')) return undefined;
    // An empty label is one that is not there [remote write 1.0, Labels].
    if (value === '' || label === STORE || label === TERMINAL) continue;
    pairs.push([label, value]);
    shown.push(`${label}=${JSON.stringify(value)}`);
  }
  // By bytes, which for these names is how strings compare: upper case before `__name__`.
  pairs.sort(([a], [b]) => (a < b ? -1 : 1));
  const piece = (after: string, before: string): Uint8Array =>
    Buffer.concat(
      pairs.filter(([label]) => label > after && (before === '' || label < before)).map(encoded),
    );
  const text = `${name}{${shown.join(',')}}`;
  return {
    text,
    hash: hashOf(text),
    pieces: [piece('', STORE), piece(STORE, TERMINAL), piece(TERMINAL, '')],
  };
}

const encoded = ([name, value]: readonly [string, string]): Uint8Array => encodeLabel(name, value);

export type Templates = {
  /** @param labels name, value, ... @returns undefined when a label has a name that none may have. */
  readonly templateOf: (name: string, labels: readonly string[]) => Template | undefined;
  /** The same object for the same terminal in the same store, until the store changes. */
  readonly placeOf: (terminal: string, store: string) => Place;
};

export function createTemplates(max = TEMPLATES_MAX): Templates {
  /** `false`: a name that none may have. The oldest entry is the least recently used. */
  const templates = new Map<string, Template | false>();
  const places = new Map<string, Place & { readonly store: string }>();
  return {
    templateOf: (name, labels) => {
      const key = `${name}\0${labels.join('\0')}`;
      let template = templates.get(key);
      if (template === undefined) {
        template = makeTemplate(name, labels) ?? false;
        templates.set(key, template);
        const oldest = templates.size > max ? templates.keys().next() : undefined;
        if (oldest?.done === false) templates.delete(oldest.value);
      } else if (templates.size > max / 2) {
        // Order only matters where something will have to go.
        templates.delete(key);
        templates.set(key, template);
      }
      return template === false ? undefined : template;
    },
    placeOf: (terminal, store) => {
      const known = places.get(terminal);
      if (known !== undefined && known.store === store) return known;
      if (places.size >= PLACES_MAX) places.clear();
      const place = {
        terminal,
        store,
        storeBytes: store === '' ? NOTHING : encodeLabel(STORE, store),
        terminalBytes: terminal === '' ? NOTHING : encodeLabel(TERMINAL, terminal),
      };
      places.set(terminal, place);
      return place;
    },
  };
}
