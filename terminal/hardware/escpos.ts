// The bytes of a receipt printer (ESC/POS), pure: what a job is on the wire, and what status bytes mean.
// Bytes and masks: research/pos.md 1.2. Text is brought down to ASCII, the part that every code page
// shares, because a wrong code page prints nonsense on somebody's receipt.

/** DLE EOT n: answered at once, also when the printer is offline, full or in error. */
export const askStatus = (n: 1 | 2 | 4): Buffer => Buffer.from([0x10, 0x04, n]);
/** Fixed bits of a DLE EOT answer; they tell it from everything else that a printer sends. */
export const isStatus = (byte: number): boolean => (byte & 0x93) === 0x12;
/** GS r 1: queued behind the job, so its answer means that the job was really processed. */
export const FENCE = Buffer.from([0x1d, 0x72, 0x01]);
export const isFence = (byte: number): boolean => (byte & 0x90) === 0;

const INIT = Buffer.from([0x1b, 0x40]);
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
export function encodeJob(text: string): Buffer {
  const body = Buffer.from(`${plainText(text).replace(/\n*$/, '')}\n`, 'latin1');
  return Buffer.concat([INIT, CODE_PAGE_437, body, FEED, CUT, FENCE]);
}

/** Answers to DLE EOT 1, 2 and 4; undefined where none came in time. */
export type StatusBytes = {
  readonly printer: number | undefined;
  readonly offline: number | undefined;
  readonly paper: number | undefined;
};
/** UnifiedPOS names [research/pos.md 1.1]. */
export const ERROR_CODES = [
  'E_NOHARDWARE',
  'E_TIMEOUT',
  'E_OFFLINE',
  'E_FAILURE',
  'EPTR_COVER_OPEN',
  'EPTR_REC_EMPTY',
] as const;
export type ErrorCode = (typeof ERROR_CODES)[number];

/** @returns why the printer cannot print now, or undefined when it can. */
export function troubleOf({ printer, offline, paper }: StatusBytes): ErrorCode | undefined {
  if (printer === undefined || offline === undefined || paper === undefined) return 'E_TIMEOUT';
  if ((offline & 0x04) !== 0) return 'EPTR_COVER_OPEN';
  if ((paper & 0x60) !== 0 || (offline & 0x20) !== 0) return 'EPTR_REC_EMPTY';
  if ((offline & 0x40) !== 0) return 'E_FAILURE';
  if ((printer & 0x08) !== 0) return 'E_OFFLINE';
  return undefined;
}

/** For the cashier and the log. */
export const SENTENCES: Readonly<Record<ErrorCode, string>> = {
  E_NOHARDWARE: 'the printer cannot be reached',
  E_TIMEOUT: 'the printer does not answer',
  E_OFFLINE: 'the printer is offline',
  E_FAILURE: 'the printer reports an error',
  EPTR_COVER_OPEN: 'the cover of the printer is open',
  EPTR_REC_EMPTY: 'the receipt paper is at its end',
};
