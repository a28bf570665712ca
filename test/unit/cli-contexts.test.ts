import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { complete } from '../../cli/completion/complete.ts';
import { contextsFile, readContexts, writeContexts } from '../../cli/contexts.ts';
import { findOperator, parseUrl } from '../../cli/operator.ts';
import { isFingerprint, plainFingerprint } from '../../cli/pin.ts';
import { createProgram } from '../../cli/tillwatch.ts';
import { whyUnreachable } from '../../cli/unreachable.ts';
import { folder, must } from './fleet-rig.ts';

const PEM = '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n';
const north = {
  ...{ url: 'https://north:8443', authority: PEM, operator: 'kim', session: 'tws1.n', endsMs: 5 },
};
const south = { url: 'https://south:8443', operator: 'kim.m' };

function home(contexts?: Parameters<typeof writeContexts>[1]) {
  const env = { XDG_CONFIG_HOME: folder() };
  if (contexts !== undefined) must(writeContexts(env, contexts));
  return env;
}

describe('the file of contexts', () => {
  it('is for its owner only, and nothing is left beside it', () => {
    const env = home({ current: 'north', contexts: { north, south } });
    const path = contextsFile(env);
    expect(path).toBe(join(env.XDG_CONFIG_HOME, 'tillwatch', 'contexts.json'));
    expect([statSync(path).mode & 0o777, statSync(dirname(path)).mode & 0o777]).toEqual([
      ...[0o600, 0o700],
    ]);
    expect(readdirSync(dirname(path))).toEqual(['contexts.json']);
    expect(must(readContexts(env))).toEqual({ current: 'north', contexts: { north, south } });
  });

  it.each([0o640, 0o604, 0o666])('with mode %o is refused, not repaired', (mode) => {
    const env = home({ contexts: { north } });
    chmodSync(contextsFile(env), mode);
    expect(readContexts(env)).toMatchObject({
      ok: false,
      reason: expect.stringMatching(/may be read by others \(mode 6\d\d\).*chmod 600/),
    });
    expect(findOperator(env, '/').ok).toBe(false);
    expect(writeContexts(env, { contexts: {} }).ok).toBe(true);
  });

  it.each(['', '{', '[]', '{"contexts":{"../x":{"url":"a","operator":"b"}}}', '{"contexts":[1]}'])(
    'that holds %j is refused with a sentence',
    (text) => {
      const env = home({ contexts: {} });
      writeFileSync(contextsFile(env), text);
      expect(readContexts(env)).toMatchObject({
        ok: false,
        reason: expect.stringContaining('cannot be read'),
      });
    },
  );

  it('stands in the home folder where no other is said', () => {
    expect(contextsFile({ HOME: '/home/kim' })).toBe('/home/kim/.config/tillwatch/contexts.json');
    expect(contextsFile({ HOME: '/home/kim', XDG_CONFIG_HOME: 'relative' })).toBe(
      '/home/kim/.config/tillwatch/contexts.json',
    );
  });
});

describe('which broker is asked', () => {
  const contexts = { current: 'north', contexts: { north, south } };
  const asked = (env: NodeJS.ProcessEnv, at = '/') => findOperator(env, at);

  it('is the one of the context in use, with its authority and session', () => {
    expect(asked(home(contexts))).toEqual({
      ok: true,
      value: { url: north.url, token: 'tws1.n', authority: PEM, context: 'north' },
    });
  });

  it('is the one that is named, before everything else', () => {
    const env = { ...home(contexts), TILLWATCH_CONTEXT: 'south', TILLWATCH_URL: 'http://else' };
    expect(asked(env)).toMatchObject({ value: { url: south.url, context: 'south' } });
    expect(asked({ ...env, TILLWATCH_CONTEXT: 'west' })).toEqual({
      ok: false,
      reason: 'there is no context "west"; there are: north, south',
    });
    expect(asked({ ...env, TILLWATCH_CONTEXT: '__proto__' }).ok).toBe(false);
    expect(asked({ ...env, TILLWATCH_CONTEXT: 'constructor' }).ok).toBe(false);
  });

  it('is the one of the environment, or of a demo in this folder, before the one in use', () => {
    const env = home(contexts);
    expect(asked({ ...env, TILLWATCH_URL: 'https://else:1/' })).toEqual({
      ok: true,
      value: { url: 'https://else:1', token: undefined },
    });
    const demo = folder();
    mkdirSync(join(demo, '.tillwatch'));
    const operator = { url: 'https://127.0.0.1:9', token: 't', authority: PEM };
    writeFileSync(join(demo, '.tillwatch', 'operator.json'), JSON.stringify(operator));
    expect(asked(env, demo)).toEqual({ ok: true, value: operator });
    // Its authority is believed for its own broker only.
    expect(asked({ ...env, TILLWATCH_URL: 'https://else' }, demo)).toMatchObject({
      value: { url: 'https://else', token: undefined },
    });
  });

  it('may be told an authority by the environment, as text or as a file', () => {
    const env = { ...home(), TILLWATCH_URL: 'https://else' };
    const file = join(folder(), 'authority.pem');
    writeFileSync(file, PEM);
    for (const given of [PEM, file]) {
      expect(asked({ ...env, TILLWATCH_AUTHORITY: given })).toMatchObject({
        value: { authority: PEM },
      });
    }
    expect(asked({ ...env, TILLWATCH_AUTHORITY: '/nowhere.pem' }).ok).toBe(false);
  });

  it.each(['', 'broker', 'ftp://x', 'https://kim:pw@x', 'javascript:1'])('is none at %j', (url) => {
    expect(parseUrl(url)).toBeUndefined();
  });
});

