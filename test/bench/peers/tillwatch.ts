// Tillwatch itself: the built agent with the shipped defaults, once with a program that beats over the channel and
// once with one that knows nothing of it beyond a probe a second. There is no broker: the uplink is dead throughout,
// which is a till's ordinary day. Only backoff and budget are relaxed, so that n failures of one program within a
// few minutes are n first failures and not a crash loop.

import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { AGENT_FLAGS } from '../rig.ts';
import { foreground, type Peer, type Supervisor } from './peer.ts';
import type { Till } from './till.ts';

const END_MS = 30_000;
const RELAXED = {
  backoff: { minMs: 250, maxMs: 30_000, stableMs: 500 },
  budget: { restarts: 1_000, windowMs: 300_000, retryMs: 60_000 },
};

function start(till: Till, watched: (till: Till) => object): Supervisor {
  const [root, config] = [join(till.dir, 'agent'), join(till.dir, 'agent.yaml')];
  const logDir = join(root, 'logs');
  mkdirSync(root, { recursive: true });
  const component = {
    name: 'till',
    command: till.command,
    env: till.env,
    ...RELAXED,
    ...watched(till),
  };
  writeFileSync(
    config,
    stringify({
      terminal: 'lane-1',
      dataDir: root,
      runDir: join(till.dir, 'run'),
      logDir,
      onExit: 'stop',
      // Discard: nothing listens there, and connections are refused.
      broker: { plainText: true, host: '127.0.0.1', port: 9 },
      components: [component],
    }),
  );
  const command = [process.execPath, ...AGENT_FLAGS, resolve('dist/agent.mjs'), '--config', config];
  const agent = foreground(command, join(till.dir, 'agent.out'), {}, till.dir);
  agent.start();
  return {
    pid: agent.pid,
    record: { file: join(root, 'agent.log'), found: /"till: incident opened/ },
    output: () => {
      const folder = join(logDir, 'till');
      return readdirSync(folder).map((name) => join(folder, name));
    },
    again: () => Promise.resolve(agent.start()),
    stop: () => agent.end('SIGINT', END_MS),
  };
}

export const tillwatchPeers: readonly Peer[] = [
  {
    key: 'tillwatch',
    name: 'Tillwatch',
    settings: 'shipped defaults; the program beats',
    missing: () => undefined,
    start: (till) => Promise.resolve(start(till, () => ({}))),
  },
  {
    key: 'blackBox',
    name: 'Tillwatch, black box',
    settings: 'shipped defaults; an http probe each second, no beats',
    missing: () => undefined,
    start: (till) =>
      Promise.resolve(
        start(till, ({ port }) => ({
          channel: false,
          probes: [{ kind: 'http', url: `http://127.0.0.1:${port}/healthz`, everyMs: 1_000 }],
        })),
      ),
  },
];
