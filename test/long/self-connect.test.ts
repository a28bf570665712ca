// A connection to a local port on which nobody listens can get that very port as its own and so reach itself (TCP's
// simultaneous open): one false yes in some thousand questions to a dead component.

import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { need } from './parts.ts';

it('a tcp probe that has reached itself is not content', (context) => {
  need(context, 'unshare', 'util-linux');
  const script =
    'ip link set lo up && echo "40000 40005" >/proc/sys/net/ipv4/ip_local_port_range && ' +
    'exec "$0" "$1"';
  const child = resolve('test/long/self-connect-child.ts');
  let text: string;
  try {
    const args = ['-n', 'sh', '-c', script, process.execPath, child];
    text = execFileSync('unshare', args, { encoding: 'utf8', timeout: 60_000 });
  } catch (error) {
    if (process.env['TILLWATCH_REQUIRE'] === 'all') throw error;
    context.skip('a network of its own is not permitted here');
    return;
  }
  expect(JSON.parse(text)).toEqual([
    'false ECONNREFUSED',
    'false nobody listens: it reached itself',
  ]);
});
