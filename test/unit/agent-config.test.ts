// The agent's configuration: what it means when it is right and what a person reads when it is not.

import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatProblem, loadConfig } from '../../configuration/config.ts';
import { DEFAULTS } from '../../configuration/defaults.ts';
import { COMMAND_KINDS, publicKeyText } from '../../protocol/commands.ts';
import { SMALL } from './config-small.ts';

const key = publicKeyText(generateKeyPairSync('ed25519').publicKey);
function problemsOf(text: string): string[] {
  const loaded = loadConfig(text, '/etc/pos');
  return loaded.ok ? [] : loaded.problems.map(formatProblem);
}

describe('a small configuration', () => {
  const loaded = loadConfig(SMALL, '/etc/pos');
  if (!loaded.ok) throw new Error(loaded.problems.map(formatProblem).join('; '));
  const { config } = loaded;

  it('gets every default that ships', () => {
    expect(config).toMatchObject({
      onExit: 'leave',
      broker: { plainText: false, host: '127.0.0.1', port: 1883, addresses: [] },
      identityDir: '/etc/pos/data/identity',
      bounds: { restartsPerHour: 30, rebootsPerHour: 1, commands: COMMAND_KINDS },
      sampling: { everyMs: 15_000, sendMs: 60_000 },
      trust: { commandKeys: [] },
    });
    expect(config.components[0]).toMatchObject({
      version: 'unknown',
      after: [],
      channel: true,
      restart: 'permanent',
      beatMs: 500,
      hang: { blockedMs: 2_000, spinningMs: 5_000 },
      backoff: DEFAULTS.backoff,
      budget: { restarts: 5, windowMs: 300_000, retryMs: 60_000 },
      probes: [],
    });
  });

  it('means folders from where the file lies', () => {
    expect(config.dataDir).toBe('/etc/pos/data');
    expect(config.logDir).toBe('/etc/pos/data/logs');
    expect(config.runDir).toBe('/run/tillwatch');
    expect(config.components[0]?.cwd).toBe('/etc/pos');
  });
});

describe('a full configuration', () => {
  it('is taken as it stands', () => {
    const loaded = loadConfig(
      `${SMALL}    cwd: pos
    env: { POS_STORE: "4711" }
    version: 2.4.1
    channel: false
    probes:
      - { kind: http, url: "http://127.0.0.1:9101/healthz" }
      - { kind: tcp, port: 9100, failures: 5 }
      - { kind: exec, command: [sh, -c, "true"], everyMs: 5000 }
  - { name: sync, command: [sync], after: [sale], restart: transient }
trust: { commandKeys: ["${key}"] }
onExit: stop
`,
      '/etc/pos',
    );
    expect(loaded).toMatchObject({
      ok: true,
      config: {
        onExit: 'stop',
        trust: { commandKeys: [key] },
        components: [
          {
            cwd: '/etc/pos/pos',
            env: { POS_STORE: '4711' },
            probes: [
              { kind: 'http', everyMs: 1_000, timeoutMs: 1_000, failures: 3 },
              { kind: 'tcp', host: '127.0.0.1', port: 9100, failures: 5 },
              { kind: 'exec', everyMs: 5_000 },
            ],
          },
          { name: 'sync', after: ['sale'] },
        ],
      },
    });
  });
});

