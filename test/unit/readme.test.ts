// What a newcomer copies from the README must work: the configurations in it are read by the programs' own
// readers, and every path and command that it names exists.

import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadConfig as loadBroker } from '../../broker/config.ts';
import { retentionText } from '../../broker/config-retention.ts';
import { loadConfig as loadAgent } from '../../configuration/config.ts';

const readme = readFileSync('README.md', 'utf8');
const blocks = [...readme.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1] ?? '');
const KEY = `ed25519:${Buffer.alloc(32, 7).toString('base64')}`;

describe('the README', () => {
  it('shows configurations of agent and broker that are right as they stand', () => {
    const agents = blocks.filter((block) => block.includes('components:'));
    const broker = blocks.find((block) => block.includes('terminals:'));
    expect(agents.length).toBeGreaterThanOrEqual(2);
    for (const agent of agents) {
      expect(loadAgent(agent.replace('ed25519:...', KEY), '/')).toMatchObject({ ok: true });
    }
    const sinks = blocks.find((block) => block.startsWith('sinks:'));
    expect(loadBroker(broker ?? '', '/')).toMatchObject({ ok: true });
    expect(loadBroker(sinks ?? 'missing', '/')).toMatchObject({ ok: true });
  });

  it('names only folders, files and scripts that exist', () => {
    const paths = [...readme.matchAll(/`([a-z-]+\/[a-z/.-]*)`/g)].map((match) => match[1] ?? '');
    expect(paths.filter((path) => !existsSync(path))).toEqual([]);
    const scripts = JSON.parse(readFileSync('package.json', 'utf8')).scripts;
    const named = [...readme.matchAll(/npm run ([a-z:]+)/g)].map((match) => match[1] ?? '');
    expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
  });

  it('tells of retention what the broker does', () => {
    expect(readme).toContain(retentionText());
  });

  it('quotes output and figures that were really printed', () => {
    expect(readme).not.toMatch(/DEMO_OUTPUT|BENCH_/);
  });
});
