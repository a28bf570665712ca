// The completion script, sourced by a real bash that calls the real launcher: verbs, options, and names
// from a broker that answers, that is silent, and that is not there.

import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'tw-complete-'));
let server: Server;
let url: string;

beforeAll(async () => {
  mkdirSync(join(folder, 'bin'));
  const launcher = join(folder, 'bin', 'tillwatch');
  const node = `exec "${process.execPath}" "${resolve('cli/tillwatch.ts')}" "$@"`;
  writeFileSync(launcher, `#!/bin/sh\n${node}\n`);
  chmodSync(launcher, 0o755);
  mkdirSync(join(folder, 'configs'));
  for (const name of ['agent one.yaml', 'agent-two.yaml']) {
    writeFileSync(join(folder, 'configs', name), '');
  }
  const components = ['hardware', 'sale', 'sync'].map((name) => ({ name }));
  const terminals = ['bm-lane-1', 'bm-lane-2'].map((id) => ({ id, components }));
  server = createServer((request, response) => {
    if (request.headers.authorization === 'Bearer slow') return; // it never answers
    const one = request.url === '/api/v1/terminals/bm-lane-2' ? terminals[1] : { terminals };
    response.writeHead(200).end(JSON.stringify(one));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  rmSync(folder, { recursive: true, force: true });
});

/** @returns the lines that a shell printed; it must end well and say nothing else. */
function run(shell: string, argv: readonly string[], token: string): Promise<string[]> {
  const env = {
    PATH: [join(folder, 'bin'), dirname(process.execPath), process.env['PATH']].join(delimiter),
    HOME: folder,
    TILLWATCH_URL: url,
    TILLWATCH_API_TOKEN: token,
  };
  return new Promise((done, failed) => {
    execFile(shell, argv, { cwd: folder, env }, (error, out, err) => {
      if (error !== null || err !== '') failed(new Error(`${err} ${error?.message ?? ''}`));
      else done(out.trim().split('\n').filter(Boolean));
    });
  });
}

/** @returns what bash would offer for this line. */
function tab(words: readonly string[], token = 'right'): Promise<string[]> {
  const script = [
    'eval "$(tillwatch completion bash)"',
    'complete -p tillwatch > /dev/null || exit 1', // it is registered
    'COMP_WORDS=(tillwatch "$@"); COMP_CWORD=$(( $# )); _tillwatch',
    'printf "%s\\n" "$' + '{COMPREPLY[@]}"',
  ].join('\n');
  return run('bash', ['--noprofile', '--norc', '-c', script, 'bash', ...words], token);
}

describe('bash', () => {
  it('completes verbs and options', async () => {
    expect(await tab(['rest'])).toEqual(['restart', 'restart-all']);
    expect(await tab(['restart', 'bm-lane-1', 'sync', '--re'])).toEqual(['--reason']);
  });

  it('completes terminals, and the components of the terminal that was named', async () => {
    expect(await tab(['terminal', 'bm'])).toEqual(['bm-lane-1', 'bm-lane-2']);
    // Its own verbs stand beside them.
    expect(await tab(['terminal', 're'])).toEqual(['resume', 'revoke', 'replace', 'retire']);
    expect(await tab(['restart', 'bm-lane-2', 's'])).toEqual(['sale', 'sync']);
  });

  it('completes files where a file is wanted, also after the = that it splits at', async () => {
    const files = ['configs/agent one.yaml', 'configs/agent-two.yaml'];
    const sorted = async (...words: string[]) => (await tab(words)).sort();
    expect(await sorted('check-config', 'configs/a')).toEqual(files);
    expect(await sorted('agent', '--config', '=', 'configs/a')).toEqual(files);
  });

  it('offers nothing, soon and silently, when no broker answers', async () => {
    const startedMs = performance.now();
    expect(await tab(['terminal', 'bm'], 'slow')).toEqual([]);
    // A hang would be ten seconds and more.
    expect(performance.now() - startedMs).toBeLessThan(8_000);
  });
});

describe('fish', () => {
  const path = (process.env['PATH'] ?? '').split(delimiter);
  const isThere = path.some((place) => existsSync(join(place, 'fish')));

  it.skipIf(!isThere)(`completes the same${isThere ? '' : ' (skipped: no fish)'}`, async () => {
    const script = 'tillwatch completion fish | source; complete -C "tillwatch terminal bm"';
    const offered = await run('fish', ['--no-config', '-c', script], 'right');
    expect(offered.map((line) => line.split('\t')[0])).toEqual(['bm-lane-1', 'bm-lane-2']);
  });
});
