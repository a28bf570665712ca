// Documents of the fleet for a real agent: as the centre packs them, and what the till tells of them.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { stringify } from 'yaml';
import type { CommandContent } from '../../protocol/commands.ts';
import { until } from '../real/agent-rig.ts';
import { DeedsRig } from './deeds-rig.ts';

const CLI = resolve('cli/tillwatch.ts');
export const NAME = 'shop';

export const apply = (
  version: number,
  document: object | string,
  more: object = {},
): CommandContent => {
  const text = typeof document === 'string' ? document : stringify(document);
  const sha256 = createHash('sha256').update(text).digest('hex');
  const packed = deflateRawSync(text).toString('base64');
  const args = { name: NAME, version, sha256, packed, readyMs: 15_000, ...more };
  return { kind: 'apply', arguments: args } as CommandContent;
};

export class ApplyRig extends DeedsRig {
  /** What the till said of its documents, each as `what version`. */
  told(): string[] {
    return this.events().flatMap((event) => {
      if (event.kind !== 'configuration') return [];
      const { what, version } = event.fields;
      return [`${what} ${version}`];
    });
  }

  async heard(what: string): Promise<void> {
    await until(what, () => this.told().includes(what));
  }

  notes(): { trial?: { attempts: number }; outcome?: { what: string; isTold: boolean } } {
    const text = this.file('data', 'configuration', 'notes.json');
    return text === '' ? {} : JSON.parse(text);
  }

  /** Agents that began, by pid. */
  begun(): number[] {
    const lines = this.till.log().filter(({ message }) => message === 'agent started');
    return lines.map(({ pid }) => Number(pid));
  }

  good(): string {
    return this.file('data', 'configuration', 'good.yaml');
  }
}

/** The agent as the command line runs it. */
export function asCommand(rig: ApplyRig): void {
  rig.till.start = () => {
    const words = [CLI, 'agent', '--config', rig.till.file];
    const agent = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'ignore'] });
    rig.till.agent = agent;
    return new Promise((done) => agent.once('close', (code) => done({ code, stderr: '' })));
  };
}

/** Children of a process, ended ones too, as `pid state`. */
export const childrenOf = (pid: number): string[] => {
  const all = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ');
  return all.filter(Boolean).map((child) => {
    const stat = readFileSync(`/proc/${child}/stat`, 'latin1');
    return `${child} ${/\) (\S)/.exec(stat)?.[1]}`;
  });
};
