// One real till under one real broker with TLS, with a journal that was filled before: for whoever asks it for logs. The
// agent is the built one, started as on a till.

import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { openFleetRig } from '../../real/trust-rig.ts';
import { sleep, until } from '../harness.ts';

const TERMINAL = 'lane-1';
const ANSWER_MS_MAX = 15 * 60_000;

export type Request = {
  readonly id: string;
  readonly state: string;
  readonly bytes: number;
  readonly lines: number;
  readonly sha256: string;
  readonly error: string;
  readonly truncated: boolean;
};
export type LogTill = Awaited<ReturnType<typeof openLogTill>>;

/** Prints nothing: what is read is what was filled in. */
const IDLE = 'setInterval(() => undefined, 1000); console.log("ready to sell");';

export type TillOptions = {
  /** Of the broker, as the till sees it; itself where none is given. */
  readonly port?: (mqttPort: number) => Promise<number>;
  readonly uplinkShare: number;
  /** How long it waits before it connects again, where it is not as shipped. */
  readonly reconnectMsMax?: number;
  readonly fill: (journal: string) => Promise<unknown>;
  readonly components?: (root: string) => readonly object[];
};

export async function openLogTill(options: TillOptions) {
  const fleet = await openFleetRig();
  const identityDir = await fleet.enrollFolder(TERMINAL);
  const port = (await options.port?.(fleet.mqttPort)) ?? fleet.mqttPort;
  const dataDir = join(fleet.dir, 'agent');
  const journal = join(dataDir, 'journal');
  mkdirSync(journal, { recursive: true, mode: 0o700 });
  await options.fill(journal);
  const program = join(fleet.dir, 'component.cjs');
  writeFileSync(program, IDLE);
  const idle = {
    ...{ name: 'sale', command: [process.execPath, program], version: '1', channel: false },
    probes: [{ kind: 'log', expect: 'ready to sell' }],
  };
  const config = join(fleet.dir, 'agent.yaml');
  writeFileSync(
    config,
    stringify({
      ...{ terminal: TERMINAL, dataDir, runDir: join(fleet.dir, 'run'), identityDir },
      ...{ onExit: 'stop', logs: { uplinkShare: options.uplinkShare } },
      journal: { bytesMax: 2 ** 30, days: 365 },
      ...(options.reconnectMsMax !== undefined && {
        link: { reconnectMsMax: options.reconnectMsMax },
      }),
      broker: { addresses: [`mqtts://localhost:${port}`] },
      components: options.components?.(fleet.dir) ?? [idle],
    }),
  );
  const agent: ChildProcess = spawn(resolve('deploy/tillwatch-agent'), ['--config', config], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, TILLWATCH_NODE: process.execPath },
  });
  await until('the till', async () => {
    const { body } = await fleet.api(`terminals/${TERMINAL}`);
    return body['connected'] === true || undefined;
  });

  async function ask(what: object): Promise<string> {
    const answer = await fleet.act(TERMINAL, 'logs', { components: ['sale'], ...what });
    return String(answer['id']);
  }
  const look = async (id: string): Promise<Request> =>
    (await fleet.api(`logs/${id}`)).body as unknown as Request;
  async function ended(id: string, everyMs = 20): Promise<Request> {
    const request = await until(
      'the answer',
      async () => {
        const seen = await look(id);
        return ['waiting', 'running'].includes(seen.state) ? undefined : seen;
      },
      ANSWER_MS_MAX,
      everyMs,
    );
    if (request.state !== 'complete') throw new Error(`${request.state}: ${request.error}`);
    return request;
  }
  /** Every byte of an answer, read as a stream. */
  async function content(id: string, each: (part: Buffer) => void): Promise<string> {
    const session = await fleet.session();
    const hash = createHash('sha256');
    await new Promise<void>((done, fail) => {
      const asked = request(
        `${fleet.url}/api/v1/logs/${id}/content?offset=0`,
        {
          ...{ ca: [...fleet.authorities], agent: false, allowPartialTrustChain: true },
          headers: { authorization: `Bearer ${session}` },
        },
        (answer) => {
          answer.on('data', (part: Buffer) => {
            hash.update(part);
            each(part);
          });
          answer.on('end', done);
          answer.on('error', fail);
        },
      );
      asked.on('error', fail);
      asked.end();
    });
    return hash.digest('hex');
  }
  return {
    ...{ fleet, agent, ask, look, ended, content, journal },
    close: async (): Promise<void> => {
      if (agent.exitCode === null) {
        const gone = once(agent, 'exit');
        agent.kill('SIGINT');
        await Promise.race([gone, sleep(20_000)]);
      }
      await fleet.close();
    },
  };
}
