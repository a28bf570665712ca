// The bytes of a receipt printer (ESC/POS), pure: what a job is on the wire, and what status bytes mean.
// Bytes and masks: research/pos.md 1.2. Text is brought down to ASCII, the part that every code page
// shares, because a wrong code page prints nonsense on somebody's receipt.

import type { ErrorCode } from './device/upos.ts';

/** DLE EOT n: answered at once, also when the printer is offline, full or in error. */
export const askStatus = (n: 1 | 2 | 3 | 4): Buffer => Buffer.from([0x10, 0x04, n]);
/** Fixed bits of a DLE EOT answer; they tell it from everything else that a printer sends. */
export const isStatus = (byte: number): boolean => (byte & 0x93) === 0x12;
/** GS r 1: queued behind the job, so its answer means that the job was really processed. */
export const FENCE = Buffer.from([0x1d, 0x72, 0x01]);
export const isFence = (byte: number): boolean => (byte & 0x90) === 0;
/** GS ( H fn 48: like GS r, and its answer names the job; not every printer knows it. */
export const namedFence = (name: string): Buffer =>
  Buffer.concat([Buffer.from([0x1d, 0x28, 0x48, 0x06, 0x00, 0x30, 0x30]), Buffer.from(name)]);
/** 4 characters of 0x20 to 0x7e, different for 10 000 jobs in a row. */
export const fenceName = (number: number): string => String(number % 10_000).padStart(4, '0');
export const isNamedFence = (block: Uint8Array, name: string): boolean =>
  Buffer.from(block).equals(Buffer.from(`\x37\x22${name}\0`, 'latin1'));

/** GS I n: what it is. Queued behind whatever it prints, so only a printer that is well answers. */
export const INFO = { firmware: 65, model: 67 } as const;
export const askInfo = (what: keyof typeof INFO): Buffer => Buffer.from([0x1d, 0x49, INFO[what]]);
const INFO_CHARS_MAX = 64;
/** Its answer, brought down to what a label can hold; undefined for any other block. */
export function infoOf(block: Uint8Array): string | undefined {
  if (block[0] !== 0x5f) return undefined;
  const text = Buffer.from(block.subarray(1)).toString('latin1');
  return text
    .replaceAll(/[^ -~]/g, '')
    .trim()
    .slice(0, INFO_CHARS_MAX);
}

export const INIT = Buffer.from([0x1b, 0x40]);
/** GS a: says every change of drawer, online state, error and paper by itself. */
export const AUTOMATIC_STATUS = Buffer.from([0x1d, 0x61, 0xff]);
/** DLE DC4 fn 8: cancels what runs and clears both buffers, also in the middle of an image. */
export const CLEAR = Buffer.from([0x10, 0x14, 0x08, 0x01, 0x03, 0x14, 0x01, 0x06, 0x02, 0x08]);
export const isCleared = (block: Uint8Array): boolean =>
  Buffer.from(block).equals(Buffer.from([0x37, 0x25, 0x00]));
/** For printers without it: fills up whatever image they wait for. */
export const FLUSH = Buffer.alloc(8_192);
/** DLE ENQ 2: clears and goes on after an error that can be recovered from, mostly the cutter's. */
export const RECOVER = Buffer.from([0x10, 0x05, 0x02]);
/** DLE DC4 fn 1: at once, also while paper is out. @param pin 2 or 5 of the plug. */
export const kick = (pin: 2 | 5, ms: number): Buffer =>
  Buffer.from([0x10, 0x14, 0x01, pin === 2 ? 0 : 1, Math.min(8, Math.max(1, Math.ceil(ms / 100)))]);
/** ESC p: in the order of what was sent, for printers without the real-time form. */
export const queuedKick = (pin: 2 | 5, ms: number): Buffer =>
  Buffer.from([0x1b, 0x70, pin === 2 ? 0 : 1, Math.min(255, Math.ceil(ms / 2)), 0xfa]);

const CODE_PAGE_437 = Buffer.from([0x1b, 0x74, 0x00]);
const FEED = Buffer.from([0x1b, 0x64, 0x03]);
/** GS V 66 0: feed to the cutter and cut. */
const CUT = Buffer.from([0x1d, 0x56, 0x42, 0x00]);

/** What has no ASCII form after taking accents off becomes a question mark; control characters go. */
export function plainText(text: string): string {
  return text
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .replaceAll(/\r\n?/g, '\n')
    .replaceAll(/[^\n -~]/gu, (char) => (char.charCodeAt(0) < 0x20 ? '' : '?'));
}

/** @returns the whole job with its fence at the end. */
export function encodeJob(text: string, fence: Uint8Array = FENCE): Buffer {
  const body = Buffer.from(`${plainText(text).replace(/\n*$/, '')}\n`, 'latin1');
  return Buffer.concat([INIT, CODE_PAGE_437, body, FEED, CUT, fence]);
}

/** Answers to DLE EOT 1, 2 and 4; undefined where none came in time. */
export type StatusBytes = {
  readonly printer: number | undefined;
  readonly offline: number | undefined;
  readonly paper: number | undefined;
};

/** @returns why the printer cannot print now, or undefined when it can. */
export function troubleOf({ printer, offline, paper }: StatusBytes): ErrorCode | undefined {
  if (printer === undefined || offline === undefined || paper === undefined) return 'E_TIMEOUT';
  if ((offline & 0x04) !== 0) return 'EPTR_COVER_OPEN';
  if ((paper & 0x60) !== 0 || (offline & 0x20) !== 0) return 'EPTR_REC_EMPTY';
  if ((offline & 0x40) !== 0) return 'E_FAILURE';
  if ((printer & 0x08) !== 0) return 'E_OFFLINE';
  return undefined;
}

/** What DLE EOT 3 says; the worst first, because it decides who is called. */
export type Failure = 'broken' | 'cutter' | 'mechanical' | 'hot' | undefined;
export function failureOf(byte: number | undefined): Failure {
  if (byte === undefined) return undefined;
  if ((byte & 0x20) !== 0) return 'broken';
  if ((byte & 0x08) !== 0) return 'cutter';
  if ((byte & 0x04) !== 0) return 'mechanical';
  return (byte & 0x40) !== 0 ? 'hot' : undefined;
}
export const FAILURE_TEXTS: Readonly<Record<NonNullable<Failure>, string>> = {
  broken: 'it cannot recover: switch it off and on, or have it repaired',
  cutter: 'the cutter is jammed',
  mechanical: 'something mechanical is stuck',
  hot: 'the print head is too hot and cools down by itself',
};
