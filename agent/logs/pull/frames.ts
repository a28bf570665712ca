// What the agent and the process that searches say to each other: frames over its standard input and output, each a
// letter, a length and so many bytes. Words are JSON; a chunk is a few numbers and the bytes that are to be sent.

/** A job with its plan of a few thousand blocks, or a chunk; more is none of ours. */
export const FRAME_BYTES_MAX = 2 * 1024 * 1024;
const HEAD_BYTES = 5;

/** To the searcher: job, more credits and what the broker has, cancel. From it: plan, chunk, progress, end, failure. */
export const LETTERS = { job: 'J', go: 'G', cancel: 'X', plan: 'P', chunk: 'C' } as const;
export const MORE_LETTERS = { progress: 'S', end: 'E', failed: 'F' } as const;

export type Frame = { readonly letter: string; readonly body: Buffer };

export function encodeFrame(letter: string, ...parts: readonly Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = Buffer.alloc(HEAD_BYTES);
  head.write(letter, 0, 'latin1');
  head.writeUInt32LE(length, 1);
  return Buffer.concat([head, ...parts]);
}

export const encodeWords = (letter: string, words: unknown): Buffer =>
  encodeFrame(letter, Buffer.from(JSON.stringify(words)));

/** Takes a stream apart. @returns undefined when it is none of frames. */
export function createFrames(): (bytes: Buffer) => Frame[] | undefined {
  let held: Buffer[] = [];
  let heldBytes = 0;
  let wanted = HEAD_BYTES;
  return (bytes) => {
    held.push(bytes);
    heldBytes += bytes.length;
    if (heldBytes < wanted) return [];
    let all = held.length === 1 ? bytes : Buffer.concat(held);
    const frames: Frame[] = [];
    wanted = HEAD_BYTES;
    while (all.length >= HEAD_BYTES) {
      const length = all.readUInt32LE(1);
      if (length > FRAME_BYTES_MAX) return undefined;
      wanted = HEAD_BYTES + length;
      if (all.length < wanted) break;
      const letter = all.toString('latin1', 0, 1);
      frames.push({ letter, body: all.subarray(HEAD_BYTES, wanted) });
      all = all.subarray(wanted);
      wanted = HEAD_BYTES;
    }
    held = all.length === 0 ? [] : [all];
    heldBytes = all.length;
    return frames;
  };
}
