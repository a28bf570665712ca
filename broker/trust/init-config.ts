// The configuration that `tillwatch broker init` writes: short, each setting with the reason to change it, and checked
// by the broker's own reader before anything is made, so that a wrong name costs nothing.

import { dirname, resolve } from 'node:path';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { type BrokerConfig, formatProblem, loadConfig } from '../config.ts';
import { PORTS } from '../config-places.ts';

export type ConfigWishes = {
  readonly names: readonly string[];
  readonly dataDir: string;
  readonly keysDir: string;
  readonly mqttPort?: number | undefined;
  readonly httpPort?: number | undefined;
  /** On which both listen; all addresses of the machine if not said. */
  readonly host?: string | undefined;
};

/** As YAML: a JSON string is one, and a plain word needs no quotes. */
const word = (text: string): string =>
  /^[a-z0-9/][\w./-]*$/i.test(text) ? text : JSON.stringify(text);

function place(port: number, host: string | undefined): string {
  return host === undefined
    ? `{ port: ${port} }`
    : `{ host: ${JSON.stringify(host)}, port: ${port} }`;
}

export function configText(wishes: ConfigWishes): string {
  const { names, dataDir, keysDir, host } = wishes;
  const { mqttPort = PORTS.mqtt.tls, httpPort = PORTS.http.tls } = wishes;
  return `# The broker of a fleet, as "tillwatch broker init" made it. What else can be set: README.md.

# What terminals and people call this machine. They stand in its certificate, which is made anew when they change.
names: [${names.map(word).join(', ')}]

# Everything that terminals said. No key is in this folder: whoever has a copy of it alone cannot command a till.
# A file of "tillwatch broker backup" has the keys, too, encrypted: whoever has its passphrase as well can.
dataDir: ${word(dataDir)}
# The authority's key, the key that signs commands and the one that signs the audit log; for the broker's user alone.
# Keep one copy of it apart from the data, or backups: without it every terminal has to be enrolled anew.
keysDir: ${word(keysDir)}

# Terminals come here: MQTT over TLS, with their certificates.
mqtt: ${place(mqttPort, host)}
# People come here, and terminals that enrol: HTTPS. With the same port above and here (443, say), both share it.
http: ${place(httpPort, host)}
`;
}

/** Below it the data of all brokers: it must not take the keys along into a backup. */
const isWithin = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`);

/** @returns what the broker reads of the text, or one sentence that says what is wrong. */
export function checkConfig(text: string, file: string): Result<BrokerConfig> {
  const loaded = loadConfig(text, dirname(resolve(file)));
  if (!loaded.ok) return fail(loaded.problems.map(formatProblem).join('; '));
  const { dataDir, keysDir } = loaded.config;
  if (isWithin(keysDir, dataDir) || isWithin(dataDir, keysDir)) {
    return fail(
      `keys (${keysDir}) and data (${dataDir}) must be two folders, neither in the other: ` +
        'whoever copies the data must not get the keys',
    );
  }
  return ok(loaded.config);
}
