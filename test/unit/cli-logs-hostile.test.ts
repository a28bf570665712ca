// What a till says must not drive the screen of who reads it, and what cannot be written is said.

import { describe, expect, it } from 'vitest';
import type { Client, LogRequestView } from '../../cli/client.ts';
import type { Context } from '../../cli/context.ts';
import { plainLine, shownLines } from '../../cli/log-lines.ts';
import { plainStyle } from '../../cli/screen.ts';
import { runLogs } from '../../cli/verbs/logs.ts';
import { runRequests } from '../../cli/verbs/requests.ts';

const ID = '0b3f6f0e-5a8a-4f3c-9a51-0a4a9a3a7f10';
const CLEAR = '\u001b]52;c;ZXZpbA==\u0007\u001b[2J\u009b31m\rforged';
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are just what is to be found.
const DRIVES = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;
const RECORD = { timeMs: 0, guessed: false, level: undefined, component: 'sale' } as const;

async function run(
  change: Partial<LogRequestView>,
  text: string,
  isShown: boolean,
  output?: string,
) {
  const out: string[] = [];
  const view = { id: ID, terminal: 'lane-1', state: 'complete', bytes: text.length, lines: 1 };
  const more = { error: '', redactions: 0, bytesMax: 1, connected: true, expiresMs: 0, ...change };
  const client = {
    get: () => Promise.resolve({ ok: true, value: { ...view, ...more } }),
    bytes: () => Promise.resolve({ ok: true, value: Buffer.from(text) }),
  } as unknown as Client;
  const sleep = () => Promise.resolve();
  const print = (line: string) => void out.push(line);
  const context: Context = {
    ...{ client, json: false, style: plainStyle, nowMs: () => 0, print, sleep },
  };
  const note = print;
  const said = { components: [], reason: '', request: ID, wait: true, isShown, output };
  const outcome = await runLogs(context, [], { ...said, note, progress: () => {} });
  await runRequests(context, { id: ID, limit: '1', cancel: false, reason: '' });
  return { outcome, out: out.join('\n') };
}

describe('what a till says', () => {
  it.each([true, false])('drives no screen, record or none (shown: %s)', async (isShown) => {
    const odd = `2026-99-99T99:99:99.999Z E [sale] ${CLEAR}\n`;
    for (const text of [`${CLEAR}\n`, odd, `\tgoes on${CLEAR}\n`]) {
      const { out } = await run({}, text, isShown);
      expect(out).toContain('forged');
      expect(out).not.toMatch(DRIVES);
    }
  });

  it('drives none as the sentence of a failure', async () => {
    const { out, outcome } = await run({ state: 'failed', error: CLEAR }, '', true);
    expect(`${out}${outcome.sentence}`).toContain('forged');
    expect(`${out}${outcome.sentence}`).not.toMatch(DRIVES);
  });

  it('is one line in a pipe, without what drives and what turns words round', () => {
    const record = { ...RECORD, text: `${CLEAR}\n\u202egnp.exe` };
    for (const line of [
      plainLine(record, { style: plainStyle }),
      ...shownLines(record, { style: plainStyle }),
    ]) {
      expect(line).not.toMatch(DRIVES);
      expect(line).not.toMatch(/\u202e/);
    }
  });
});

describe('a file that cannot take it', () => {
  it('is said, and is no bug of ours', async () => {
    const { outcome } = await run({}, '2026-11-23T10:00:00.123Z W [sale] x\n', false, '/dev/full');
    expect(outcome).toEqual({ exit: 1, sentence: expect.stringMatching(/--output.*ENOSPC/) });
  });
});
