import { describe, expect, test } from 'vitest';
import { CONFIG_BYTES_MAX, formatProblem, loadConfig } from '../../broker/config.ts';
import { AUTOMATIC_DEFAULT } from '../../broker/config-logs.ts';
import { RETENTION_DEFAULT } from '../../broker/config-retention.ts';
import { SINKS_DEFAULT } from '../../broker/config-sinks.ts';

const problems = (text: string): string[] => {
  const loaded = loadConfig(text, '/etc/tillwatch');
  return loaded.ok ? [] : loaded.problems.map(formatProblem);
};

describe("the broker's configuration", () => {
  test('has a default for everything', () => {
    expect(loadConfig('', '/etc/tillwatch')).toEqual({
      ok: true,
      config: {
        dataDir: '/var/lib/tillwatch',
        keysDir: '/var/lib/tillwatch',
        plainText: false,
        names: [],
        mqtt: { host: '0.0.0.0', port: 8883 },
        http: {
          host: '0.0.0.0',
          port: 8443,
          certificate: undefined,
          key: undefined,
          metrics: 'operators',
        },
        bulk: {
          ...{ firstWave: 1, fleetPercent: 10, failurePercent: 10, failuresMin: 3, hours: 24 },
        },
        enrolment: { certificateDays: 90, graceDays: 60, tokenMinutes: 60 },
        terminals: [],
        acceptUnknown: false,
        presence: { lateMs: 90_000, lostMs: 300_000, silentMsMax: 7_200_000 },
        logs: { automatic: AUTOMATIC_DEFAULT },
        retention: RETENTION_DEFAULT,
        sinks: SINKS_DEFAULT,
        limits: {
          connections: 12_000,
          connectBurst: 5_000,
          connectsPerSecond: 1_000,
          backlogBytesPerSecond: 8 * 1024 ** 2,
          handshakes: 4_000,
          handshakesPerAddress: 2_000,
          terminalConnectsPerMinute: 60,
          terminalPublishesPerSecond: 500,
          terminalBytesPerSecond: 4 * 1024 ** 2,
          httpConnectionsPerAddress: 100,
          httpRequestsPerSecond: 100,
        },
      },
    });
  });

  test('takes what it is given, and a relative folder from where the file lies', () => {
    const loaded = loadConfig(
      `
dataDir: ../data
plainText: true
mqtt: { host: "::1", port: 0 }
http: { host: 127.8.0.1 }
terminals:
  - { id: lane-1, store: store-1 }
acceptUnknown: true
presence: { lostMs: 100000 }
`,
      '/etc/tillwatch',
    );
    expect(loaded).toMatchObject({
      ok: true,
      config: {
        dataDir: '/etc/data',
        mqtt: { host: '::1', port: 0 },
        http: { host: '127.8.0.1', port: 8080 },
        terminals: [{ id: 'lane-1', store: 'store-1' }],
        acceptUnknown: true,
        presence: { lateMs: 90_000, lostMs: 100_000, silentMsMax: 7_200_000 },
      },
    });
  });

  test('tells all its problems at once, each with path, sentence and line', () => {
    const told = problems(`
dataDir: 5
plainText: true
mqtt: { host: 0.0.0.0, port: 70000, tls: true }
http: none
terminals:
  - { id: Lane, store: store-1 }
  - { id: lane-2 }
  - { id: lane-2, store: store-1 }
presence: { lateMs: 300000 }
ledger: { bytesMax: 10 }
colour: blue
`);
    const loopback =
      'must be a loopback address (127.0.0.1, ::1 or localhost) with `plainText: true`: ' +
      'whoever reached this port could speak for any till';
    expect(told).toEqual([
      'dataDir: must be a folder (line 2)',
      'mqtt.port: must be a whole number from 0 to 65535 (line 4)',
      'mqtt.tls: is not a setting that the broker knows (line 4)',
      'http: must be a group of settings (line 5)',
      'terminals[0].id: use 1 to 32 of a-z, 0-9 and "-", beginning with a letter or a digit (line 7)',
      'terminals[1].store: is missing (line 8)',
      'ledger.bytesMax: must be a whole number from 1048576 to 1099511627776 (line 11)',
      'colour: is not a setting that the broker knows (line 12)',
      'terminals[2].id: "lane-2" is the id of terminals[1] already (line 9)',
      'presence.lateMs: must be less than lostMs (300000): a terminal is late before it is lost (line 10)',
      `mqtt.host: ${loopback} (line 4)`,
    ]);
  });

  test('listens anywhere with certificates, and nowhere for whoever has none', () => {
    const loaded = loadConfig('names: [broker.example.com]\nkeysDir: keys', '/etc/tillwatch');
    expect(loaded).toMatchObject({
      config: {
        ...{ names: ['broker.example.com'], keysDir: '/etc/tillwatch/keys' },
        ...{ mqtt: { host: '0.0.0.0', port: 8883 }, http: { host: '0.0.0.0', port: 8443 } },
      },
    });
    expect(problems('acceptUnknown: true\nhttp: { key: a.pem }\nnames: ["a b"]')).toEqual([
      'names[0]: must be a host name or an address, without a port (line 3)',
      'http: certificate and key go together (line 2)',
      'acceptUnknown: is for `plainText: true` only: whoever has a certificate is enrolled (line 1)',
    ]);
  });

  test.each(['0.0.0.0', '::', '192.168.1.4', '10.0.0.1', 'tills.example', '::ffff:10.0.0.1'])(
    'refuses to listen on %s',
    (host) => {
      expect(problems(`plainText: true\nhttp: { host: "${host}" }`)).toEqual([
        expect.stringContaining('http.host: must be a loopback address'),
      ]);
    },
  );

  test.each([
    ['a: [1, 2', 'not valid YAML'],
    ['mqtt: {port: 1}\nmqtt: {port: 2}', 'not valid YAML'],
    ['dataDir: !secret x', 'not valid YAML'],
    ['- 1\n- 2', 'must hold settings'],
    ['just a sentence', 'must hold settings'],
    [`dataDir: ${'x'.repeat(CONFIG_BYTES_MAX)}`, 'at most'],
    ['a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n'.repeat(1), 'is not a setting'],
  ])('refuses %#: what is no configuration, with a sentence', (text, sentence) => {
    const told = problems(text);
    expect(told.length).toBeGreaterThan(0);
    expect(told[0]).toContain(sentence);
  });

  test.each([
    ['logs: { automatic: { perDay: -1 } }', 'logs.automatic.perDay: must be a whole number from 0'],
    ['logs: { automatic: { perDay: 2.5 } }', 'logs.automatic.perDay: must be a whole number'],
    ['logs: { automatic: { bytes: 1 } }', 'logs.automatic.bytes: is not a setting'],
    ['logs: { automatic: off }', 'logs.automatic: must be a group of settings'],
  ])('refuses a wrong budget of automatic requests: %s', (text, sentence) => {
    expect(problems(text)).toEqual([expect.stringContaining(sentence)]);
  });

  test('tells a hundred problems of a file that has thousands', () => {
    const rows = Array.from({ length: 3_000 }, () => '  - { id: X }').join('\n');
    expect(problems(`terminals:\n${rows}`)).toHaveLength(100);
  });
});