describe('a broken configuration', () => {
  it('tells all its problems at once, each with path, line and sentence', () => {
    const problems = problemsOf(`
terminal: Lane 1
runDir: ${'/long'.repeat(30)}
brokers: { host: 127.0.0.1 }
broker: { plainText: true, host: mqtt.example.org, port: 0 }
link: { reconnectMsMin: 9000, reconnectMsMax: 10 }
trust: { commandKeys: [secret] }
components:
  - name: sale
    command: sale.sh
    version: 2.4
    colour: red
    taste: sweet
  - name: sync
    command: [sync]
    after: [sale, cellar, hardware]
    env: { TILLWATCH_TOKEN: mine, POS_PORT: 80 }
    probes: [{ kind: http, url: "http://centre.example.org/" }, { kind: ping }]
  - name: sync
    command: []
    beatMs: 0.5
  - name: hardware
    command: [hardware]
    after: [hardware]
    beatMs: 1000
    backoff: { minMs: 500, maxMs: 100 }
`);
    const expected: [string, string][] = [
      ['dataDir', 'is missing (line 2)'],
      ['terminal', 'use 1 to 32 of a-z, 0-9 and "-", beginning with a letter or a digit (line 2)'],
      ['runDir', "is too long: its socket's path has 163 bytes, 100 are possible (line 3)"],
      ['brokers', 'is not a key that belongs here; known are: terminal'],
      [
        'broker.host',
        'must be on this machine (127.0.0.1, ::1 or localhost) with plainText: elsewhere',
      ],
      ['broker.port', 'must be a port: a whole number from 1 to 65535'],
      ['link.reconnectMsMin', 'must not be more than reconnectMsMax (10) (line 6)'],
      ['trust.commandKeys[0]', 'must read ed25519: and 44 characters of base64'],
      ['components[0].command', 'must be a list'],
      [
        'components[0].version',
        'must be a version, as text (in quotes when it looks like a number',
      ],
      ['components[0].colour', 'is not a key that belongs here'],
      ['components[0].taste', 'is not a key that belongs here'],
      ['components[1].after[1]', 'no component is called "cellar"'],
      ['components[1].env.TILLWATCH_TOKEN', 'is set by the agent itself'],
      ['components[1].env.POS_PORT', 'must be text'],
      ['components[1].probes[0].url', 'must be an http:// URL on this machine'],
      ['components[1].probes[1].kind', 'must be a probe of kind http, tcp, exec, log or file'],
      ['components[2].name', '"sync" is the name of components[1] already'],
      ['components[2].command', 'must begin with the program to run'],
      ['components[2].beatMs', 'must be a whole number of milliseconds'],
      ['components[3].after', 'waits for itself: hardware after hardware'],
      ['components[3].hang.blockedMs', 'must be at least three beats (beatMs is 1000)'],
      ['components[3].backoff.minMs', 'must not be more than maxMs (100)'],
    ];
    for (const [path, sentence] of expected) {
      const found = problems.find((problem) => problem.startsWith(`${path}: `));
      expect(found, `${path} in\n${problems.join('\n')}`).toContain(sentence);
    }
    expect(problems).toHaveLength(expected.length);
  });

  it('tells how values fit together beside those that are wrong by themselves', () => {
    const problems = problemsOf(`${SMALL}    version: 5
    stop: { graceMs: 5000, graceMsMax: 100 }
    exit: { success: [0, 75], permanent: [75, 125], remote: [] }
    hang: 5
  - name: kiosk
    beatMs: never
    external: { pid: { file: kiosk.pid } }
disk: { lowBytes: 1000, floorBytes: 2000 }
`);
    expect(problems).toEqual([
      'components[0].version: must be a version, as text (in quotes when it looks like a number) (line 8)',
      'components[0].hang: must be keys with their values (line 11)',
      'components[1].beatMs: must be a whole number of milliseconds from 50 to 60000 (line 13)',
      'components[0].stop.graceMs: must not be more than graceMsMax (100) (line 9)',
      'components[0].exit.permanent[0]: 75 is among success already: it can mean one thing only (line 10)',
      'components[1].command: is missing (line 12)',
      'components[1].external: belongs to a component with run: external (line 14)',
      'disk.floorBytes: must not be more than lowBytes (1000) (line 15)',
    ]);
  });

  it('names the way of a circle', () => {
    const problems = problemsOf(`${SMALL}    after: [hardware]
  - { name: sync, command: [sync], after: [sale] }
  - { name: hardware, command: [hardware], after: [sync] }
  - { name: screen, command: [screen], after: [sale] }
`);
    expect(problems).toEqual([
      'components[0].after: waits for itself: sale after hardware after sync after sale (line 8)',
      'components[1].after: waits for itself: sync after sale after hardware after sync (line 9)',
      'components[2].after: waits for itself: hardware after sync after sale after hardware (line 10)',
    ]);
  });

  it.each([
    ['', 'the file is empty'],
    ['# only a comment\n', 'the file is empty'],
    ['[1, 2]', 'must hold keys with their values'],
    ['terminal: [a,\nrunDir: b', 'line 2: not valid YAML'],
    ['terminal: a\nterminal: b\n', 'line 2: not valid YAML: Map keys must be unique'],
    ['terminal: a\n---\nterminal: b\n', 'more than one YAML document'],
    ['terminal: *nowhere\n', 'Unresolved alias'],
    ['terminal: !secret a\n', 'line 1: not valid YAML: Unresolved tag'],
  ])('that cannot be read is refused with a sentence: %j', (text, sentence) => {
    expect(problemsOf(text).join('\n')).toContain(sentence);
  });

  it('that is far too large is not even parsed', () => {
    expect(problemsOf('#'.repeat(300_000))).toEqual([
      'the file has 300000 bytes, at most 262144 are read',
    ]);
  });

  it('names too many components, or none', () => {
    const head = SMALL.slice(0, SMALL.indexOf('components:'));
    expect(problemsOf(`${head}components: []\n`)).toEqual([
      'components: must name at least one component to watch (line 5)',
    ]);
    const many = Array.from({ length: 33 }, (_, n) => `  - { name: c${n}, command: [x] }`);
    expect(problemsOf(`${head}components:\n${many.join('\n')}\n`).join()).toContain('at most 32');
  });

  it('never makes the reader throw', () => {
    const value = fc.object({
      key: fc.constantFrom('terminal', 'components', 'name', 'after', 'x'),
    });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          value.map((v) => JSON.stringify(v)),
        ),
        (text) => {
          expect(loadConfig(text, '/').ok).toBe(false);
        },
      ),
    );
  });
});
