// What the demo consists of: two stores with three real terminals, as many simulated ones as are wanted,
// which versions run where, and the agents' configuration files. Pure: paths and ports come in, objects go out; setup.ts
// writes them as YAML. The broker's configuration is what `tillwatch broker init` writes.

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MARK } from './identity.ts';

export type Till = {
  readonly id: string;
  readonly store: string;
  readonly saleVersion: string;
  /** It has a scanner beside its printer: one more port, and so one more process. */
  readonly hasScanner?: true;
};

/** One lane is already on the next version of the sale, as in the middle of any rollout. */
export const TILLS: readonly Till[] = [
  { id: 'bm-lane-1', store: 'berlin-mitte', saleVersion: '2.4.1' },
  { id: 'bm-lane-2', store: 'berlin-mitte', saleVersion: '2.4.1', hasScanner: true },
  { id: 'ha-lane-1', store: 'hamburg-altona', saleVersion: '2.5.0' },
];
const SYNC_VERSION = '1.8.0';
const HARDWARE_VERSION = '3.1.2';
const COMPONENTS = ['hardware', 'sale', 'sync'] as const;
export const componentsOf = (till: Till): readonly string[] =>
  till.hasScanner ? [...COMPONENTS, 'scanner'] : COMPONENTS;

/** Young generation and heap as small as a till wants them (design.md section 4, Memory and CPU). */
const MEMORY_FLAGS = ['--max-semi-space-size=1', '--max-old-space-size=48'];

export type Place = {
  /** `.tillwatch` in the person's folder: data, configuration and logs. */
  readonly folder: string;
  /** A short temporary folder for sockets and run directories [unix(7): 108 bytes]. */
  readonly runRoot: string;
  readonly mark: string;
  /** The command that runs one of our programs, without its arguments. */
  readonly command: (program: string, nodeFlags?: readonly string[]) => string[];
};

export const dataDirOf = (place: Place, till: Till, component: string): string =>
  join(place.folder, 'tills', till.id, component);
export const printerDirOf = (place: Place, till: Till): string => dataDirOf(place, till, 'printer');
/** Where an agent keeps its key and certificate unless told otherwise. */
export const identityDirOf = (place: Place, till: Till): string =>
  join(dataDirOf(place, till, 'agent'), 'identity');
export const centreDirOf = (place: Place): string => join(place.folder, 'centre');
/** A component writes where it listens into this file once it is ready. */
export const portFileOf = (dataDir: string, component: string): string =>
  join(dataDir, `${component}.json`);

type AgentSettings = {
  readonly printerPort: number;
  readonly scannerPort: number;
};

/** POS_DEVICES of the hardware program that drives a scanner and nothing else. */
const scannerDevices = (port: number): string =>
  JSON.stringify([
    {
      ...{ name: 'scanner', class: 'Scanner' },
      transport: { kind: 'tcp', host: '127.0.0.1', port },
    },
  ]);

export function agentConfig(place: Place, till: Till, settings: AgentSettings): object {
  const prices = join(place.folder, 'tills', till.id, 'prices.json');
  const portUrl = (dataDir: string, name: string) => pathToFileURL(portFileOf(dataDir, name)).href;
  const component = (
    name: string,
    version: string,
    after: readonly string[],
    env: Record<string, string>,
    program = name,
  ) => ({
    name,
    version,
    command: place.command(program, MEMORY_FLAGS),
    after,
    env: {
      [MARK]: place.mark,
      POS_DATA_DIR: dataDirOf(place, till, name),
      POS_FAULTS: '1',
      ...env,
    },
  });
  const scanner = component(
    'scanner',
    HARDWARE_VERSION,
    [],
    { POS_HARDWARE_PORT: '0', POS_DEVICES: scannerDevices(settings.scannerPort) },
    'hardware',
  );
  return {
    terminal: till.id,
    dataDir: dataDirOf(place, till, 'agent'),
    runDir: join(place.runRoot, till.id),
    onExit: 'stop',
    // A person is watching: be back at once when the broker is, and send samples soon.
    link: { reconnectMsMin: 250, reconnectMsMax: 5_000 },
    sampling: { everyMs: 2_500, sendMs: 5_000 },
    drills: true,
    components: [
      component('hardware', HARDWARE_VERSION, [], {
        POS_HARDWARE_PORT: '0',
        POS_PRINTER_HOST: '127.0.0.1',
        POS_PRINTER_PORT: String(settings.printerPort),
      }),
      component('sale', till.saleVersion, ['hardware'], {
        POS_SALE_PORT: '0',
        POS_HARDWARE_URL: portUrl(dataDirOf(place, till, 'hardware'), 'hardware'),
        POS_PRICES_FILE: prices,
        POS_STORE: till.store,
        POS_TERMINAL: till.id,
      }),
      component('sync', SYNC_VERSION, ['sale'], {
        POS_SYNC_PORT: '0',
        POS_SALE_URL: portUrl(dataDirOf(place, till, 'sale'), 'sale'),
        POS_CENTRE_URL: portUrl(centreDirOf(place), 'centre'),
        POS_STORE: till.store,
        POS_PRICES_FILE: prices,
      }),
      ...(till.hasScanner ? [scanner] : []),
    ],
  };
}

export const agentFlags = MEMORY_FLAGS;

/** Simulated tills have a year's faults in two days: something happens somewhere every minute. */
const SIMULATED_RATE = '200';
/** One in which fifty of them show something soon: a store's line goes after 30 s, a component after 33 s. */
const SIMULATED_SEED = '3492';

export const tokensFileOf = (place: Place): string => join(place.folder, 'config', 'tokens.yaml');

/** Arguments of dist/simulate.mjs. */
export const simulateArguments = (place: Place, count: number): string[] => [
  ...['--terminals', String(count), '--rate', SIMULATED_RATE, '--seed', SIMULATED_SEED],
  ...['--tokens', tokensFileOf(place), '--identities', join(place.folder, 'simulated')],
  ...['--reconnect-ms-max', '10000', '--exit-with-parent'],
];

/** By their names they are known: nobody may take one for a real till. */
export const isSimulated = (terminal: string): boolean => terminal.startsWith('sim-');
