// A till for benchmarks: the built broker and one built agent with three real components, each in a
// folder of its own, on free ports. Settings that decide when something is a hang are the shipped ones.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { until } from './harness.ts';

/** Those of deploy/tillwatch-agent, for whoever starts the agent without it. */
export const AGENT_FLAGS = [
  '--max-semi-space-size=1',
  '--max-old-space-size=48',
  '--no-opt',
  '--no-maglev',
];
const dist = (program: string): string => resolve('dist', `${program}.mjs`);

export type EventRow = {
  id: number;
  terminal: string;
  timeMs: number;
  kind: string;
  component: string;
  fields: Record<string, unknown>;
};
export type Rig = {
  /** The one that runs now. */
  readonly agent: ChildProcess;
  /** Where everything of this till lies: the mark by which its processes are found. */
  readonly root: string;
  readonly startAgent: () => void;
  readonly portFile: (name: string) => string;
  readonly broker: ChildProcess;
  readonly component: (name: string) => Promise<{ pid: number; port: number; startedMs: number }>;
  readonly events: (after: number) => Promise<EventRow[]>;
  readonly close: () => Promise<void>;
};

const gone = (child: ChildProcess): Promise<void> =>
  new Promise((done) => {
    if (child.exitCode !== null || child.signalCode !== null) done();
    else child.once('exit', () => done());
  });

const componentConfig = (
  root: string,
  name: string,
  env: Record<string, string>,
  extra: object,
) => ({
  name,
  command: [process.execPath, dist(name.replace(/-\d+$/, ''))],
  version: '1.0.0',
  env: {
    POS_DATA_DIR: join(root, name),
    POS_FAULTS: '1',
    POS_STORE: 'bench',
    POS_TERMINAL: 'lane-1',
    ...env,
  },
  ...extra,
});

/**
 * Starts broker and agent. `sales`: how many sale components; `extra`: settings for each component;
 * `more`: further components as the configuration has them.
 */
export async function startRig(
  sales: number,
  extra: object = {},
  more: (root: string) => readonly object[] = () => [],
): Promise<Rig> {
  const root = mkdtempSync(join(tmpdir(), 'tw-'));
  const prices = join(root, 'prices.json');
  const brokerFile = join(root, 'broker.yaml');
  const agentFile = join(root, 'agent.yaml');
  const brokerDir = join(root, 'broker');
  mkdirSync(brokerDir);
  const mqtt = { host: '127.0.0.1', port: 0 };
  writeFileSync(
    brokerFile,
    stringify({
      dataDir: brokerDir,
      plainText: true,
      mqtt,
      http: mqtt,
      terminals: [{ id: 'lane-1', store: 'bench' }],
    }),
  );
  const broker = spawn(process.execPath, [dist('broker'), '--config', brokerFile], {
    stdio: 'ignore',
  });
  const ready = await until('the broker', () =>
    existsSync(join(brokerDir, 'broker.json'))
      ? (JSON.parse(readFileSync(join(brokerDir, 'broker.json'), 'utf8')) as {
          mqttPort: number;
          url: string;
        })
      : undefined,
  );
  const names = sales === 1 ? ['sale'] : Array.from({ length: sales }, (_, i) => `sale-${i + 1}`);
  const components = [
    componentConfig(
      root,
      'hardware',
      { POS_PRINTER_HOST: '127.0.0.1', POS_PRINTER_PORT: '9', POS_HARDWARE_PORT: '0' },
      extra,
    ),
    ...names.map((name) =>
      componentConfig(
        root,
        name,
        { POS_SALE_PORT: '0', POS_HARDWARE_URL: 'http://127.0.0.1:9', POS_PRICES_FILE: prices },
        extra,
      ),
    ),
    componentConfig(
      root,
      'sync',
      {
        POS_SALE_URL: 'http://127.0.0.1:9',
        POS_CENTRE_URL: 'http://127.0.0.1:9',
        POS_PRICES_FILE: prices,
        POS_SYNC_PORT: '0',
      },
      extra,
    ),
  ];
  writeFileSync(
    agentFile,
    stringify({
      terminal: 'lane-1',
      dataDir: join(root, 'agent'),
      runDir: join(root, 'run'),
      onExit: 'stop',
      broker: { plainText: true, host: '127.0.0.1', port: ready.mqttPort },
      trust: { commandKeys: [readFileSync(join(brokerDir, 'command-key.pub'), 'utf8').trim()] },
      components: [...components, ...more(root)],
    }),
  );
  const startAgent = (): ChildProcess =>
    spawn(resolve('deploy/tillwatch-agent'), ['--config', agentFile], {
      stdio: 'ignore',
      env: { ...process.env, TILLWATCH_NODE: process.execPath },
    });
  let agent = startAgent();
  const portFile = (name: string): string => join(root, name, `${name.replace(/-\d+$/, '')}.json`);
  const token = readFileSync(join(brokerDir, 'api-token'), 'utf8').trim();
  const get = async (path: string): Promise<unknown> => {
    const response = await fetch(ready.url + path, {
      headers: { authorization: `Bearer ${token}` },
    });
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    return response.json();
  };
  return {
    get agent() {
      return agent;
    },
    root,
    startAgent: () => {
      agent = startAgent();
    },
    portFile,
    broker,
    component: (name) =>
      until(`component ${name}`, async () => {
        const view = (await get('/api/v1/terminals/lane-1')) as {
          components: { name: string; state: string; pid?: number; sinceMs: number }[];
        };
        const found = view.components?.find((c) => c.name === name);
        const file = portFile(name);
        if (found?.state !== 'ready' || found.pid === undefined || !existsSync(file))
          return undefined;
        const told = JSON.parse(readFileSync(file, 'utf8')) as { port: number; pid: number };
        return told.pid === found.pid
          ? { pid: found.pid, port: told.port, startedMs: found.sinceMs }
          : undefined;
      }),
    events: async (after) =>
      (
        (await get(`/api/v1/events?terminal=lane-1&after=${after}&limit=1000`)) as {
          events: EventRow[];
        }
      ).events,
    close: async () => {
      agent.kill('SIGINT');
      await gone(agent);
      broker.kill('SIGTERM');
      await gone(broker);
      rmSync(root, { recursive: true, force: true });
    },
  };
}
