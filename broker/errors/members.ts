// Which terminals had something, as a small run of bytes: a list of their numbers while they are few, one bit for each
// of the fleet when they are many. So "how many terminals" is exact for any set of hours, versions and stores, and ten
// thousand terminals cost 1 250 bytes for a kind and an hour, and not ten thousand rows. Pure.

/** Its first byte says how it is written. */
const LIST = 0;
const BITS = 1;
const NUMBER_BYTES = 4;
/** Beyond it the bits of a fleet of 2 000 are smaller. */
const LISTED_MAX = 64;

const isList = (members: Uint8Array): boolean => members[0] === LIST;
const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array): DataView =>
  new DataView(buffer, byteOffset, byteLength);

/** Calls `each` with every number, in no order. */
export function eachMember(members: Uint8Array, each: (number: number) => void): void {
  if (isList(members)) {
    const view = viewOf(members);
    for (let at = 1; at < members.length; at += NUMBER_BYTES) each(view.getUint32(at, true));
    return;
  }
  for (let at = 1; at < members.length; at += 1) {
    for (let byte = members[at] ?? 0; byte !== 0; byte &= byte - 1) {
      each((at - 1) * 8 + (31 - Math.clz32(byte & -byte)));
    }
  }
}

export function hasMember(members: Uint8Array, number: number): boolean {
  if (!isList(members)) return ((members[1 + (number >> 3)] ?? 0) & (1 << (number & 7))) !== 0;
  const view = viewOf(members);
  for (let at = 1; at < members.length; at += NUMBER_BYTES) {
    if (view.getUint32(at, true) === number) return true;
  }
  return false;
}

/** With room for that number; what was there is copied. */
function bitsFor(members: Uint8Array, number: number): Uint8Array {
  const bytes = Math.max(isList(members) ? 0 : members.length, 2 + (number >> 3));
  const bits = new Uint8Array(bytes);
  bits[0] = BITS;
  if (!isList(members)) bits.set(members.subarray(1), 1);
  return bits;
}

const setBit = (bits: Uint8Array, number: number): void => {
  const at = 1 + (number >> 3);
  bits[at] = (bits[at] ?? 0) | (1 << (number & 7));
};

function toBits(members: Uint8Array, also: number): Uint8Array {
  let most = also;
  eachMember(members, (number) => {
    most = Math.max(most, number);
  });
  const bits = bitsFor(members, most);
  eachMember(members, (number) => setBit(bits, number));
  return bits;
}

export const NO_MEMBERS: Uint8Array = new Uint8Array([LIST]);

/** @returns the same bytes where it is one of them already. */
export function withMember(members: Uint8Array, number: number): Uint8Array {
  if (hasMember(members, number)) return members;
  if (isList(members) && members.length < 1 + LISTED_MAX * NUMBER_BYTES) {
    const list = new Uint8Array(members.length + NUMBER_BYTES);
    list.set(members);
    viewOf(list).setUint32(members.length, number, true);
    return list;
  }
  const bits = isList(members) ? toBits(members, number) : bitsFor(members, number);
  setBit(bits, number);
  return bits;
}

export type Union = {
  readonly add: (members: Uint8Array) => void;
  /** Everything that is in the other one, too. */
  readonly addAll: (other: Union) => void;
  readonly each: (each: (number: number) => void) => void;
  readonly bits: Uint8Array;
};

/** @param max numbers are below it. */
export function createUnion(max: number): Union {
  const bits = new Uint8Array(1 + Math.ceil(max / 8));
  bits[0] = BITS;
  const addBits = (members: Uint8Array): void => {
    const end = Math.min(members.length, bits.length);
    for (let at = 1; at < end; at += 1) bits[at] = (bits[at] ?? 0) | (members[at] ?? 0);
  };
  return {
    bits,
    add: (members) => {
      if (isList(members)) eachMember(members, (number) => setBit(bits, number));
      else addBits(members);
    },
    addAll: (other) => addBits(other.bits),
    each: (each) => eachMember(bits, each),
  };
}
