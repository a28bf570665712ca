// The simulator's command line as values: every problem is said at once, in sentences. Pure.

import type { KeyObject } from 'node:crypto';
import { parseArgs } from 'node:util';
import { parsePublicKey } from '../../protocol/commands.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { storesFor, TERMINALS_MAX } from './terminals.ts';

export const USAGE = `simulate: a fleet of terminals in one process, for a broker that runs already

  --terminals N         how many (50)
  --stores M            in how many stores (one for every five terminals)
  --rate X              faults, in multiples of a real year's (1); 0: none
  --seconds T           end after so long; without it, at Ctrl-C
  --broker HOST:PORT    where the broker listens (127.0.0.1:1883; enrolled: as told then)
  --seed S              which fleet: the same seed is the same one (1)
  --tokens FILE         enrol with the tokens of "tillwatch enroll --file", and speak TLS
  --identities FOLDER   where certificates are kept; without tokens those that are there
  --command-key KEY     in plain text: accept restarts that are signed with it (ed25519:...)
  --every-ms, --send-ms sampling and sending (15000, 60000)
  --reconnect-ms-max    longest wait before a new connection (60000)
  --list                print the terminals as JSON, for the broker's setting "terminals"
  --stores-file         print the stores as YAML, for "tillwatch stores apply"
  --json                print the summary as one JSON object
  --exit-with-parent    end when the process that started it is gone`;

export type Options = {
  readonly terminals: number;
  readonly stores: number;
  readonly rate: number;
  readonly seconds: number;
  readonly broker: { readonly host: string; readonly port: number };
  /** It was said, and is no default. */
  readonly isBrokerSaid: boolean;
  readonly tokens: string | undefined;
  readonly identities: string | undefined;
  readonly areTerminalsSaid: boolean;
  readonly seed: number;
  readonly keys: ReadonlyMap<string, KeyObject>;
  readonly everyMs: number;
  readonly sendMs: number;
  readonly reconnectMsMax: number;
  readonly list: boolean;
  readonly storesFile: boolean;
  readonly json: boolean;
  readonly exitWithParent: boolean;
  readonly help: boolean;
};

const text = { type: 'string' } as const;
const flag = { type: 'boolean', default: false } as const;
const HOUR_MS = 3_600_000;

/** @param argv without the program; @returns all options, or one sentence for each problem. */
export function readOptions(argv: readonly string[]): Result<Options> {
  let values: Partial<Record<string, string | boolean>>;
  try {
    ({ values } = parseArgs({
      args: [...argv],
      options: {
        ...{ terminals: text, stores: text, rate: text, seconds: text, broker: text, seed: text },
        ...{
          tokens: text,
          identities: text,
          'command-key': text,
          'every-ms': text,
          'send-ms': text,
          'reconnect-ms-max': text,
        },
        'stores-file': flag,
        ...{ list: flag, json: flag, 'exit-with-parent': flag, help: flag },
      },
    }));
  } catch (error) {
    return fail(`${(error as Error).message} (see --help)`);
  }
  const problems: string[] = [];
  const number = (name: string, otherwise: number, min: number, max: number, whole = true) => {
    const given = values[name];
    if (given === undefined) return otherwise;
    const value = given === '' ? Number.NaN : Number(given);
    if (value >= min && value <= max && (!whole || Number.isInteger(value))) return value;
    const kind = whole ? 'a whole number' : 'a number';
    problems.push(`--${name}: must be ${kind} from ${min} to ${max}, not "${given}"`);
    return otherwise;
  };
  const terminals = number('terminals', 50, 1, TERMINALS_MAX);
  const [, host = '', port = ''] =
    /^(.+):(\d{1,5})$/.exec(String(values['broker'] ?? '127.0.0.1:1883')) ?? [];
  if (host === '' || Number(port) > 65_535) problems.push('--broker: must be HOST:PORT');
  const keys = new Map<string, KeyObject>();
  if (values['command-key'] !== undefined) {
    const parsed = parsePublicKey(String(values['command-key']));
    if (parsed.ok) keys.set(parsed.value.keyId, parsed.value.key);
    else problems.push(`--command-key: ${parsed.reason}`);
  }
  const said = (name: string): string | undefined =>
    values[name] === undefined ? undefined : String(values[name]);
  if (said('tokens') !== undefined && said('identities') === undefined) {
    problems.push('--tokens: say with --identities in which folder certificates are kept');
  }
  const options: Options = {
    ...{ tokens: said('tokens'), identities: said('identities') },
    isBrokerSaid: values['broker'] !== undefined,
    areTerminalsSaid: values['terminals'] !== undefined,
    terminals,
    stores: number('stores', storesFor(terminals), 1, TERMINALS_MAX),
    rate: number('rate', 1, 0, 1_000_000, false),
    seconds: number('seconds', Infinity, 1, 10_000_000, false),
    broker: { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) },
    seed: number('seed', 1, 0, 2 ** 31 - 1),
    keys,
    everyMs: number('every-ms', 15_000, 100, HOUR_MS),
    sendMs: number('send-ms', 60_000, 100, HOUR_MS),
    reconnectMsMax: number('reconnect-ms-max', 60_000, 1_000, HOUR_MS),
    list: values['list'] === true,
    storesFile: values['stores-file'] === true,
    json: values['json'] === true,
    exitWithParent: values['exit-with-parent'] === true,
    help: values['help'] === true,
  };
  return problems.length > 0 ? fail(problems.join('\n')) : ok(options);
}
