// Tells apart what a receipt printer sends: answers to DLE EOT, fences, blocks and automatic status of four
// bytes, with flow control mixed in. Each kind is known by its fixed bits (research/pos.md 1.2); what fits none
// is counted as garbage, which is how another speed of the line shows itself.

import { isFence, isStatus } from '../escpos.ts';
import type { Conversation, Reader } from '../transports/conversation.ts';

export type Message =
  | { readonly kind: 'status'; readonly byte: number }
  | { readonly kind: 'fence'; readonly byte: number }
  | { readonly kind: 'automatic'; readonly bytes: readonly [number, number, number, number] }
  | { readonly kind: 'block'; readonly bytes: Uint8Array }
  | { readonly kind: 'garbage' };

export type Talk = Conversation<Message>;

const XON = 0x11;
const XOFF = 0x13;
const BLOCK_HEADS = [0x35, 0x37, 0x3b, 0x3d, 0x5f];
/** The longest known answer (a model's name) has 80. */
const BLOCK_BYTES_MAX = 256;
const isAutomatic = (byte: number): boolean => (byte & 0x93) === 0x10;

export function createReader(): Reader<Message> {
  let automatic: number[] = [];
  let block: number[] = [];
  const take = (byte: number): Message | undefined => {
    if (block.length > 0) {
      block.push(byte);
      const bytes = block;
      if (byte !== 0 && bytes.length < BLOCK_BYTES_MAX) return undefined;
      block = [];
      return byte === 0 ? { kind: 'block', bytes: Uint8Array.from(bytes) } : { kind: 'garbage' };
    }
    if (byte === XON || byte === XOFF) return undefined;
    // A real-time answer may come between the four bytes of an automatic status.
    if (isStatus(byte)) return { kind: 'status', byte };
    if (automatic.length > 0 && isFence(byte)) {
      automatic.push(byte);
      const [one, two, three, four] = automatic;
      if (one === undefined || two === undefined || three === undefined || four === undefined) {
        return undefined;
      }
      automatic = [];
      return { kind: 'automatic', bytes: [one, two, three, four] };
    }
    const broken = automatic.length > 0;
    automatic = [];
    if (isAutomatic(byte)) automatic = [byte];
    else if (isFence(byte)) return { kind: 'fence', byte };
    else if (BLOCK_HEADS.includes(byte)) block = [byte];
    else return { kind: 'garbage' };
    return broken ? { kind: 'garbage' } : undefined;
  };
  return { push: (bytes) => [...bytes].flatMap((byte) => take(byte) ?? []) };
}
