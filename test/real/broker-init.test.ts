// `tillwatch broker init` as a newcomer meets it: one command, what it prints, what lies there afterwards, and what it
// says when it is called again, interrupted before, or called wrongly.

import { execFile } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { initBroker } from '../../broker/trust/init.ts';
import { plainEnvironment } from './plain-environment.ts';

const folder = mkdtempSync(join(tmpdir(), 'tw-init-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Ran = { code: number | string | null; out: string; err: string };
const run = (argv: string[]): Promise<Ran> =>
  new Promise((done) => {
    const options = { cwd: folder, env: { ...plainEnvironment, HOME: folder } };
    execFile(process.execPath, argv, options, (error, out, err) => {
      done({ code: error === null ? 0 : (error.signal ?? error.code ?? null), out, err });
    }).stdin?.end();
  });
const tillwatch = (...argv: string[]): Promise<Ran> => run([resolve('cli/tillwatch.ts'), ...argv]);
const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8);

it('makes a fleet with one command and says what to type next; again, it changes nothing', async () => {
  const file = join(folder, 'fleet', 'broker.yaml');
  const command = [
    'broker',
    'init',
    '--config',
    'fleet/broker.yaml',
    '--name',
    'centre.example,10.0.0.7',
  ];
  const { code, out, err } = await tillwatch(...command);
  expect([code, err]).toEqual([0, '']);
  const lines = out.split('\n');
  const fingerprint = /--authority ([0-9a-f]{64})$/m.exec(out)?.[1] ?? '';
  const shown = /authority {6}(.*\n.*)\n/.exec(out)?.[1]?.replaceAll(/\s/g, '');
  expect([fingerprint.length, shown]).toEqual([64, fingerprint]);
  expect(lines.filter((line) => /^two1\.admin\.[\w-]{43}$/.test(line))).toHaveLength(1);
  expect(
    lines.filter((line) => line.startsWith('     tillwatch ')).map((line) => line.trim()),
  ).toEqual([
    'tillwatch broker --config ~/fleet/broker.yaml',
    'tillwatch enroll --store store-1 --terminal lane-1',
    'tillwatch join',
    'tillwatch agent --config /etc/tillwatch/agent.yaml',
    `tillwatch login https://centre.example:8443 --as admin --authority ${fingerprint}`,
  ]);
  // Whoever made it is signed in: the first terminal takes four commands and not five.
  const kept = join(folder, '.config/tillwatch/contexts.json');
  expect(mode(kept)).toBe('600');
  expect(JSON.parse(readFileSync(kept, 'utf8'))).toMatchObject({
    current: 'centre.example:8443',
    contexts: { 'centre.example:8443': { operator: 'admin', session: expect.any(String) } },
  });
  expect(lines.filter((line) => line.length > 80 && !line.includes(fingerprint))).toEqual([]);
  const [data, keys] = [join(folder, 'fleet/data'), join(folder, 'fleet/keys')];
  expect([mode(data), mode(keys), mode(file)]).toEqual(['700', '700', '644']);
  for (const name of readdirSync(keys).filter((one) => one.endsWith('.key'))) {
    expect(mode(join(keys, name))).toBe('600');
    expect(out + readFileSync(file, 'utf8')).not.toContain('PRIVATE KEY');
  }
  const before = readdirSync(keys).map((name) => readFileSync(join(keys, name), 'utf8'));
  const [again, other, rotation] = await Promise.all([
    tillwatch(...command),
    tillwatch(...command.slice(0, -1), 'other.example'),
    tillwatch('broker', 'rotate', '--config', file),
  ]);
  expect([again.code, again.err]).toEqual([1, expect.stringContaining('is there already')]);
  expect(other.err).toBe(
    `tillwatch: ${file} is there already and says something else: nothing was changed\n`,
  );
  expect(rotation.out).toMatch(/^authority: .* no rotation is under way\ncommand-key: .*\n$/);
  expect(readdirSync(keys).map((name) => readFileSync(join(keys, name), 'utf8'))).toEqual(before);
});

it('says in one sentence what is wrong, and makes nothing', async () => {
  const init = (...argv: string[]) =>
    tillwatch('broker', 'init', '--config', join(folder, 'no/broker.yaml'), ...argv);
  const open = join(folder, 'open.txt');
  writeFileSync(open, 'a passphrase that others read\n');
  chmodSync(open, 0o644);
  const [unnamed, wrong, port, half, within, readable] = await Promise.all([
    init(),
    init('--name', 'https://x'),
    init('--name', 'a.example', '--http-port', 'x'),
    init('--name', 'a.example', '--authority-cert', 'x.pem'),
    init('--name', 'a.example', '--data-dir', folder, '--keys-dir', join(folder, 'keys')),
    init('--name', 'a.example', '--passphrase-file', open),
  ]);
  expect([unnamed.code, unnamed.err]).toEqual([64, expect.stringContaining("'--name <host,...>'")]);
  expect(wrong.err).toMatch(/^tillwatch: .*must be a host name or an address, without a port/);
  expect(port.err).toMatch(/^tillwatch: --http-port: a number up to 65535\n$/);
  expect(half.err).toMatch(/^tillwatch: --authority-cert and --authority-key go together\n$/);
  expect(within.err).toMatch(/must be two folders, neither in the other/);
  expect(readable.err).toMatch(/may be read by others/);
  expect(existsSync(join(folder, 'no'))).toBe(false);
});

it('is done with a passphrase without a question, and the broker says so when it has none', async () => {
  const place = join(folder, 'closed');
  const passphrase = 'correct horse battery';
  mkdirSync(place);
  const made = await initBroker({
    ...{ configFile: join(place, 'broker.yaml'), names: ['localhost'], passphrase },
    ...{ dataDir: join(place, 'data'), keysDir: join(place, 'keys'), mqttPort: 0, httpPort: 0 },
  });
  expect(made.ok).toBe(true);
  const none = await run([resolve('broker/main.ts'), '--config', join(place, 'broker.yaml')]);
  expect([none.code, none.err]).toEqual([
    69,
    expect.stringMatching(/^.*authority-1\.key is encrypted: .*TILLWATCH_PASSPHRASE_FILE\n$/),
  ]);
});
