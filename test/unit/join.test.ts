// A machine that belongs to nobody yet becomes a terminal by its token (cli/verbs/join.ts).

import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runJoin } from '../../cli/verbs/join.ts';
import { formatToken } from '../../protocol/enrolment.ts';

const token = formatToken({
  ...{ id: '0123456789abcdef', secret: 'a'.repeat(43), terminal: 'bm-lane-1' },
  ...{ authority: 'ab'.repeat(32), urls: ['https://broker.example.com:8443'] },
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tillwatch-join-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function become(more: { token?: string; proxy?: string } = {}) {
  const said: string[] = [];
  const wish = {
    ...{ token, config: join(folder, 'etc/agent.yaml'), dataDir: join(folder, 'data') },
    ...{ runDir: join(folder, 'run'), proxy: undefined, json: false, ...more },
  };
  return runJoin({ ...wish, print: (line) => said.push(line) }).then((end) => ({ ...end, said }));
}

describe('a machine that joins', () => {
  it('gets a file that says who it is and where, and a token that nobody else can read', async () => {
    const { exit, said } = await become({ proxy: 'http://proxy.store:3128' });
    expect([exit, said[0]]).toEqual([
      0,
      `${join(folder, 'etc/agent.yaml')} is written: this is bm-lane-1.`,
    ]);
    expect(readFileSync(join(folder, 'etc/agent.yaml'), 'utf8').split('\n').slice(1)).toEqual([
      ...['terminal: bm-lane-1', `dataDir: "${folder}/data"`, `runDir: "${folder}/run"`],
      ...['broker: { proxy: "http://proxy.store:3128" }', ''],
    ]);
    const kept = join(folder, 'data/identity/token');
    expect([readFileSync(kept, 'utf8'), statSync(kept).mode & 0o777]).toEqual([
      `${token}\n`,
      0o600,
    ]);
    expect(said.join('\n')).not.toContain(token);
  });

  it('keeps a file that is there, when it names the same terminal', async () => {
    await become();
    writeFileSync(
      join(folder, 'etc/agent.yaml'),
      `terminal: bm-lane-1\ndataDir: ${folder}/data\nrunDir: ${folder}/run\nmode: observe\n`,
    );
    expect((await become()).said[0]).toBe('This is bm-lane-1.');
    expect(readFileSync(join(folder, 'etc/agent.yaml'), 'utf8')).toContain('mode: observe');
  });

  it('does not become another terminal, and takes nothing that is no token', async () => {
    await become();
    writeFileSync(
      join(folder, 'etc/agent.yaml'),
      `terminal: bm-lane-2\ndataDir: ${folder}/data\nrunDir: ${folder}/run\n`,
    );
    expect(await become()).toMatchObject({
      exit: 64,
      sentence: 'the token is for bm-lane-1, and this is bm-lane-2',
    });
    expect(await become({ token: 'twe1.secret' })).toMatchObject({
      exit: 64,
      sentence: 'this is no enrolment token: it begins with twe1. and is one word',
    });
  });

  it('as root goes through no link that the agent’s user has laid', async (context) => {
    if (process.getuid?.() !== 0) context.skip('this needs root');
    const system = join(folder, 'system');
    mkdirSync(system, { mode: 0o700 });
    mkdirSync(join(folder, 'data'), { mode: 0o700 });
    symlinkSync(system, join(folder, 'data/identity'));
    for (const path of [folder, join(folder, 'data')]) chownSync(path, 65_534, 65_534);
    expect((await become()).exit).not.toBe(0);
    expect([statSync(system).uid, existsSync(join(system, 'token'))]).toEqual([0, false]);
    expect([process.geteuid?.(), process.getegid?.()]).toEqual([0, 0]);
  });

  it('as root gives what it makes to the agent’s user', async (context) => {
    if (process.getuid?.() !== 0) context.skip('this needs root');
    mkdirSync(join(folder, 'data'), { mode: 0o700 });
    for (const path of [folder, join(folder, 'data')]) chownSync(path, 65_534, 65_534);
    expect((await become()).exit).toBe(0);
    for (const path of ['data/identity', 'data/identity/token']) {
      expect(statSync(join(folder, path)).uid).toBe(65_534);
    }
  });
});