describe('what stands in the way of asking', () => {
  const operator = { url: 'https://north:8443', token: undefined };
  const coded = (code: string, more = {}) => Object.assign(new Error('x'), { code, ...more });
  const said = (code: string, more = {}, of: object = {}) =>
    whyUnreachable(coded(code, more), { ...operator, ...of }).sentence;

  it('is said in words, with what to do', () => {
    expect(said('SELF_SIGNED_CERT_IN_CHAIN')).toMatch(/knows: sign in with "tillwatch login https/);
    expect(said('UNABLE_TO_VERIFY_LEAF_SIGNATURE', {}, { authority: PEM })).toMatch(
      /not of the authority that was kept.*nothing was sent.*somebody stands in between/,
    );
    expect(said('CERT_HAS_EXPIRED')).toMatch(/is over.*clock/);
    expect(said('CERT_NOT_YET_VALID')).toMatch(/clock of this machine/);
    const cert = { subjectaltname: 'DNS:south, IP Address:10.0.0.5\u001b[2J' };
    expect(said('ERR_TLS_CERT_ALTNAME_INVALID', { cert })).toMatch(
      /is for south, 10\.0\.0\.5\[2J and not for north.*"names"/,
    );
    expect(said('ERR_SSL_WRONG_VERSION_NUMBER')).toMatch(/does not speak TLS/);
    expect(said('ECONNREFUSED')).toMatch(/connection refused.*TILLWATCH_URL/);
    expect(said('ECONNREFUSED', {}, { context: 'north' })).toMatch(/of the context north/);
    expect(said('ECONNRESET', {}, { url: 'http://north' })).toMatch(/does it want https/);
    expect(said('ENOTFOUND')).toMatch(/no such name/);
  });

  it('a fingerprint is understood however it is written', () => {
    const plain = 'ab'.repeat(32);
    const colons = `SHA256:${'AB:'.repeat(32).slice(0, -1)}`;
    expect([plainFingerprint(colons), isFingerprint(plain)]).toEqual([plain, true]);
    expect(isFingerprint(plainFingerprint('ab'))).toBe(false);
  });
});

describe('completion', () => {
  const program = createProgram(async () => {});
  const names = {
    terminals: async () => ['lane-1'],
    stores: async () => [],
    components: async () => [],
    contexts: () => ['north', 'south'],
  };
  const words = async (...line: string[]) =>
    (await complete(program, line, names)).map(({ word }) => word);

  it('knows the contexts, after any verb and for its own', async () => {
    expect(await words('fleet', '--context', '')).toEqual(['north', 'south']);
    expect(await words('fleet', '--context=s')).toEqual(['--context=south']);
    expect(await words('contexts', 'use', 'n')).toEqual(['north']);
    expect(await words('--context', 'north', 'restart', '')).toEqual(['lane-1']);
  });

  it('knows the roles and the verbs of operators', async () => {
    expect(await words('operators', 'add', 'kim', '--role', '')).toEqual([
      ...['viewer', 'oncall', 'admin'],
    ]);
    expect(await words('operators', 'role', 'kim', 'a')).toEqual(['admin']);
    expect(await words('operators', '')).toContain('disable');
  });
});

it('no verb takes a secret as an argument', () => {
  const program = createProgram(async () => {});
  const login = program.commands.find((one) => one.name() === 'login');
  expect(login?.options.map(({ long }) => long)).toEqual([
    ...['--as', '--authority', '--json', '--context'],
  ]);
  expect(readFileSync(join(import.meta.dirname, '../../cli/verbs/login.ts'), 'utf8')).not.toMatch(
    /process\.argv/,
  );
});
