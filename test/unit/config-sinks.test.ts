import { describe, expect, it } from 'vitest';
import { formatProblem, loadConfig } from '../../broker/config.ts';

const load = (text: string) => loadConfig(`sinks:\n${text.replaceAll(/^/gm, '  ')}`, '/etc');
const sinks = (text: string) => {
  const loaded = load(text);
  if (!loaded.ok) throw new Error(loaded.problems.map(formatProblem).join('\n'));
  return loaded.config.sinks;
};
const problems = (text: string): string[] => {
  const loaded = load(text);
  return loaded.ok ? [] : loaded.problems.map(formatProblem);
};

describe('the sinks of the configuration', () => {
  it('are one line, and everything else has a default', () => {
    expect(sinks('remoteWrite: http://127.0.0.1:9090')).toEqual({
      remoteWrite: [
        {
          kind: 'remote_write',
          name: '127.0.0.1:9090',
          url: 'http://127.0.0.1:9090/api/v1/write',
          headers: {},
          timeoutMs: 30_000,
          batchSamples: 4_000,
        },
      ],
      loki: [],
      seriesPerTerminal: 300,
    });
  });

  it('may be a Loki, or what speaks its push API elsewhere', () => {
    const { loki } = sinks(`
loki:
  - http://127.0.0.1:3100
  - { url: "http://db:9428", name: victoria-logs, path: /insert/loki/api/v1/push, kinds: [tail] }
  - { url: "https://logs.example.com/push", tenant: shops, bearerTokenFile: /etc/token }
`);
    expect(loki[0]).toEqual({
      kind: 'loki',
      name: '127.0.0.1:3100',
      url: 'http://127.0.0.1:3100/loki/api/v1/push',
      headers: {},
      timeoutMs: 30_000,
      kinds: ['pull', 'tail', 'incident'],
    });
    expect(loki.slice(1)).toMatchObject([
      {
        ...{ name: 'victoria-logs', url: 'http://db:9428/insert/loki/api/v1/push' },
        kinds: ['tail'],
      },
      {
        ...{ url: 'https://logs.example.com/push', tenant: 'shops' },
        bearerTokenFile: '/etc/token',
      },
    ]);
  });

  it('may be several, elsewhere, with a tenant, a token and a path of their own', () => {
    const { remoteWrite, traces } = sinks(`
remoteWrite:
  - https://mimir.example.com/api/v1/push
  - { url: "http://db:8428", name: victoria, headers: { X-Scope-OrgID: shops }, timeoutMs: 5000,
      bearerTokenFile: /etc/tillwatch/token, batchSamples: 2000 }
traces: http://collector:4318
`);
    expect(remoteWrite.map(({ url }) => url)).toEqual([
      'https://mimir.example.com/api/v1/push',
      'http://db:8428/api/v1/write',
    ]);
    expect(remoteWrite[1]).toMatchObject({
      name: 'victoria',
      headers: { 'X-Scope-OrgID': 'shops' },
      bearerTokenFile: '/etc/tillwatch/token',
    });
    expect(traces).toMatchObject({
      kind: 'traces',
      name: 'traces',
      url: 'http://collector:4318/v1/traces',
    });
  });

  it.each([
    ['remoteWrite: 9090', 'sinks.remoteWrite: must be an address, or { url, name, ... } (line 2)'],
    [
      'remoteWrite: ftp://x',
      'sinks.remoteWrite.url: must be an address such as http://127.0.0.1:9090',
    ],
    ['remoteWrite: { name: a }', 'sinks.remoteWrite.url: is missing'],
    ['remoteWrite: http://u:p@db', 'must not hold a name or password: put a token into a file'],
    [
      'remoteWrite: [{ url: "http://db", token: x }]',
      'sinks.remoteWrite[0].token: is not a setting',
    ],
    [
      'remoteWrite: { url: "http://db", bearerTokenFile: token }',
      'must be the whole path of a file',
    ],
    ['remoteWrite: { url: "http://db", headers: { Authorization: x } }', 'is a secret'],
    ['remoteWrite: { url: "http://db", headers: { "a b": x } }', 'is not the name of a header'],
    ['remoteWrite: { url: "http://db", headers: { a: 1 } }', 'must be text of one line'],
    ['remoteWrite: { url: "http://db", name: history }', "is a name of the broker's own"],
    [
      'remoteWrite: { url: "http://db", timeoutMs: 1 }',
      'must be a whole number from 100 to 300000',
    ],
    ['remoteWrite: [http://db, http://db/x]', 'two sinks are called "db": give one of them a name'],
    ['loki: { url: "http://db", kinds: [metrics] }', 'must be a list of pull, tail, incident'],
    ['loki: { url: "http://db", path: loki }', 'sinks.loki.path: must be the path of an address'],
    ['loki: { url: "http://db/x", path: /y }', 'stands in the url already: leave one of them out'],
    [
      'loki: { url: "http://db", tenant: "a b" }',
      'sinks.loki.tenant: must be the name of a tenant',
    ],
    ['loki: { url: "http://db", batchSamples: 5 }', 'sinks.loki.batchSamples: is not a setting'],
    ['loki: http://db\nremoteWrite: http://db', 'two sinks are called "db"'],
    ['lokki: http://db', 'sinks.lokki: is not a setting that the broker knows'],
    [
      'traces: { url: "http://db", batchSamples: 5 }',
      'sinks.traces.batchSamples: is not a setting',
    ],
    ['seriesPerTerminal: 0', 'sinks.seriesPerTerminal: must be a whole number from 1 to 100000'],
  ])('are refused with a sentence: %s', (text, sentence) => {
    expect(problems(text).join('\n')).toContain(sentence);
  });

  it('tell everything that is wrong at once', () => {
    expect(problems('remoteWrite: [http://a:b@db, 5]\nwhat: 1')).toHaveLength(3);
  });
});
