// Secrets and answers from a person or a pipe. A secret is never an argument, where every process of the machine and the
// shell's history would have it: it comes from standard input, or is asked for on the terminal without being shown.
// Questions go to standard error, so that what a verb prints can go into a file.

import { fail, ok, type Result } from '../protocol/result.ts';

const CHARS_MAX = 4_096;

export type Person = {
  /** Whether somebody is there who can be asked. */
  readonly isThere: boolean;
  /** One line that is not shown; from a pipe, all that comes. */
  readonly secret: (question: string) => Promise<Result<string>>;
  readonly confirm: (question: string) => Promise<boolean>;
  readonly tell: (line: string) => void;
};

async function readPipe(): Promise<Result<string>> {
  let text = '';
  for await (const part of process.stdin.setEncoding('utf8') as AsyncIterable<string>) {
    text += part;
    if (text.length > CHARS_MAX) return fail('standard input holds more than a token');
  }
  return ok(text.trim());
}

/** Reads one line by its keys. @param shown whether what is typed can be seen */
function readKeys(question: string, shown: boolean): Promise<Result<string>> {
  const { stdin, stderr } = process;
  return new Promise((resolve) => {
    let text = '';
    const end = (result: Result<string>): void => {
      stdin.off('data', take);
      stdin.setRawMode(false);
      stdin.pause();
      stderr.write('\n');
      resolve(result);
    };
    const take = (part: Buffer): void => {
      for (const key of part.toString('utf8')) {
        if (key === '\r' || key === '\n' || key === '\u0003' || key === '\u0004') {
          end(key < '\u0005' ? fail('it was broken off') : ok(text.trim()));
          return;
        }
        if (key === '\u007f' || key === '\b') text = text.slice(0, -1);
        else if (key >= ' ' && text.length < CHARS_MAX) {
          text += key;
          if (shown) stderr.write(key);
        }
      }
    };
    // Before the question is there to be answered: what is typed at once would be shown.
    stdin.setRawMode(true);
    stdin.resume();
    stdin.on('data', take);
    stderr.write(question);
  });
}

export const person: Person = {
  isThere: process.stdin.isTTY === true,
  secret: async (question) =>
    process.stdin.isTTY === true ? await readKeys(question, false) : await readPipe(),
  confirm: async (question) => {
    const answer = await readKeys(question, true);
    return answer.ok && /^y(es)?$/i.test(answer.value);
  },
  tell: (line) => void process.stderr.write(`${line}\n`),
};

/** A line that is typed and seen; for words that have to be written out. */
export const askLine = (question: string): Promise<Result<string>> => readKeys(question, true);
