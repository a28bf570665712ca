// `tillwatch broker init`: makes a fleet on this machine and says what to type next, as it has to be typed. It asks
// nothing: what it has to know are options, so that it runs in a script as it runs for a person.

import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Initialised } from '../../broker/trust/init.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { type Options, textOf } from '../command.ts';
import { changeContexts } from '../contexts.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { authorityOf, newPassphraseOf } from './broker-passphrase.ts';

const STATE = '/var/lib/tillwatch-broker';
const PORT_MAX = 65_535;

function portOf(options: Options, name: 'mqttPort' | 'httpPort'): Result<number> {
  const port = Number(options[name] || Number.NaN);
  if (Number.isInteger(port) && port >= 0 && port <= PORT_MAX) return ok(port);
  return fail(`--${name === 'mqttPort' ? 'mqtt' : 'http'}-port: a number up to ${PORT_MAX}`);
}

/** Beside the configuration, unless that is where a system has it. */
function placesOf(configFile: string, options: Options): { dataDir: string; keysDir: string } {
  const folder = dirname(configFile);
  const isSystem = folder === '/etc' || folder.startsWith('/etc/');
  const place = (name: string, own: string, system: string): string =>
    resolve(textOf(options[name]) ?? (isSystem ? system : join(folder, own)));
  return {
    dataDir: place('dataDir', 'data', STATE),
    keysDir: place('keysDir', 'keys', `${STATE}-keys`),
  };
}

/** As a shell reads it back. */
const quoted = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

/** A home folder is long, and `~` is what people type. */
function shortened(path: string): string {
  const home = homedir();
  const isBelow = home !== '/' && path.startsWith(`${home}/`) && quoted(path) === path;
  return isBelow ? `~${path.slice(home.length)}` : quoted(path);
}

export function urlOf({ config }: Pick<Initialised, 'config'>): string {
  const [name = 'localhost'] = config.names;
  const host = name.includes(':') ? `[${name}]` : name;
  return config.http.port === 443 ? `https://${host}` : `https://${host}:${config.http.port}`;
}

/** In groups on two lines, as people compare them. */
const spaced = (fingerprint: string): readonly string[] =>
  (fingerprint.match(/.{32}/g) ?? []).map((half) => half.match(/.{8}/g)?.join(' ') ?? '');

type Telling = {
  /** The keys have a passphrase. */
  readonly isClosed: boolean;
  readonly isSignedIn: boolean;
  readonly print: (line: string) => unknown;
};

/** Whoever made the fleet is signed in to it: without that the first terminal would need one command more. */
function keepSession(made: Initialised): Result<void> {
  const { session, operator, authority } = made;
  const { token, endsMs } = session;
  const url = urlOf(made);
  const name = new URL(url).host.replaceAll(/[[\]]/g, '');
  return changeContexts(process.env, (before) => ({
    current: name,
    contexts: { ...before.contexts, [name]: { url, authority, operator, session: token, endsMs } },
  }));
}

function tell(made: Initialised, wish: Telling): void {
  const { isClosed, isSignedIn, print } = wish;
  const { config, configFile, fingerprint, operator, token } = made;
  const lines = [
    'Your fleet has an authority, a broker and an operator.',
    '',
    `  configuration  ${configFile}`,
    `  data           ${config.dataDir}`,
    `  keys           ${config.keysDir}`,
    '                 keep a copy of the keys, apart from the data and its backups',
    `  authority      ${spaced(fingerprint).join(`\n${' '.repeat(17)}`)}`,
    `  operator       ${operator}; this is the token to sign in with, shown only now:`,
    '',
    token,
    '',
    'What to type next:',
    '',
    '  1. here: run the broker (deploy/README.md says how systemd runs it)',
    ...(isClosed
      ? ['     it asks for the passphrase, unless TILLWATCH_PASSPHRASE_FILE names a file with it']
      : []),
    `     tillwatch broker --config ${shortened(configFile)}`,
    isSignedIn
      ? '  2. here, where you are signed in already: let the first terminal in'
      : '  2. signed in (see below): let the first terminal in',
    '     tillwatch enroll --store store-1 --terminal lane-1',
    '  3. on that terminal; it asks for the token that step 2 prints',
    '     tillwatch join',
    '     tillwatch agent --config /etc/tillwatch/agent.yaml',
    '',
    'Elsewhere, or when the session has ended; it asks for the token above:',
    '',
    `     tillwatch login ${urlOf(made)} --as ${operator} --authority ${fingerprint}`,
  ];
  for (const line of lines) print(line);
}

export async function runBrokerInit(
  options: Options,
  print: (line: string) => unknown,
): Promise<Outcome> {
  const configFile = resolve(String(options['config']));
  const names = String(options['name'])
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (names.length === 0) return ended(EXIT.usage, '--name: what terminals call this machine');
  const mqttPort = portOf(options, 'mqttPort');
  if (!mqttPort.ok) return ended(EXIT.usage, mqttPort.reason);
  const httpPort = portOf(options, 'httpPort');
  if (!httpPort.ok) return ended(EXIT.usage, httpPort.reason);
  const authority = authorityOf(options);
  if (!authority.ok) return ended(EXIT.usage, authority.reason);
  const passphrase = await newPassphraseOf(options);
  if (!passphrase.ok) return ended(EXIT.usage, passphrase.reason);
  const { initBroker } = await import('../../broker/trust/init.ts');
  const made = await initBroker({
    ...{ configFile, names, ...placesOf(configFile, options) },
    ...{ mqttPort: mqttPort.value, httpPort: httpPort.value },
    ...{ authority: authority.value, passphrase: passphrase.value },
  });
  if (!made.ok) return ended(EXIT.failed, made.reason);
  const { config, fingerprint, operator, token } = made.value;
  if (options['json'] === true) {
    const { dataDir, keysDir } = config;
    const facts = { configFile, dataDir, keysDir, fingerprint, operator, token };
    print(JSON.stringify({ ...facts, url: urlOf(made.value) }, undefined, 2));
  } else {
    const isSignedIn = keepSession(made.value).ok;
    tell(made.value, { isClosed: passphrase.value !== undefined, isSignedIn, print });
  }
  return done;
}
