// A real agent with real components, and somebody who signs commands for it and hears what becomes of them: a small
// broker without a queue of its own, so that what the tests see is what the till does.

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { unpackBody } from '../../protocol/body.ts';
import {
  type Command,
  type CommandContent,
  type CommandResult,
  decodeResultBody,
  FINAL_STATES,
  publicKeyText,
  signCommand,
} from '../../protocol/commands.ts';
import { decodeEventBody, type TerminalEvent } from '../../protocol/events.ts';
import { decodeLogChunk, lastSeqOf } from '../../protocol/logs.ts';
import { commandTopic } from '../../protocol/topics.ts';
import { type Batch, decodeBatch, encodeAck } from '../../protocol/wire.ts';
import { Rig, until } from '../real/agent-rig.ts';
import { TestBroker } from '../real/link-rig.ts';
import { type Name, Rig as TerminalRig } from '../real/terminal-rig.ts';

const pair = generateKeyPairSync('ed25519');
const AGAIN_MS = 500;

export class DeedsRig {
  readonly till = new Rig();
  readonly broker = new TestBroker('lane-1');
  readonly terminal = new TerminalRig();
  readonly #again: NodeJS.Timeout[] = [];

  async open(components: readonly object[], more: object = {}): Promise<void> {
    // Chunks of an answer are acknowledged by their bytes (protocol/logs.ts).
    this.broker.answer = (ack) => {
      const streams = ack.streams.map((one) =>
        one.stream === 'logs' ? { ...one, ranges: [{ first: 1, last: this.#logBytes() }] } : one,
      );
      return encodeAck({ ...ack, streams });
    };
    await this.broker.start();
    this.till.configure(components, {
      broker: { plainText: true, host: '127.0.0.1', port: this.broker.port },
      link: { reconnectMsMin: 50, reconnectMsMax: 200 },
      trust: { commandKeys: [publicKeyText(pair.publicKey)] },
      ...more,
    });
    void this.till.start();
  }

  /** A component of the reference terminal, as the agent is to start it. */
  component(name: Exclude<Name, 'centre'>, env: object = {}, more: object = {}): object {
    const folder = this.terminal.folder(name);
    const url = (other: Name): string => this.terminal.portFileUrl(other);
    return {
      ...{
        name,
        version: '1.0.0',
        command: [process.execPath, resolve(`terminal/${name}/main.ts`)],
      },
      env: {
        ...{ POS_DATA_DIR: folder, POS_STORE: 's-1', POS_TERMINAL: 'lane-1' },
        ...{ POS_SALE_PORT: '0', POS_SYNC_PORT: '0', POS_HARDWARE_PORT: '0' },
        ...{ POS_SALE_URL: url('sale'), POS_HARDWARE_URL: url('hardware') },
        ...{ POS_CENTRE_URL: url('centre'), POS_PRICES_FILE: join(this.terminal.dir, 'p.json') },
        ...env,
      },
      ...more,
    };
  }

  batches(stream: Batch['stream']): Batch[] {
    return this.broker.batches().flatMap((bytes) => {
      const batch = decodeBatch(bytes);
      return batch.ok && batch.value.stream === stream ? [batch.value] : [];
    });
  }

  bodies(stream: Batch['stream']): Uint8Array[] {
    return this.batches(stream).flatMap((batch) => {
      const body = unpackBody(batch);
      return body.ok ? [body.value] : [];
    });
  }

  results(): CommandResult[] {
    return this.bodies('results').flatMap((body) => {
      const read = decodeResultBody(body);
      return read.ok ? read.value : [];
    });
  }

  events(): TerminalEvent[] {
    return this.bodies('events').flatMap((body) => {
      const read = decodeEventBody(body);
      return read.ok ? read.value : [];
    });
  }

  /** What was sent as an answer by chunks, in order. */
  answerBytes(): Buffer {
    const chunks = this.bodies('logs').flatMap((body) => {
      const read = decodeLogChunk(body);
      return read.ok ? [read.value] : [];
    });
    chunks.sort((one, other) => one.offset - other.offset);
    return Buffer.concat(chunks.map(({ body }) => body));
  }

  #logBytes(): number {
    const ends = this.bodies('logs').flatMap((body) => {
      const read = decodeLogChunk(body);
      return read.ok ? [lastSeqOf(read.value)] : [];
    });
    return Math.max(1, ...ends);
  }

  send(content: CommandContent, change: Partial<Command> = {}): string {
    const id = randomUUID();
    const issuedMs = Date.now();
    const command = {
      ...{ id, terminal: 'lane-1', issuedMs, expiresMs: issuedMs + 60_000 },
      ...{ operator: 'kim', reason: 'a test', traceparent: '', ...content, ...change },
    } as Command;
    const bytes = signCommand(command, pair.privateKey);
    const publish = (): void => this.broker.publish(commandTopic('lane-1'), bytes);
    publish();
    // As a broker does until it is answered: the terminal may not have subscribed yet.
    const again = setInterval(() => {
      if (this.results().some(({ commandId }) => commandId === id)) clearInterval(again);
      else publish();
    }, AGAIN_MS);
    this.#again.push(again);
    return id;
  }

  ended(id: string): CommandResult | undefined {
    const final = (one: CommandResult) => one.commandId === id && FINAL_STATES.includes(one.state);
    return this.results().find(final);
  }

  /** Sends it and waits for its end. */
  async obeyed(content: CommandContent, change: Partial<Command> = {}): Promise<CommandResult> {
    const id = this.send(content, change);
    return await until(`${content.kind} has ended`, () => this.ended(id));
  }

  async connected(times = 1): Promise<void> {
    await until('the agent is connected', () => this.broker.connects >= times);
  }

  /** What somebody at the till sees of a component. */
  async status(component: string): Promise<unknown> {
    const socket = connect({ path: join(this.till.folder, 'run', 'control.sock') });
    socket.end(`${JSON.stringify({ kind: 'status' })}\n`);
    const answer = JSON.parse(await text(socket)) as { value: { components: { name: string }[] } };
    return answer.value.components.find(({ name }) => name === component);
  }

  async killAgent(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const { agent } = this.till;
    const gone = new Promise((done) => agent?.once('exit', done));
    if (agent?.kill(signal)) await gone;
  }

  startAgent(): void {
    void this.till.start();
  }

  file(...path: string[]): string {
    try {
      return readFileSync(join(this.till.folder, ...path), 'utf8');
    } catch {
      return '';
    }
  }

  async close(): Promise<void> {
    for (const again of this.#again) clearInterval(again);
    await this.till.clean();
    await this.broker.kill();
    await this.terminal.close();
  }
}
